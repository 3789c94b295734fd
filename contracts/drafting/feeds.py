"""Faults of single feeds: dimensions, tables, measures, periods, restatements, and a budget that pays for them."""

from collections.abc import Iterator, Mapping
from math import prod
from typing import Final

from contracts.drafting.document import RESERVED_NAMES
from contracts.drafting.losses import budget_faults
from contracts.invariants import NotAnInvariant, parse_invariant
from contracts.parties import JsonObject
from contracts.periods import Grain, NotAPeriod, Period
from contracts.refusals import Fault
from contracts.terms import read_feed, repeated
from privacy.strategy import BudgetTooSmall, make_plan
from privacy.units import rho_text

MAX_PERIODS: Final = 1_200


def feed_faults(document: JsonObject, max_cells: int) -> Iterator[Fault]:
    vocabularies = document["vocabularies"]
    for name in repeated(feed["name"] for feed in document["feeds"]):
        yield Fault("/feeds", "feed_repeated", f"two feeds are called {name}")
    for index, feed in enumerate(document["feeds"]):
        at = f"/feeds/{index}"
        faults = [
            *_dimensions(at, feed, vocabularies),
            *_key_space(at, feed, vocabularies, max_cells),
            *_tables(at, feed),
            *_measures(at, feed),
            *_periods(at, feed),
            *_restatements(at, feed),
            *budget_faults(f"{at}/rho", feed["rho"]),
        ]
        if not faults and all(vocabularies[name] for name in feed["dimensions"]):
            yield from _affordable(at, feed, vocabularies)
        yield from faults


def _dimensions(at: str, feed: JsonObject, vocabularies: JsonObject) -> Iterator[Fault]:
    for i, name in enumerate(feed["dimensions"]):
        if name not in vocabularies:
            known = ", ".join(vocabularies) or "none"
            yield Fault(f"{at}/dimensions/{i}", "dimension_unknown", f"no vocabulary of this name; there are {known}")
    for name in repeated(feed["dimensions"]):
        yield Fault(f"{at}/dimensions", "dimension_repeated", f"{name} is listed twice")
    if feed["link"] != "none":
        yield Fault(f"{at}/link", "not_offered", "this exchange does not take linked feeds yet; write none")


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


def _periods(at: str, feed: JsonObject) -> Iterator[Fault]:
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


def _restatements(at: str, feed: JsonObject) -> Iterator[Fault]:
    """Restatements are spread over the run-out, each due on a day of its own."""
    count, days = feed["restatements"], feed["run_out_days"]
    if count > days:
        message = f"{count} restatements need at least {count} run_out_days to be spread over, and there are {days}"
        yield Fault(f"{at}/restatements", "restatements_without_run_out", message)


def _affordable(at: str, feed: JsonObject, vocabularies: JsonObject) -> Iterator[Fault]:
    """A feed without other faults must be able to pay for each of its releases."""
    terms = read_feed(feed, vocabularies)
    try:
        make_plan(terms.design, terms.charge_nano)
    except BudgetTooSmall as error:
        needed = rho_text(error.needed_nano * terms.releases_paid)
        yield Fault(
            f"{at}/rho",
            "budget_too_small",
            f"this ceiling cannot pay for {terms.releases_paid} releases; from {needed} it can",
        )
