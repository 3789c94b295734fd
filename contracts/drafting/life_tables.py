"""Faults of life tables: who started, and who stopped, posted as increments.

A person starts once (the first episode) and exits once, in the period in which the exit becomes known. At risk is
starts less exits, and who is still at risk when the posting ends is derived, never posted. So each of the two feeds
costs a person one charge, however many periods are posted; posting the same cohort again as it matures would cost one
charge each time. Where exits are always posted equally late (`known_after_months`), their cells tell the cohorts apart,
which a curve needs.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from contracts.parties import JsonObject
from contracts.periods import Grain, NotAPeriod, Period
from contracts.refusals import Fault
from contracts.terms import LifeTable

MONTHS: Final = "months_since_start"
PERSONS: Final = "persons"

Placed = tuple[str, JsonObject]


def life_table_faults(document: JsonObject) -> Iterator[Fault]:
    placed = [(f"/feeds/{i}", feed) for i, feed in enumerate(document["feeds"])]
    for at, feed in placed:
        yield from _known_after(at, feed)
    feeds = [(at, feed) for at, feed in placed if feed.get("life_table")]
    for at, feed in feeds:
        yield from _once(at, feed)
        yield from _months(at, feed, document["vocabularies"])
    for provider in dict.fromkeys(feed["provider"] for _, feed in feeds):
        yield from _paired([(at, feed) for at, feed in feeds if feed["provider"] == provider])


def _known_after(at: str, feed: JsonObject) -> Iterator[Fault]:
    """Cohort = period - months - lag, in whole months."""
    lag = feed.get("known_after_months")
    if lag is None:
        return
    at = f"{at}/known_after_months"
    if feed.get("life_table") != LifeTable.EXITS:
        yield Fault(at, "known_after_not_exits", "only a life table of exits is posted after them: leave this out")
        return
    if feed["grain"] != Grain.MONTH:
        yield Fault(at, "known_after_grain", f"cohorts are told apart by the month: write grain {Grain.MONTH}")
        return
    periods = _periods(feed)
    if periods is not None and lag >= periods:
        yield Fault(
            at, "known_after_too_long", f"the feed has {periods} periods, so no exit would be known: write less"
        )


def _periods(feed: JsonObject) -> int | None:
    grain = Grain(feed["grain"])
    try:
        return Period.parse(feed["last_period"], grain).index - Period.parse(feed["first_period"], grain).index + 1
    except NotAPeriod:
        return None  # said of the feed itself


def _once(at: str, feed: JsonObject) -> Iterator[Fault]:
    """A person is in one cell of the whole feed."""
    if feed["k"] != 1:
        yield Fault(f"{at}/k", "life_table_k", "a person starts once and exits once: write 1")
    if feed["restatements"]:
        message = (
            "a life table is posted as increments only: restating it would measure a maturing cohort again, and charge "
            "its members each time; post what becomes known later in the period in which it becomes known, and write 0"
        )
        yield Fault(f"{at}/restatements", "cohort_reposted", message)
    for name, measure in feed["measures"].items():
        if measure["unit"] != PERSONS or measure["bound"] != 1:
            message = f"a life table counts each person once: write unit {PERSONS} and bound 1"
            yield Fault(f"{at}/measures/{name}", "life_table_measure", message)


def _months(at: str, feed: JsonObject, vocabularies: JsonObject) -> Iterator[Fault]:
    if feed["life_table"] == LifeTable.STARTS:
        if MONTHS in feed["dimensions"]:
            yield Fault(f"{at}/dimensions", "life_table_dimensions", f"who starts has no {MONTHS}: leave it out")
    elif MONTHS not in feed["dimensions"]:
        yield Fault(f"{at}/dimensions", "life_table_dimensions", f"exits go by {MONTHS}: add it")
    elif not _consecutive(vocabularies.get(MONTHS, ())):
        message = "whole months from 0, without a gap, the last one open if you like: 0, 1, 2, 3+"
        yield Fault(f"/vocabularies/{MONTHS}", "months_not_consecutive", message)


def _consecutive(values: Sequence[str]) -> bool:
    """0, 1, 2 and so on; none at all is another fault."""
    return not values or [*values[:-1], values[-1].removesuffix("+")] == [str(month) for month in range(len(values))]


def _paired(feeds: list[Placed]) -> Iterator[Fault]:
    """One feed of starts and one of exits, so that what is at risk can be derived from them."""
    found = {kind: [placed for placed in feeds if placed[1]["life_table"] == kind] for kind in LifeTable}
    for kind, same in found.items():
        for at, _ in same[1:]:
            message = f"a provider posts one feed of {kind}: tell drugs or cohorts apart by a dimension"
            yield Fault(f"{at}/life_table", "life_table_repeated", message)
    starts, exits = found[LifeTable.STARTS], found[LifeTable.EXITS]
    if starts and exits:
        yield from _alike(starts[0][1], *exits[0])
    for at, feed in feeds if not (starts and exits) else ():
        other = LifeTable.EXITS if feed["life_table"] == LifeTable.STARTS else LifeTable.STARTS
        message = f"at risk is starts less exits: add the feed of {other}, by the same dimensions"
        yield Fault(f"{at}/life_table", "life_table_unpaired", message)


def _alike(starts: JsonObject, at: str, exits: JsonObject) -> Iterator[Fault]:
    """at: where the feed of exits stands. It may tell more about an exit, such as its reason, but never less."""
    lacking = [name for name in starts["dimensions"] if name not in (*exits["dimensions"], MONTHS)]
    if lacking:
        message = f"at risk is starts less exits, stratum by stratum: exits also go by {', '.join(lacking)}"
        yield Fault(f"{at}/dimensions", "life_table_dimensions", message)
    for term in ("grain", "first_period"):
        if exits[term] != starts[term]:
            message = f"starts and exits are counted alike: write {starts[term]} as in {starts['name']}"
            yield Fault(f"{at}/{term}", "life_table_periods", message)
    if exits["grain"] == starts["grain"] and _ends_before(exits, starts):
        message = f"exits are posted at least as long as starts: write {starts['last_period']} or later"
        yield Fault(f"{at}/last_period", "life_table_periods", message)


def _ends_before(exits: JsonObject, starts: JsonObject) -> bool:
    grain = Grain(exits["grain"])
    try:
        return Period.parse(exits["last_period"], grain) < Period.parse(starts["last_period"], grain)
    except NotAPeriod:
        return False  # said of the feed itself
