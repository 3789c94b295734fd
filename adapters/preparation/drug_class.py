"""The drug class of a feed: which fills are of it, and of which product each is."""

from collections.abc import Mapping

from adapters.claims.codes import ANY_SYSTEM, SYSTEMS
from adapters.preparation.engine import Engine, sql_text
from contracts.preparation.definitions import CodeList


def create_class_fills(engine: Engine, products: Mapping[str, CodeList] | None) -> None:
    """The relation `class_fills`. products: code lists by product; None: any drug is of the class."""
    if products is None:
        engine.create_table("class_drugs", sql_text("class_drugs"))
    else:
        drugs = [(drug, number, product) for number, (drug, product) in enumerate(product_of_drugs(products).items())]
        engine.create_values("class_drugs", ["drug VARCHAR", "drug_number BIGINT", "product VARCHAR"], drugs)
    engine.create_views("class_fills")


def product_of_drugs(products: Mapping[str, CodeList]) -> dict[str, str]:
    """By drug as the claims have it. Systems are compared only where both are known (see adapters/claims/codes.py), and
    the system that is written comes before one that is not known. Of several products, the first by name."""
    found: dict[str, str] = {}
    for product in sorted(products):
        for code in sorted(products[product].codes):
            found.setdefault(code, product)
    for product in sorted(products):
        for code in sorted(products[product].codes):
            for drug in _same_drugs(code):
                found.setdefault(drug, product)
    return found


def _same_drugs(code: str) -> list[str]:
    system, _, bare = code.partition("|")
    systems = (ANY_SYSTEM, *SYSTEMS) if system == ANY_SYSTEM else (ANY_SYSTEM,)
    return [f"{each}|{bare}" for each in systems]
