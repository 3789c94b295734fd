"""Faults of single feeds: dimensions, tables, measures, periods and restatements."""

from collections.abc import Iterator, Mapping
from datetime import date
from math import prod
from typing import Final

from contracts.drafting.budgets import budget_faults
from contracts.drafting.document import RESERVED_NAMES, find_date
from contracts.drafting.linked import linked_ceiling_faults, linked_faults
from contracts.drafting.plans import plan_faults
from contracts.invariants import NotAnInvariant, parse_invariant
from contracts.parties import JsonObject
from contracts.periods import Grain, NotAPeriod, Period
from contracts.refusals import Fault
from contracts.terms import FeedTerms, read_feed, repeated

MAX_PERIODS: Final = 1_200
# Of one measure, a person and period: what the form of a document takes, too.
MAX_BOUND: Final = 1_000_000
# Of one period of a feed, over all its measures, where an exchange is not set up otherwise.
MAX_CELLS_DEFAULT: Final = 1_000_000


def feed_faults(document: JsonObject, max_cells: int) -> Iterator[Fault]:
    vocabularies, expires = document["vocabularies"], find_date(document["expires"])
    for name in repeated(feed["name"] for feed in document["feeds"]):
        yield Fault("/feeds", "feed_repeated", f"two feeds are called {name}")
    sound: list[tuple[str, FeedTerms]] = []
    for index, feed in enumerate(document["feeds"]):
        at = f"/feeds/{index}"
        faults = [
            *_dimensions(at, feed, vocabularies),
            *_key_space(at, feed, vocabularies, max_cells),
            *_tables(at, feed),
            *_measures(at, feed),
            *_periods(at, feed, expires),
            *_restatements(at, feed),
            *linked_faults(at, feed, document),
            *budget_faults(f"{at}/rho", feed["rho"]),
        ]
        if not faults and all(vocabularies[name] for name in feed["dimensions"]):
            sound.append((at, read_feed(feed, vocabularies)))
        yield from faults
    of_plans = list(plan_faults(sound))
    yield from of_plans or linked_ceiling_faults([feed for _, feed in sound], document)


def _dimensions(at: str, feed: JsonObject, vocabularies: JsonObject) -> Iterator[Fault]:
    for i, name in enumerate(feed["dimensions"]):
        if name not in vocabularies:
            known = ", ".join(vocabularies) or "none"
            yield Fault(f"{at}/dimensions/{i}", "dimension_unknown", f"no vocabulary of this name; there are {known}")
    for name in repeated(feed["dimensions"]):
        yield Fault(f"{at}/dimensions", "dimension_repeated", f"{name} is listed twice")


def _key_space(at: str, feed: JsonObject, vocabularies: JsonObject, max_cells: int) -> Iterator[Fault]:
    sizes = {name: max(1, len(vocabularies.get(name, ()))) for name in feed["dimensions"]}
    measures = len(feed["measures"])
    cells = measures * prod(sizes.values())
    if cells > max_cells:
        yield Fault(
            f"{at}/dimensions",
            "key_space_too_large",
            f"a period would hold {cells} cells, and at most {max_cells} are taken here: "
            + _what_would_fit(sizes, measures, max_cells),
        )


def _what_would_fit(sizes: Mapping[str, int], measures: int, max_cells: int) -> str:
    """The least to give up: values of the largest dimension, one dimension, else several, the largest first."""
    cells = measures * prod(sizes.values())
    if measures > max_cells:
        return f"measure at most {max_cells} things, without dimensions"
    by_size = sorted(sizes, key=lambda name: sizes[name])
    fitting = next((name for name in by_size if cells // sizes[name] <= max_cells), None)
    if fitting is not None:
        largest = by_size[-1]
        return f"drop {fitting}, or give {largest} at most {max_cells * sizes[largest] // cells} values"
    dropped: list[str] = []
    while cells > max_cells:
        dropped.append(by_size.pop())
        cells //= sizes[dropped[-1]]
    return f"drop {' and '.join(dropped)}"


def _tables(at: str, feed: JsonObject) -> Iterator[Fault]:
    known = ", ".join(feed["dimensions"]) or "none"
    seen: set[frozenset[str]] = set()
    for i, table in enumerate(feed["tables"]):
        for j, name in enumerate(table["by"]):
            if name not in feed["dimensions"]:
                message = f"a table goes by dimensions of its feed; there are {known}"
                yield Fault(f"{at}/tables/{i}/by/{j}", "dimension_unknown", message)
        for name in repeated(table["by"]):
            yield Fault(f"{at}/tables/{i}/by", "dimension_repeated", f"{name} is listed twice")
        if frozenset(table["by"]) in seen:
            message = "this table is named before, in any order of its dimensions; raise the weight there instead"
            yield Fault(f"{at}/tables/{i}", "table_repeated", message)
        seen.add(frozenset(table["by"]))


def _measures(at: str, feed: JsonObject) -> Iterator[Fault]:
    measures = tuple(feed["measures"])
    for name in measures:
        if name in RESERVED_NAMES or name in feed["dimensions"]:
            yield Fault(f"{at}/measures/{name}", "name_taken", "this name is a dimension or a word of the exchange")
    for name in feed["expected"]:
        if name not in measures:
            message = f"an expected size is that of a measure of the feed; there are {', '.join(measures)}"
            yield Fault(f"{at}/expected/{name}", "measure_unknown", message)
    for i, text in enumerate(feed["invariants"]):
        try:
            parse_invariant(text, measures)
        except NotAnInvariant as error:
            yield Fault(f"{at}/invariants/{i}", "invariant_invalid", str(error))


def _periods(at: str, feed: JsonObject, expires: date | None) -> Iterator[Fault]:
    grain = Grain(feed["grain"])
    found: dict[str, Period] = {}
    for name in ("first_period", "last_period"):
        try:
            found[name] = Period.parse(feed[name], grain)
        except NotAPeriod as error:
            yield Fault(f"{at}/{name}", "period_invalid", str(error))
    if len(found) < 2:
        return
    count = found["last_period"].index - found["first_period"].index + 1
    if count < 1:
        yield Fault(f"{at}/last_period", "periods_reversed", "the last period does not lie before the first")
    elif count > MAX_PERIODS:
        yield Fault(f"{at}/last_period", "too_many_periods", f"a feed has at most {MAX_PERIODS} periods")
    elif feed["k"] > count:
        message = f"the feed has {count} periods, so one person is in at most {count}: write {count} or less"
        yield Fault(f"{at}/k", "k_too_large", message)
    if expires is not None:
        yield from _postings(at, feed, found["last_period"], expires)


def _postings(at: str, feed: JsonObject, last: Period, expires: date) -> Iterator[Fault]:
    """All that is planned must fall due while the contract is in force; as `FeedTerms.earliest` has it, but counted in
    days, since the calendar of dates ends with the year 9999."""
    due = last.last_day.toordinal() + (feed["run_out_days"] if feed["restatements"] else 0) + 1
    if due > expires.toordinal():
        what = f"the last restatement of {last}" if feed["restatements"] else str(last)
        later = f"set `expires` to {date.fromordinal(due)} or later, or " if due <= date.max.toordinal() else ""
        message = f"{what} would first be posted after the contract expired: {later}end the feed earlier"
        yield Fault(f"{at}/last_period", "posting_after_expiry", message)


def _restatements(at: str, feed: JsonObject) -> Iterator[Fault]:
    """Restatements are spread over the run-out, each due on a day of its own."""
    count, days = feed["restatements"], feed["run_out_days"]
    if count > days:
        message = f"{count} restatements need at least {count} run_out_days to be spread over, and there are {days}"
        yield Fault(f"{at}/restatements", "restatements_without_run_out", message)
