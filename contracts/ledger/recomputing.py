"""Works every loss of a ledger out anew, from the recorded events and the signed contracts alone.

It shares with the ledger only the formulas of `privacy`: whatever else the ledger decided (which measurement was a
period's first, what it added, what was left of which ceiling) is decided here a second time, in other words.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from contracts.ledger.entries import RELATION, Entry, EntryKind, FeedAccount, account_of
from contracts.parties import JsonObject
from contracts.periods import NotAPeriod, Period
from contracts.terms import FeedTerms, Terms, write_draws
from privacy.loss import feed_loss_nano
from privacy.mechanism import NAME as MECHANISM
from privacy.mechanism import charge_nano
from privacy.sensitivity import root_up

ContractKey = tuple[str, int]
# What it is, what is recorded, and what should be.
Expected = tuple[str, object, object]
# What a correction says of the entry that it restores, by the kind of that.
RESTORED: Final = {
    "grant": ("entry_id", "kind", "recorded_at", "grant_nano"),
    "debit": (
        "entry_id", "kind", "recorded_at", "charge_nano", "k", "first", "contract_id", "contract_version", "feed",
        "generation", "period", "restatement", "submission_id", "attempt",
    ),
}  # fmt: skip
# What working with an altered row or document can raise.
NONSENSE: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Difference:
    """What is recorded, and what it should be. population, sequence: of the entry; None where it concerns no one."""

    population: str | None
    sequence: int | None
    what: str
    recorded: str
    expected: str


def unreadable(what: str) -> Difference:
    return Difference(None, None, what, "something that cannot be read", "readable")


def guarded(what: str, found: Iterable[Difference]) -> Iterator[Difference]:
    """What a check finds; that it breaks off at what makes no sense is a finding too, and hides no other check's."""
    try:
        yield from found
    except NONSENSE:
        yield unreadable(what)


@dataclass(frozen=True, slots=True)
class Recomputed:
    """loss_nano: the population's, in nano-rho, from the events alone."""

    loss_nano: int
    differences: tuple[Difference, ...]


@dataclass(slots=True)
class _Feed:
    """What was measured so far in one generation of a feed. Charges in nano-rho."""

    first: dict[str | None, int] = field(default_factory=dict)
    further: list[int] = field(default_factory=list)
    resumed: list[int] = field(default_factory=list)

    def loss_nano(self, k: int) -> int:
        return feed_loss_nano([*self.first.values()], [*self.further, *self.resumed], k)

    def planned_nano(self, k: int) -> int:
        return feed_loss_nano([*self.first.values()], self.further, k)

    def add(self, entry: Entry, charge: int, *, may_be_first: bool = True) -> bool:
        """Whether it was the first measurement of its period."""
        if may_be_first and entry.attempt == 1 and not entry.restatement and entry.period not in self.first:
            self.first[entry.period] = charge
            return True
        (self.further if entry.attempt == 1 else self.resumed).append(charge)
        return False


def recompute(population: str, entries: Sequence[Entry], contracts: Mapping[ContractKey, Terms]) -> Recomputed:
    """contracts: by id and version, every one that the population was measured under."""
    walk = _Walk(population, contracts)
    differences = [difference for entry in entries for difference in walk.check(entry)]
    return Recomputed(walk.spent, tuple(differences))


class _Walk:
    """Goes through the entries in sequence, with running totals of its own."""

    def __init__(self, population: str, contracts: Mapping[ContractKey, Terms]) -> None:
        self._population = population
        self._contracts = contracts
        self._sequence = 0
        self._granted = 0
        self.spent = 0
        self._spent_under: Counter[str | None] = Counter()
        self._feeds: dict[FeedAccount, _Feed] = defaultdict(_Feed)
        self._attempts: Counter[str | None] = Counter()
        self._by_kind = {
            EntryKind.GRANT: self._grant,
            EntryKind.DEBIT: self._debit,
            EntryKind.CORRECTION: self._correction,
        }

    def check(self, entry: Entry) -> Iterator[Difference]:
        wanted: list[Expected] = [
            ("sequence", entry.sequence, self._sequence + 1),
            ("population", entry.population, self._population),
        ]
        self._sequence = entry.sequence
        try:
            wanted += self._by_kind[entry.kind](entry)
        except NONSENSE:
            wanted.append(("event", "something that cannot be read", f"the event of a {entry.kind}"))
        wanted += [
            ("granted_nano", entry.granted_nano, self._granted),
            ("spent_nano", entry.spent_nano, self.spent),
        ]
        if entry.kind is EntryKind.DEBIT:
            wanted += _at_most("recomputed loss", self.spent, self._granted)
        for what, recorded, expected in wanted:
            # True is 1, and 2.0 is 2, but no entry of ours says so.
            if type(recorded) is not type(expected) or recorded != expected:
                yield Difference(self._population, entry.sequence, what, str(recorded), str(expected))

    def _grant(self, entry: Entry) -> Iterator[Expected]:
        granted, reason = entry.event["granted_nano"], entry.event.get("reason")
        if type(granted) is not int:
            raise TypeError
        self._granted += granted
        if granted < 0:
            yield "event.granted_nano", granted, "0 or more"
        if not isinstance(reason, str):
            yield "event.reason", "none", "the reason of the grant"
        yield from _nothing_else("event", entry.event, ("granted_nano", "reason"))
        for name in ("charge_nano", "increment_nano"):
            yield name, getattr(entry, name), 0
        for name in (
            "contract_id",
            "contract_version",
            "feed",
            "period",
            "generation",
            "restatement",
            "submission_id",
            "attempt",
        ):
            yield name, getattr(entry, name), None

    def _correction(self, entry: Entry) -> Iterator[Expected]:
        """What it restores is the witness's word; what that adds up to is reckoned here."""
        event, lost = entry.event, entry.event["restores"] or {}
        if entry.event["restores"] is not None:
            yield from self._restorable(lost)
        yield from _nothing_else("event", event, ("reason", "restores", *(("k", "first") if entry.is_charge else ())))
        if not isinstance(event.get("reason"), str):
            yield "event.reason", "none", "the reason of the correction"
        increment, first = self._restored(entry, lost) if entry.is_charge else (0, None)
        if lost.get("grant_nano", 0) < 0:
            yield "event.restores.grant_nano", lost["grant_nano"], "0 or more"
        self._granted += lost.get("grant_nano", 0)
        yield "charge_nano", entry.charge_nano, lost.get("charge_nano", 0)
        yield "increment_nano", entry.increment_nano, increment
        yield "event.first", event.get("first"), first
        yield "event.k", event.get("k"), lost.get("k")
        for name in ("contract_id", "contract_version", "submission_id"):
            yield name, getattr(entry, name), None
        for name in ("feed", "period", "generation", "restatement", "attempt"):
            yield name, getattr(entry, name), lost.get(name)

    def _restorable(self, lost: JsonObject) -> Iterator[Expected]:
        """It says all of a debit or a grant, and a debit was charged what its contract planned, if that is at hand."""
        members = RESTORED.get(lost.get("kind", ""))
        if members is None:
            yield "event.restores.kind", str(lost.get("kind")), "debit or grant"
            return
        linked = ("linked_by",) if lost.get("kind") == EntryKind.DEBIT else ()
        yield from _nothing_else("event.restores", lost, (*members, *linked))
        for name in (name for name in members if name not in lost):
            yield f"event.restores.{name}", "nothing", "something"
        for name in (name for name in ("charge_nano", "grant_nano") if name in members and name in lost):
            yield f"event.restores.{name}: kind of value", type(lost[name]).__name__, "int"
        if members == RESTORED["debit"] and lost.get("charge_nano", 0) < 1:
            yield "event.restores.charge_nano", lost.get("charge_nano"), "1 or more"
        terms = self._contracts.get((lost.get("contract_id", ""), lost.get("contract_version", 0)))
        feed = terms.find_feed(lost.get("feed", "")) if terms else None
        # Another contract may bear the name by now, if the database lost that of the debit too.
        if terms is not None and feed is not None and feed.generation == lost.get("generation"):
            linked_by = lost.get("linked_by")
            planned = sum(draw["charge_nano"] for draw in _planned(feed, linked_by))
            yield "event.restores.charge_nano", lost.get("charge_nano"), planned
            yield from self._whose(terms, feed, linked_by)

    def _restored(self, entry: Entry, lost: JsonObject) -> tuple[int, bool]:
        """By how much the loss rose, and whether the period was measured for the first time."""
        account, charge, k = self._feeds[account_of(entry)], int(lost["charge_nano"]), lost["k"] or 1
        before = account.loss_nano(k)
        # It was never more than what it was when it was made, and debits of before k was recorded count in full.
        first = account.add(entry, charge, may_be_first=bool(lost["first"] and lost["k"]))
        increment = account.loss_nano(k) - before
        self.spent += increment
        self._spent_under[entry.contract[0]] += increment
        return increment, first

    def _debit(self, entry: Entry) -> Iterator[Expected]:
        event = entry.event
        charges = [charge_nano(float(draw["sigma"]), root_up(draw["l2_squared"])) for draw in event["draws"]]
        charge = sum(charges)
        terms = self._contracts.get((entry.contract_id or "", entry.contract_version or 0))
        feed = terms.find_feed(entry.feed or "") if terms else None
        k = feed.k if feed else int(event["k"])
        account = self._feeds[account_of(entry)]
        before = account.loss_nano(k)
        first = account.add(entry, charge)
        increment = account.loss_nano(k) - before
        self.spent += increment
        self._spent_under[entry.contract_id] += increment
        self._attempts[entry.submission_id] += 1
        for index, (draw, expected) in enumerate(zip(event["draws"], charges, strict=True)):
            yield f"event.draws[{index}].charge_nano", draw["charge_nano"], expected
        yield "charge_nano", entry.charge_nano, charge
        yield "increment_nano", entry.increment_nano, increment
        yield "attempt", entry.attempt, self._attempts[entry.submission_id]
        yield from _event(entry, k=k, first=first, charge_nano=charge, increment_nano=increment)
        if terms is None or feed is None:
            yield "contract", _named(entry), "a contract and feed that were signed"
            return
        yield from _against(entry, feed)
        yield from self._ceilings(terms, feed, entry, account.planned_nano(k))
        yield from self._whose(terms, feed, entry.linked_by)
        yield from _dates(entry, terms, feed)

    def _ceilings(self, terms: Terms, feed: FeedTerms, entry: Entry, planned_nano: int) -> Iterator[Expected]:
        ceiling = terms.privacy.ceilings_nano.get(self._population, 0)
        yield from _at_most("spent under the contract", self._spent_under[entry.contract_id], ceiling)
        if entry.attempt == 1:
            planned = sum(draw["charge_nano"] for draw in _planned(feed, entry.linked_by))
            most = feed.rho_nano if entry.linked_by is None else planned * feed.releases_paid
            yield from _at_most("planned releases of the feed", planned_nano, most)

    def _whose(self, terms: Terms, feed: FeedTerms, linked_by: object) -> Iterator[Expected]:
        """The account is that of a provider, or of the brand whose records a provider has linked."""
        providers = {party.organisation: party.population for party in terms.parties if party.role is feed.provider}
        if linked_by is None:
            if self._population not in providers.values():
                yield "population", self._population, f"one that posts {feed.name}"
            return
        brand = terms.find_party(feed.linked.organisation) if feed.linked else None
        if brand is None or brand.population != self._population:
            yield "population", self._population, f"one that {feed.name} is linked to"
        if linked_by not in providers:
            yield "event.linked_by", str(linked_by), f"one that posts {feed.name}"


def _event(entry: Entry, **expected: object) -> Iterator[Expected]:
    """What the event says beside the columns. Older ones say less."""
    event = entry.event
    yield "event.mechanism", event["mechanism"], MECHANISM
    yield "event.relation", event["relation"], RELATION
    recorded_since = {**expected, "generation": entry.generation} if entry.generation or "generation" in event else {}
    for name, value in recorded_since.items():
        yield f"event.{name}", event.get(name), value
    members = ("mechanism", "relation", "measured", "generation", "draws", "linked_by", *expected)
    yield from _nothing_else("event", event, members)
    yield "event.linked_by", event.get("linked_by"), entry.linked_by
    of_draw = ("measure", "margin", "sigma", "l2_squared", "charge_nano")
    for index, draw in enumerate(event["draws"]):
        yield from _nothing_else(f"event.draws[{index}]", draw, of_draw)


def _nothing_else(what: str, found: JsonObject, members: Iterable[str]) -> Iterator[Expected]:
    for name in sorted(found.keys() - {*members}):
        yield f"{what}.{name}", "something", "nothing"


def _against(entry: Entry, feed: FeedTerms) -> Iterator[Expected]:
    """The frozen plan, and the bounds and schema that it rests on."""
    planned = _planned(feed, entry.linked_by)
    bounds, cells = feed.bounds, 1 if entry.linked_by is None else 2
    for index, draw in enumerate(entry.event["draws"]):
        expected: JsonObject = planned[index] if index < len(planned) else {}
        for name in ("measure", "margin", "sigma", "l2_squared"):
            yield f"event.draws[{index}].{name}", draw[name], expected.get(name, "nothing: the plan ends before")
        yield f"event.draws[{index}].l2_squared", draw["l2_squared"], cells * bounds[draw["measure"]] ** 2
    yield "number of draws", len(entry.event["draws"]), len(planned)
    if entry.generation is not None:
        yield "generation", entry.generation, feed.generation
        yield "event.measured", entry.event.get("measured"), feed.measured.value


def _planned(feed: FeedTerms, linked_by: object) -> list[JsonObject]:
    """The draws of the frozen plan; in a brand's account, those that hold its flag, at what they cost whoever is moved
    from one cell to another: twice the squared sensitivity. None where the feed has no such flag."""
    draws = write_draws(feed.get_plan())
    if linked_by is None:
        return draws
    flagged = [draw for draw in draws if feed.linked is not None and feed.linked.dimension in draw["margin"]]
    return [_moved(draw, 2 * draw["l2_squared"]) for draw in flagged]


def _moved(draw: JsonObject, l2_squared: int) -> JsonObject:
    return draw | {"l2_squared": l2_squared, "charge_nano": charge_nano(float(draw["sigma"]), root_up(l2_squared))}


def _dates(entry: Entry, terms: Terms, feed: FeedTerms) -> Iterator[Expected]:
    """Nothing is measured outside the contract's time, before it is due, or more often than planned."""
    day, restatement = entry.recorded_at.date(), entry.restatement or 0
    yield from _at_most("restatement", restatement, feed.restatements)
    if not terms.effective <= day <= terms.expires:
        yield "recorded_at", day, f"from {terms.effective} to {terms.expires}"
    try:
        period = Period.parse(entry.period or "", feed.grain)
    except NotAPeriod:
        period = None
    if period is None or period not in feed.periods:
        yield "period", entry.period, f"from {feed.periods.first} to {feed.periods.last}"
    elif restatement <= feed.restatements and day < feed.earliest(period, restatement):
        yield "recorded_at", day, f"from {feed.earliest(period, restatement)}"


def _at_most(what: str, value: int, ceiling: int) -> Iterator[Expected]:
    if value > ceiling:
        yield what, value, f"at most {ceiling}"


def _named(entry: Entry) -> str:
    return f"{entry.feed} of {entry.contract_id} version {entry.contract_version}"
