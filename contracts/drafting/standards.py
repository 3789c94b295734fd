"""Faults of public weights: what no feed goes by, and strata that have no weight or two."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice, product
from math import prod
from typing import Final

from contracts.drafting.rollups import coarser_than
from contracts.parties import JsonObject
from contracts.refusals import Fault
from contracts.terms import repeated

MAX_STRATA: Final = 1000
_MISSING_TOLD: Final = 5


def standard_faults(document: JsonObject) -> Iterator[Fault]:
    standards = document.get("standards") or []
    for name in repeated(standard["name"] for standard in standards):
        yield Fault("/standards", "standard_repeated", f"{name} is the name of two; call one otherwise")
    for i, standard in enumerate(standards):
        at = f"/standards/{i}"
        of_dimensions = list(_dimensions(at, standard, document))
        yield from of_dimensions or _weights(at, standard, document)


def _dimensions(at: str, standard: JsonObject, document: JsonObject) -> Iterator[Fault]:
    by = set(standard["by"])
    for name in repeated(standard["by"]):
        yield Fault(f"{at}/by", "dimension_repeated", f"{name} is listed twice")
    goes_by = {feed["name"]: _going_by(feed, document) for feed in document["feeds"]}
    if not any(by <= names for names in goes_by.values()):
        known = "; ".join(f"{feed} goes by {', '.join(sorted(names))}" for feed, names in goes_by.items())
        yield Fault(f"{at}/by", "standard_without_feed", f"no feed goes by all of these, so nothing could be: {known}")


def _going_by(feed: JsonObject, document: JsonObject) -> set[str]:
    own = set(feed["dimensions"])
    coarser = coarser_than(own, document["rollups"].get("dimensions") or {})
    return {name for name in (*own, *coarser) if _values(name, document)}


def _values(name: str, document: JsonObject) -> list[str]:
    """None of a dimension that has faults of its own."""
    rollups = document["rollups"].get("dimensions") or {}
    return list(document["vocabularies"].get(name) or (rollups[name]["groups"] if name in rollups else ()))


def _weights(at: str, standard: JsonObject, document: JsonObject) -> Iterator[Fault]:
    """Each stratum once; nobody should wonder whether one that is left out weighs nothing."""
    by = {name: _values(name, document) for name in standard["by"]}
    if prod(map(len, by.values())) > MAX_STRATA:
        message = f"at most {MAX_STRATA} strata: standardise by fewer dimensions, or by coarser ones"
        yield Fault(f"{at}/by", "standard_too_large", message)
        return
    found = Counter[tuple[str, ...]]()
    for j, line in enumerate(standard["weights"]):
        stratum = line["stratum"]
        if stratum.keys() != by.keys() or any(stratum[name] not in values for name, values in by.items()):
            known = "; ".join(f"{name} one of {', '.join(values)}" for name, values in by.items())
            yield Fault(f"{at}/weights/{j}/stratum", "stratum_unknown", f"a value of each dimension, {known}")
            continue
        found[tuple(stratum[name] for name in by)] += 1
        if found[tuple(stratum[name] for name in by)] == 2:
            yield Fault(f"{at}/weights/{j}/stratum", "stratum_repeated", "this stratum has a weight already")
    missing = [stratum for stratum in product(*by.values()) if stratum not in found]
    if missing:
        told = "; ".join(", ".join(stratum) for stratum in islice(missing, _MISSING_TOLD))
        more = f" and {len(missing) - _MISSING_TOLD} more" if len(missing) > _MISSING_TOLD else ""
        yield Fault(f"{at}/weights", "strata_missing", f"write a weight, which may be 0, for {told}{more}")
    elif not any(line["weight"] for line in standard["weights"]):
        yield Fault(f"{at}/weights", "weights_zero", "all weights are 0: let one stratum count")
