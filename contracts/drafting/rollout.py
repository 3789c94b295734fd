"""Faults of a rollout clause: a difference in differences that no feed could tell."""

from collections.abc import Iterator

from contracts.drafting.rollups import coarser_than, finest_of
from contracts.parties import JsonObject, Role
from contracts.periods import Grain, NotAPeriod, Period, PeriodRange, parse_any
from contracts.refusals import Fault
from contracts.statistics.adherence import BAND


def rollout_faults(document: JsonObject) -> Iterator[Fault]:
    clause = document.get("rollout")
    if clause is None:
        return
    dimension, starts = clause["dimension"], clause["starts"]
    values = _values_of(document, dimension)
    if values is None:
        known = ", ".join(document["vocabularies"])
        yield Fault("/rollout/dimension", "dimension_unknown", f"the dimensions are {known}")
        return
    if finest_of(dimension, document["rollups"].get("dimensions") or {}) == BAND:
        message = f"{dimension} tells who is adherent, which a programme may change, and not where it came"
        yield Fault("/rollout/dimension", "dimension_is_outcome", message)
        return
    for value in starts:
        if value not in values:
            yield Fault(f"/rollout/starts/{value}", "value_unknown", f"{dimension} is one of {', '.join(values)}")
    if set(values) <= set(starts):
        message = f"leave out at least one {dimension} in which it did not begin: with it the others are compared"
        yield Fault("/rollout/starts", "rollout_without_control", message)
    for value, text in starts.items():
        try:
            start = parse_any(text)
        except NotAPeriod as error:
            yield Fault(f"/rollout/starts/{value}", "period_invalid", str(error))
        else:
            yield from _told_by_none(document, f"/rollout/starts/{value}", dimension, start)


def _values_of(document: JsonObject, dimension: str) -> tuple[str, ...] | None:
    """Of a vocabulary, or of a roll-up; None where there is neither."""
    rollup = (document["rollups"].get("dimensions") or {}).get(dimension)
    values = document["vocabularies"].get(dimension) or (rollup and rollup["groups"])
    return None if values is None else tuple(values)


def _told_by_none(document: JsonObject, at: str, dimension: str, start: Period) -> Iterator[Fault]:
    """Where no payers' feed goes by the dimension and has periods before the start, and from it on."""
    rollups = document["rollups"].get("dimensions") or {}
    try:
        ranges = [
            _periods(feed)
            for feed in document["feeds"]
            if feed["provider"] == Role.PAYER
            and dimension in {*feed["dimensions"], *coarser_than(set(feed["dimensions"]), rollups)}
        ]
    except NotAPeriod:
        return  # the feed has a fault of its own
    if not any(each.first.last_day < start.first_day <= each.last.first_day for each in ranges):
        known = ", ".join(f"{each.first} to {each.last}" for each in ranges) or "none goes by it"
        message = f"no payers' feed by {dimension} has periods before {start} and from it on; they have {known}"
        yield Fault(at, "rollout_without_feed", message)


def _periods(feed: JsonObject) -> PeriodRange:
    first, last = (Period.parse(feed[name], Grain(feed["grain"])) for name in ("first_period", "last_period"))
    return PeriodRange(first, last)
