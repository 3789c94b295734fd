"""Faults of purposes and grants: names that nothing in the contract has, and grants that grant nothing."""

from collections import Counter
from collections.abc import Iterator

from contracts.drafting.rollups import coarser_than
from contracts.parties import JsonObject
from contracts.periods import Grain, NotAPeriod, Period, PeriodRange, Stretch, first_within
from contracts.refusals import Fault
from contracts.terms import repeated


def purpose_faults(document: JsonObject) -> Iterator[Fault]:
    further, prohibited = document.get("purposes", []), document.get("prohibited", [])
    for name in repeated((document["purpose"], *further)):
        yield Fault("/purposes", "purpose_repeated", f"{name} is allowed already; name each purpose once")
    for name in repeated(prohibited):
        yield Fault("/prohibited", "purpose_repeated", f"{name} is listed twice")
    never = set(prohibited)
    for pointer, name in (("/purpose", document["purpose"]), *((f"/purposes/{j}", n) for j, n in enumerate(further))):
        if name in never:
            yield Fault(pointer, "purpose_prohibited", "this purpose is prohibited too: strike it out in one place")


def grant_faults(document: JsonObject, statistics: frozenset[str]) -> Iterator[Fault]:
    grants = document["grants"]
    for (role, organisation), times in Counter((grant["role"], grant.get("organisation")) for grant in grants).items():
        if times > 1:
            message = f"one grant a role, and one a party of it; {organisation or role} has two"
            yield Fault("/grants", "grant_repeated", message)
    known_statistics = ", ".join(sorted(statistics))
    roles = {(party["organisation"], party["role"]) for party in document["parties"]}
    ranges = {feed["name"]: _range_of(feed) for feed in document["feeds"]}
    purposes = {document["purpose"], *document.get("purposes", [])}
    for i, grant in enumerate(grants):
        at = f"/grants/{i}"
        if grant.get("organisation") and (grant["organisation"], grant["role"]) not in roles:
            message = f"no party of this name is a {grant['role']} here"
            yield Fault(f"{at}/organisation", "grant_party_unknown", message)
        for j, name in enumerate(grant["statistics"]):
            if name not in statistics:
                yield Fault(f"{at}/statistics/{j}", "statistic_unknown", f"the statistics are {known_statistics}")
        yield from _purposes(at, grant, purposes)
        yield from _feeds(at, grant, ranges)
        yield from _dimensions(at, grant, document)
        yield from _periods(at, grant, ranges)


def _purposes(at: str, grant: JsonObject, allowed: set[str]) -> Iterator[Fault]:
    listed = grant.get("purposes") or []
    for j, name in enumerate(listed):
        if name not in allowed:
            message = f"a grant is for purposes that the contract allows: {', '.join(sorted(allowed))}"
            yield Fault(f"{at}/purposes/{j}", "purpose_unknown", message)
    for name in repeated(listed):
        yield Fault(f"{at}/purposes", "purpose_repeated", f"{name} is listed twice")


def _feeds(at: str, grant: JsonObject, ranges: dict[str, PeriodRange | None]) -> Iterator[Fault]:
    listed = grant.get("feeds") or []
    for j, name in enumerate(listed):
        if name not in ranges:
            yield Fault(f"{at}/feeds/{j}", "feed_unknown", f"the feeds are {', '.join(ranges)}")
    for name in repeated(listed):
        yield Fault(f"{at}/feeds", "feed_repeated", f"{name} is listed twice")


def _dimensions(at: str, grant: JsonObject, document: JsonObject) -> Iterator[Fault]:
    listed = grant.get("dimensions") or []
    if not listed:
        return
    rollups = document["rollups"].get("period", {})
    chosen = None if grant.get("feeds") is None else set(grant["feeds"])
    feeds = [feed for feed in document["feeds"] if chosen is None or feed["name"] in chosen]
    known = {name for feed in feeds for name in feed["dimensions"]}
    known |= coarser_than(known, document["rollups"].get("dimensions") or {})
    known |= {feed["grain"] for feed in feeds}
    for coarse in Grain:  # from fine to coarse
        known |= {coarse.value} if rollups.get(coarse) in known else set()
    for j, name in enumerate(listed):
        if name not in known:
            message = f"the feeds granted can be asked by {', '.join(sorted(known))}"
            yield Fault(f"{at}/dimensions/{j}", "dimension_unknown", message)
    for name in repeated(listed):
        yield Fault(f"{at}/dimensions", "dimension_repeated", f"{name} is listed twice")


def _periods(at: str, grant: JsonObject, ranges: dict[str, PeriodRange | None]) -> Iterator[Fault]:
    periods = grant.get("periods")
    if periods is None:
        return
    wrong = False
    for end in ("first", "last"):
        try:
            Stretch.parse(periods[end], periods[end])
        except NotAPeriod as error:
            wrong = True
            yield Fault(f"{at}/periods/{end}", "period_invalid", str(error))
    if wrong:
        return
    days = Stretch.parse(periods["first"], periods["last"])
    if days.last < days.first:
        yield Fault(f"{at}/periods/last", "periods_reversed", "the last period does not lie before the first")
        return
    chosen = [ranges[name] for name in grant.get("feeds") or ranges if name in ranges]
    sound = [periods for periods in chosen if periods is not None]
    if sound and not any(first_within(periods, days) for periods in sound):
        message = "no whole period of a feed granted lies there, so nothing could be asked"
        yield Fault(f"{at}/periods", "periods_outside_feeds", message)


def _range_of(feed: JsonObject) -> PeriodRange | None:
    """None for periods that have faults of their own."""
    grain = Grain(feed["grain"])
    try:
        return PeriodRange(Period.parse(feed["first_period"], grain), Period.parse(feed["last_period"], grain))
    except NotAPeriod:
        return None
