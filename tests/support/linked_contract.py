"""A contract whose payers' feed is linked to the records of its brand, and what is posted to it."""

from typing import Any
from uuid import uuid4

from contracts.parties import JsonObject
from tests.support.small_exchange import BRAND, PAYERS, fills_feed, small_contract, support_feed

FEED = "fills"
FLAG = "programme"


def linked_feed(organisation: str = BRAND, **changes: Any) -> JsonObject:
    terms: JsonObject = {
        "dimensions": ["region", FLAG],
        "link": "linked",
        "linked": {"dimension": FLAG, "organisation": organisation},
        "rho": "0.012",
    }
    return fills_feed(**terms | changes)


def linked_contract(**changes: Any) -> JsonObject:
    """The small contract with a linked feed of fills, and the brand's own."""
    document = small_contract(feeds=[linked_feed(), support_feed(rho="0.02")])
    document["vocabularies"][FLAG] = ["enrolled", "not_enrolled"]
    return {**document, **changes}


def linked_to(brand: str, **changes: Any) -> JsonObject:
    """One feed alone, linked to a brand that did not draft the contract and posts nothing."""
    document = linked_contract(feeds=[linked_feed(brand, **changes)])
    document["parties"].append({"organisation": brand, "role": "brand", "population": f"{brand}-members"})
    document["privacy"]["ceilings"] = {f"{name}-members": "0.1" for name in (*PAYERS, brand)}
    return document


def linked_fills(period: str = "2025-01", **changes: Any) -> JsonObject:
    rows = [
        {"region": region, FLAG: flag, "members": 100, "days_covered": 900, "treatment_days": 1800}
        for region in ("north", "south")
        for flag in ("enrolled", "not_enrolled")
    ]
    return {"submission_id": str(uuid4()), "feed": FEED, "period": period, "rows": rows} | changes
