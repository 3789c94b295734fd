"""Does a draft make sense? Every fault at once, each with a pointer, a reason and the nearest thing that works.

A term is only accepted if this exchange enforces it: what would be signed and then ignored is refused here.
The form of the document (names, types) was checked at the door.
"""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from functools import partial

from contracts.invariants import NotAnInvariant, parse_invariant
from contracts.parties import JsonObject, Role
from contracts.periods import Grain, NotAPeriod, Period
from contracts.ports import Stores
from contracts.refusals import ContractInvalid, Fault
from contracts.terms import repeated
from privacy.strategy import BudgetTooSmall, make_plan, period_charge_nano
from privacy.units import NotABudget, budget_nano, rho_text

DEFAULT_CEILING_RHO = "0.1"
RESERVED_DIMENSIONS = frozenset({"period", "month", "quarter", "year", "payer", "feed"})
MAX_CELLS = 1_000_000
MAX_PERIODS = 1_200

# What the document can say and this version of the exchange does not do yet.
_ONLY = {
    "restatements": (0, "this exchange does not schedule restatements yet; write 0"),
    "link": ("none", "this exchange does not take linked feeds yet; write none"),
    "measured": ("exchange", "this exchange does not take releases measured at source yet; write exchange"),
}


def check_draft(
    document: JsonObject, stores: Stores, *, drafted_by: str, statistics: frozenset[str], today: date
) -> None:
    """Raises ContractInvalid with all faults. statistics: the names that a grant may hold."""
    faults = [
        *_parties(document, stores, drafted_by),
        *_dates(document, today),
        *_vocabularies(document),
        *_rollups(document),
        *_feeds(document),
        *_privacy(document),
        *_grants(document, statistics),
        *_rules(document),
    ]
    if faults:
        raise ContractInvalid("The contract does not make sense as it stands.", faults=tuple(faults))


def _parties(document: JsonObject, stores: Stores, drafted_by: str) -> Iterator[Fault]:
    parties = document["parties"]
    for name in repeated(party["organisation"] for party in parties):
        yield Fault("/parties", "party_repeated", f"{name} is named twice")
    if not any(party["organisation"] == drafted_by for party in parties):
        yield Fault("/parties", "drafter_not_a_party", f"{drafted_by} drafts this contract and must be a party to it")
    for index, party in enumerate(parties):
        organisation = stores.parties.find_organisation(party["organisation"])
        if organisation is None or organisation.role != party["role"]:
            yield Fault(f"/parties/{index}/organisation", "party_unknown", f"no {party['role']} of this name is here")
        population = stores.parties.find_population(party["population"])
        if population is None or population.organisation != party["organisation"]:
            yield Fault(
                f"/parties/{index}/population",
                "population_unknown",
                "the organisation has no population of this name",
            )


def _dates(document: JsonObject, today: date) -> Iterator[Fault]:
    effective, expires = (_date(document[name]) for name in ("effective", "expires"))
    if effective is None:
        yield Fault("/effective", "date_invalid", "a date is written like 2025-01-31")
    if expires is None:
        yield Fault("/expires", "date_invalid", "a date is written like 2025-01-31")
    if effective and expires and expires <= effective:
        yield Fault("/expires", "dates_reversed", "a contract expires after it becomes effective")
    if expires and expires < today:
        yield Fault("/expires", "already_expired", "this contract would be expired before it is signed")


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _vocabularies(document: JsonObject) -> Iterator[Fault]:
    for name, values in document["vocabularies"].items():
        pointer = f"/vocabularies/{name}"
        if name in RESERVED_DIMENSIONS:
            yield Fault(pointer, "name_reserved", f"{name} is a word of the exchange; choose another name")
        for value in repeated(values):
            yield Fault(pointer, "value_repeated", f"{value} occurs twice")


def _rollups(document: JsonObject) -> Iterator[Fault]:
    order = [grain.value for grain in Grain]
    for coarse, fine in document["rollups"].get("period", {}).items():
        if order.index(coarse) <= order.index(fine):
            yield Fault(f"/rollups/period/{coarse}", "rollup_reversed", f"a {fine} does not roll up to a {coarse}")


def _feeds(document: JsonObject) -> Iterator[Fault]:
    for name in repeated(feed["name"] for feed in document["feeds"]):
        yield Fault("/feeds", "feed_repeated", f"two feeds are called {name}")
    for index, feed in enumerate(document["feeds"]):
        faults = list(_feed(f"/feeds/{index}", feed, document["vocabularies"]))
        yield from faults or _affordable(f"/feeds/{index}", feed)


def _feed(at: str, feed: JsonObject, vocabularies: JsonObject) -> Iterator[Fault]:
    for term, (value, message) in _ONLY.items():
        if feed[term] != value:
            yield Fault(f"{at}/{term}", "not_offered", message)
    yield from _dimensions(at, feed, vocabularies)
    yield from _measures(at, feed)
    yield from _periods(at, feed)
    yield from _budget(f"{at}/rho", feed["rho"])


def _dimensions(at: str, feed: JsonObject, vocabularies: JsonObject) -> Iterator[Fault]:
    cells = 1
    for i, name in enumerate(feed["dimensions"]):
        if name not in vocabularies:
            known = ", ".join(vocabularies)
            yield Fault(f"{at}/dimensions/{i}", "dimension_unknown", f"no vocabulary of this name; there are {known}")
        cells *= len(vocabularies.get(name, [""]))
    for name in repeated(feed["dimensions"]):
        yield Fault(f"{at}/dimensions", "dimension_repeated", f"{name} is listed twice")
    if cells * len(feed["measures"]) > MAX_CELLS:
        yield Fault(
            f"{at}/dimensions",
            "key_space_too_large",
            f"a period would hold more than {MAX_CELLS} cells; drop a dimension",
        )
    for i, table in enumerate(feed["tables"]):
        if not set(table["by"]) <= set(feed["dimensions"]):
            yield Fault(f"{at}/tables/{i}/by", "dimension_unknown", "a table goes by dimensions of its feed")


def _measures(at: str, feed: JsonObject) -> Iterator[Fault]:
    measures = tuple(feed["measures"])
    for name in set(measures) & (set(feed["dimensions"]) | RESERVED_DIMENSIONS):
        yield Fault(f"{at}/measures/{name}", "name_taken", "this name is a dimension or a word of the exchange")
    for name in feed["expected"]:
        if name not in measures:
            yield Fault(
                f"{at}/expected/{name}",
                "measure_unknown",
                "an expected size is that of a measure of the feed",
            )
    for i, text in enumerate(feed["invariants"]):
        yield from _faults_of(f"{at}/invariants/{i}", "invariant_invalid", partial(parse_invariant, text, measures))


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
        yield Fault(f"{at}/k", "k_too_large", f"one person cannot be in more periods than the {count} of the term")


def _budget(pointer: str, rho: str) -> Iterator[Fault]:
    yield from _faults_of(pointer, "budget_invalid", partial(budget_nano, rho))


def _faults_of(pointer: str, code: str, read: Callable[[], object]) -> Iterator[Fault]:
    try:
        read()
    except (NotAnInvariant, NotABudget) as error:
        yield Fault(pointer, code, str(error))


def _affordable(at: str, feed: JsonObject) -> Iterator[Fault]:
    """A feed without other faults must be able to pay for each of its releases."""
    charge = period_charge_nano(budget_nano(feed["rho"]), feed["k"], feed["restatements"])
    bounds = {name: measure["bound"] for name, measure in feed["measures"].items()}
    try:
        make_plan(tuple(feed["dimensions"]), bounds, charge)
    except BudgetTooSmall as error:
        needed = rho_text(error.needed_nano * feed["k"])
        yield Fault(
            f"{at}/rho",
            "budget_too_small",
            f"this ceiling cannot pay for every release; from {needed} it can",
        )


def _privacy(document: JsonObject) -> Iterator[Fault]:
    privacy = document["privacy"]
    yield from _delta(privacy["delta"])
    providers = {feed["provider"] for feed in document["feeds"]}
    posting = {party["population"]: party["role"] for party in document["parties"] if party["role"] in providers}
    for name in sorted(set(posting) ^ set(privacy["ceilings"])):
        yield Fault("/privacy/ceilings", "ceilings_incomplete", f"one ceiling for each posting population: see {name}")
    for name, rho in privacy["ceilings"].items():
        pointer = f"/privacy/ceilings/{name}"
        faults = list(_budget(pointer, rho))
        yield from faults or _ceiling(pointer, name, rho, posting.get(name), document)


def _delta(text: str) -> Iterator[Fault]:
    if not 0 < Decimal(text) <= Decimal("0.001"):
        yield Fault("/privacy/delta", "delta_invalid", "delta lies above 0 and is at most 0.001")


def _ceiling(pointer: str, name: str, rho: str, role: str | None, document: JsonObject) -> Iterator[Fault]:
    feeds = [feed for feed in document["feeds"] if feed["provider"] == role]
    if any(list(_budget("", feed["rho"])) for feed in feeds):
        return
    needed = sum(budget_nano(feed["rho"]) for feed in feeds)
    if needed > budget_nano(rho):
        yield Fault(pointer, "ceiling_too_low", f"the population's feeds may cost {rho_text(needed)} together")
    approved = name in document["privacy"].get("approvals", {})
    if budget_nano(rho) > budget_nano(DEFAULT_CEILING_RHO) and not approved:
        yield Fault(
            pointer,
            "approval_missing",
            f"above {DEFAULT_CEILING_RHO} the contract names who approved it and why, in /privacy/approvals/{name}",
        )


def _grants(document: JsonObject, statistics: frozenset[str]) -> Iterator[Fault]:
    for name in repeated(grant["role"] for grant in document["grants"]):
        yield Fault("/grants", "grant_repeated", f"one grant a role; {name} has two")
    for i, grant in enumerate(document["grants"]):
        for j, name in enumerate(grant["statistics"]):
            if name not in statistics:
                known = ", ".join(sorted(statistics))
                yield Fault(f"/grants/{i}/statistics/{j}", "statistic_unknown", f"the statistics are {known}")


def _rules(document: JsonObject) -> Iterator[Fault]:
    payers = sum(party["role"] == Role.PAYER for party in document["parties"])
    if document["rules"]["min_payers"] > max(payers, 1):
        yield Fault("/rules/min_payers", "pool_never_opens", f"the contract has {payers} payers; no pool would open")
    if document["rules"]["payer_dimension"]:
        yield Fault("/rules/payer_dimension", "not_offered", "this exchange does not answer by payer; write false")
