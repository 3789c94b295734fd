"""Where a contract stands: every combination as a table, the edges of its dates, and random lives."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import product
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.canonical import digest_of
from contracts.decisions import readable
from contracts.lifecycle import (
    LEGAL,
    Status,
    Transition,
    agreed_to,
    find_binding,
    find_current,
    require_in_force,
    require_legal,
    signers_of,
    status_of,
    statuses_of,
    suspenders,
    waiting_for,
)
from contracts.parties import Caller, Role
from contracts.records import ContractEvent, ContractRecord, EventKind, History, PopulationEvent, Signature, Stage
from contracts.refusals import ContractNotFound, ContractNotInForce, TransitionIllegal
from contracts.terms import terms_of
from tests.unit.terms import DOCUMENT

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
A_DAY = timedelta(days=1)
EVERYBODY = ("ash", "birch", "cedar", "oak")
OVER = (Status.SUPERSEDED, Status.EXPIRED, Status.TERMINATED)


def version(
    number: int,
    effective: date = date(2026, 1, 1),
    expires: date = date(2026, 12, 31),
    *,
    parties: Sequence[str] = ("ash", "oak"),
    signed: Sequence[str] | None = None,
    stage: Stage = Stage.PROPOSED,
) -> ContractRecord:
    """signed: who has; by default all its parties."""
    named = [{"organisation": name, "role": "payer", "population": f"{name}-members"} for name in parties]
    dates = {"effective": effective.isoformat(), "expires": expires.isoformat()}
    document = DOCUMENT | dates | {"version": number, "parties": named}
    return ContractRecord(
        document["id"],
        number,
        stage,
        document,
        digest_of(document) if stage is Stage.PROPOSED else None,
        "oak",
        NOON,
        signatures=tuple(map(signature, parties if signed is None else signed)) if stage is Stage.PROPOSED else (),
    )


def signature(organisation: str) -> Signature:
    return Signature(organisation, "kid", {}, "jws", "Ann", "Officer", NOON)


def event(kind: EventKind, organisation: str | None, number: int = 1, sequence: int = 1, **more: Any) -> ContractEvent:
    return ContractEvent(DOCUMENT["id"], sequence, number, kind, organisation, "client", "why", more.get("at", NOON))


def population_event(kind: EventKind, organisation: str | None, population: str = "ash-members") -> PopulationEvent:
    return PopulationEvent(population, 1, kind, organisation, "client", "why", NOON)


# --- the table

TERMS = {"before": date(2026, 4, 1), "within": date(2026, 1, 1), "after": date(2025, 1, 1)}
NEWER = ("none", "draft", "unsigned", "signed for later", "binding")
SUSPENDED = ("no", "contract", "population")


def told(stage: Stage, all_signed: bool, when: str, suspended: str, terminated: bool, newer: str) -> Status:
    """What DESIGN says, first match."""
    if stage is Stage.DRAFT:
        return Status.DRAFT
    rules = [
        (newer == "binding", Status.SUPERSEDED),
        (newer in ("unsigned", "signed for later") and not all_signed, Status.SUPERSEDED),
        (when == "after", Status.EXPIRED),  # it had, when the contract was terminated
        (terminated, Status.TERMINATED),
        (not all_signed, Status.PROPOSED),
        (suspended != "no", Status.SUSPENDED),
        (when == "before", Status.SIGNED),
    ]
    return next((status for holds, status in rules if holds), Status.IN_FORCE)


@pytest.mark.parametrize("newer", NEWER)
@pytest.mark.parametrize("suspended", SUSPENDED)
def test_a_status_follows_from_what_was_written_signed_and_done(suspended: str, newer: str) -> None:
    for stage, all_signed, when, terminated in product(Stage, (True, False), TERMS, (True, False)):
        effective = TERMS[when]
        expires = effective + timedelta(days=100)
        record = version(1, effective, expires, signed=None if all_signed else ("oak",), stage=stage)
        if stage is Stage.DRAFT and newer != "none":
            continue  # nothing is drafted upon a draft
        following = {
            "none": [],
            "draft": [version(2, stage=Stage.DRAFT)],
            "unsigned": [version(2, signed=("oak",))],
            "signed for later": [version(2, date(2026, 5, 1))],
            "binding": [version(2)],
        }[newer]
        events = [event(EventKind.SUSPENDED, "ash")] if suspended == "contract" else []
        events += [event(EventKind.TERMINATED, None, sequence=2)] if terminated else []
        populations = [population_event(EventKind.SUSPENDED, None)] if suspended == "population" else []
        history = History((record, *following), tuple(events), tuple(populations))

        stands = status_of(history, record, NOON)

        assert stands is told(stage, all_signed, when, suspended, terminated, newer), (
            stage,
            all_signed,
            when,
            terminated,
        )


@pytest.mark.parametrize(("status", "transition"), [*product(Status, Transition)])
def test_what_is_illegal_says_what_is_legal(status: Status, transition: Transition) -> None:
    if transition in LEGAL[status]:
        require_legal(status, transition)
        return
    with pytest.raises(TransitionIllegal) as refused:
        require_legal(status, transition)

    assert refused.value.extra == {"contract_status": status.value, "legal_now": [step.value for step in LEGAL[status]]}
    assert all(step.value in refused.value.detail for step in LEGAL[status])


# --- dates


@pytest.mark.parametrize(
    ("now", "status"),
    [
        (datetime(2025, 12, 31, 23, 59, 59, 999999, UTC), Status.SIGNED),
        (datetime(2026, 1, 1, tzinfo=UTC), Status.IN_FORCE),
        (datetime(2026, 12, 31, 23, 59, 59, 999999, UTC), Status.IN_FORCE),
        (datetime(2027, 1, 1, tzinfo=UTC), Status.EXPIRED),
        # The day is that of UTC, wherever the clock hangs.
        (datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))), Status.SIGNED),
        (datetime(2025, 12, 31, 23, 30, tzinfo=timezone(-timedelta(hours=1))), Status.IN_FORCE),
        (datetime(2027, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))), Status.IN_FORCE),
        (datetime(2026, 12, 31, 23, 30, tzinfo=timezone(-timedelta(hours=1))), Status.EXPIRED),
    ],
    ids=str,
)
def test_a_contract_binds_from_its_first_instant_to_its_last_in_utc(now: datetime, status: Status) -> None:
    record = version(1)
    history = History((record,))

    assert status_of(history, record, now) is status
    if status is Status.IN_FORCE:
        assert require_in_force(history, record, now) == terms_of(record)
        return
    with pytest.raises(ContractNotInForce) as refused:
        require_in_force(history, record, now)
    assert refused.value.extra == {"contract_status": status.value}


def test_a_version_takes_over_in_the_first_instant_of_its_effective_date() -> None:
    first, second = version(1), version(2, date(2026, 7, 1))
    history = History((first, second))

    before = statuses_of(history, datetime(2026, 6, 30, 23, 59, 59, 999999, UTC))
    after = statuses_of(history, datetime(2026, 7, 1, tzinfo=UTC))

    assert before == {1: Status.IN_FORCE, 2: Status.SIGNED}
    assert after == {1: Status.SUPERSEDED, 2: Status.IN_FORCE}


def test_what_took_over_expires_without_bringing_back_what_was_before() -> None:
    first, second = version(1), version(2, date(2026, 2, 1), date(2026, 2, 20))
    assert statuses_of(History((first, second)), NOON) == {1: Status.SUPERSEDED, 2: Status.EXPIRED}


def test_a_terminated_contract_is_not_superseded_by_what_would_have_come() -> None:
    first, second = version(1), version(2, date(2026, 7, 1))
    history = History((first, second), (event(EventKind.TERMINATED, None),))

    for now in (NOON, datetime(2026, 7, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)):
        assert statuses_of(history, now) == {1: Status.TERMINATED, 2: Status.TERMINATED}
        assert find_current(history, now) == first


# --- who signs


@pytest.mark.parametrize(
    ("third_effective", "also"),
    [
        # The second, of which ash is out, comes first: ash has agreed to that.
        (date(2026, 9, 1), ("cedar",)),
        (date(2026, 7, 1), ("cedar",)),
        # It would be out sooner than it agreed to.
        (date(2026, 6, 30), ("cedar", "ash")),
    ],
)
def test_nobody_is_left_out_sooner_than_it_agreed_to(third_effective: date, also: tuple[str, ...]) -> None:
    first = version(1, parties=("ash", "oak"))
    second = version(2, date(2026, 7, 1), parties=("cedar", "oak"), signed=("cedar", "oak", "ash"))
    third = version(3, third_effective, parties=("birch", "oak"), signed=())
    history = History((first, second, third))

    assert signers_of(history, second) == ("cedar", "oak", "ash")
    assert waiting_for(history, second) == ()
    assert signers_of(history, third) == ("birch", "oak", *also)


def test_a_proposal_that_not_all_signed_binds_nobody_to_sign_the_next() -> None:
    history = History((version(1), version(2, parties=("birch", "oak"), signed=("oak",)), version(3, signed=())))
    assert signers_of(history, history.versions[2]) == ("ash", "oak")


def test_a_signed_version_acts_for_the_contract_while_another_is_proposed() -> None:
    """Or nobody could suspend what all have signed, until its date comes."""
    history = History((version(1, date(2026, 6, 1)), version(2, signed=("oak",))))
    assert find_current(history, NOON) == history.versions[0]


# --- suspension


def test_a_new_version_does_not_lift_a_suspension() -> None:
    history = History((version(1), version(2)), (event(EventKind.SUSPENDED, "ash"),))
    assert statuses_of(history, NOON) == {1: Status.SUPERSEDED, 2: Status.SUSPENDED}


def test_an_agreement_counts_for_the_version_it_was_given_under_and_since_the_last_suspension() -> None:
    resume = EventKind.RESUME_AGREED

    def agreed(*events: ContractEvent) -> tuple[str, ...]:
        return agreed_to(History((version(1),), events), 1, resume)

    assert agreed(event(resume, "ash"), event(resume, "oak")) == ("ash", "oak")
    assert agreed(event(resume, "ash"), event(EventKind.SUSPENDED, "oak"), event(resume, "oak")) == ("oak",)
    assert agreed(event(resume, "ash"), event(EventKind.RESUMED, None)) == ()
    assert agreed(event(resume, "ash"), event(resume, "oak", number=2)) == ("ash",)
    assert agreed(event(EventKind.TERMINATION_AGREED, "ash")) == ()


def test_each_lifts_its_own_suspension_of_a_population() -> None:
    suspended, resumed = EventKind.SUSPENDED, EventKind.RESUMED
    both = [population_event(suspended, "ash"), population_event(suspended, None)]

    assert suspenders(both) == {"ash", None}
    assert suspenders([*both, population_event(resumed, None)]) == {"ash"}
    assert suspenders([*both, population_event(resumed, None), population_event(resumed, "ash")]) == frozenset()


def test_a_population_suspends_the_contracts_that_draw_on_it_only() -> None:
    held = (population_event(EventKind.SUSPENDED, None, "birch-members"),)
    without, drawing = version(1), version(1, parties=("birch", "oak"))

    assert status_of(History((without,), (), held), without, NOON) is Status.IN_FORCE
    assert status_of(History((drawing,), (), held), drawing, NOON) is Status.SUSPENDED


# --- random lives


class Lives(RuleBasedStateMachine):
    """What is done is done as the use cases do it: when it is legal, and never otherwise."""

    @initialize(parties=st.sets(st.sampled_from(EVERYBODY), min_size=2))
    def begin(self, parties: set[str]) -> None:
        self.now = NOON
        self.history = History((self._document(1, 0, 60, parties),))
        self.over: dict[int, Status] = {}
        self.bound: ContractRecord | None = None
        self.held = False
        self.propose()
        self.sign(EVERYBODY)

    def _document(self, number: int, starts: int, days: int, parties: set[str]) -> ContractRecord:
        effective = self.now.date() + timedelta(days=starts)
        return version(number, effective, effective + timedelta(days=days), parties=sorted(parties), stage=Stage.DRAFT)

    def _current(self) -> ContractRecord | None:
        return find_current(self.history, self.now)

    def _legal(self, transition: Transition) -> bool:
        current = self._current()
        return current is not None and transition in LEGAL[status_of(self.history, current, self.now)]

    def _put(self, record: ContractRecord) -> None:
        kept = [each for each in self.history.versions if each.version != record.version]
        self.history = replace(self.history, versions=tuple(sorted([*kept, record], key=lambda each: each.version)))

    def _happen(self, kind: EventKind, organisation: str | None) -> None:
        current = self._current()
        assert current is not None
        done = event(kind, organisation, current.version, len(self.history.events) + 1, at=self.now)
        self.history = replace(self.history, events=(*self.history.events, done))

    @precondition(lambda self: self.history.versions[-1].stage is Stage.DRAFT)
    @rule()
    def propose(self) -> None:
        if len(self.history.versions) > 1 and not self._legal(Transition.AMEND):
            return
        draft = self.history.versions[-1]
        self._put(replace(draft, stage=Stage.PROPOSED, digest=digest_of(draft.document)))

    @rule(those=st.sampled_from([(name,) for name in EVERYBODY] + [EVERYBODY] * 4))
    def sign(self, those: tuple[str, ...]) -> None:
        proposed = [record for record in self.history.versions if record.stage is Stage.PROPOSED]
        if not proposed or status_of(self.history, proposed[-1], self.now) is not Status.PROPOSED:
            return
        added = [signature(who) for who in those if who in waiting_for(self.history, proposed[-1])]
        self._put(replace(proposed[-1], signatures=(*proposed[-1].signatures, *added)))

    @rule(
        starts=st.integers(-5, 20),
        days=st.integers(1, 60),
        parties=st.sets(st.sampled_from(EVERYBODY), min_size=2),
        at_once=st.booleans(),
    )
    def amend(self, starts: int, days: int, parties: set[str], at_once: bool) -> None:
        newest = self.history.versions[-1]
        if newest.stage is Stage.PROPOSED and self._legal(Transition.AMEND):
            self._put(self._document(newest.version + 1, starts, days, parties))
            if at_once:
                self.propose()
                self.sign(EVERYBODY)

    @precondition(lambda self: self.history.versions[-1].stage is Stage.DRAFT and len(self.history.versions) > 1)
    @rule()
    def discard(self) -> None:
        self.history = replace(self.history, versions=self.history.versions[:-1])

    @rule(who=st.sampled_from((*EVERYBODY, None)))
    def suspend(self, who: str | None) -> None:
        if self._legal(Transition.SUSPEND) and self._may(who):
            self._happen(EventKind.SUSPENDED, who)
            self.held = True

    @rule(
        who=st.sampled_from((*EVERYBODY, *[None] * 2)), kind=st.sampled_from((Transition.RESUME, Transition.TERMINATE))
    )
    def agree(self, who: str | None, kind: Transition) -> None:
        resuming = kind is Transition.RESUME
        if not self._legal(kind) or not self._may(who) or (resuming and not self.held):
            return
        agreed = EventKind.RESUME_AGREED if resuming else EventKind.TERMINATION_AGREED
        done = EventKind.RESUMED if resuming else EventKind.TERMINATED
        current = self._current()
        assert current is not None
        if who is None:
            self._happen(done, None)
            self.held &= not resuming
        elif who not in agreed_to(self.history, current.version, agreed):
            self._happen(agreed, who)
            if {*self._parties(current)} == {*agreed_to(self.history, current.version, agreed)}:
                self._happen(done, who)
                self.held &= not resuming

    @rule(days=st.integers(1, 12))
    def wait(self, days: int) -> None:
        self.now += days * A_DAY

    def _parties(self, record: ContractRecord) -> list[str]:
        return [party["organisation"] for party in record.document["parties"]]

    def _signed(self, record: ContractRecord) -> set[str]:
        return {signature.organisation for signature in record.signatures}

    def _may(self, who: str | None) -> bool:
        current = self._current()
        return current is not None and (who is None or who in self._parties(current))

    @invariant()
    def at_most_one_version_is_in_force(self) -> None:
        standing = list(statuses_of(self.history, self.now).values())
        assert standing.count(Status.IN_FORCE) <= 1
        assert sum(status in (Status.IN_FORCE, Status.SUSPENDED) for status in standing) <= 1 or self.held

    @invariant()
    def what_is_over_never_comes_back(self) -> None:
        standing = statuses_of(self.history, self.now)
        for number, was in self.over.items():
            # What expired may be followed; nothing else changes.
            assert standing[number] is was or (was, standing[number]) == (Status.EXPIRED, Status.SUPERSEDED)
        self.over |= {number: status for number, status in standing.items() if status in OVER}

    @invariant()
    def nothing_binds_without_all_whom_it_concerns(self) -> None:
        """Its parties, and those who were bound in the moment before."""
        binding = find_binding(self.history, self.now)
        if binding is None or (self.bound is not None and self.bound.version == binding.version):
            return
        assert self._signed(binding) >= {*self._parties(binding)}
        if self.bound is not None:
            assert binding.version > self.bound.version
            # Each has signed this one, or one that left it out from no later day on.
            by = [
                each
                for each in self.history.versions
                if self.bound.version < each.version <= binding.version
                and each.stage is Stage.PROPOSED
                and each.document["effective"] <= binding.document["effective"]
                and self._signed(each) >= {*self._parties(each)}
            ]
            for who in self._parties(self.bound):
                assert any(who in self._signed(each) for each in by)
        self.bound = binding

    @invariant()
    def what_is_suspended_rests_until_all_agreed_or_the_operator(self) -> None:
        if self.held:
            assert Status.IN_FORCE not in statuses_of(self.history, self.now).values()

    @invariant()
    def one_version_is_the_same_as_all(self) -> None:
        for record in self.history.versions:
            assert status_of(self.history, record, self.now) is statuses_of(self.history, self.now)[record.version]

    @invariant()
    def nobody_reads_a_version_that_it_need_not_sign(self) -> None:
        for who in EVERYBODY:
            caller = Caller("client", who, Role.PAYER, frozenset())
            for record in self.history.versions:
                draft = record.stage is Stage.DRAFT
                mine = who == record.drafted_by if draft else who in signers_of(self.history, record)
                try:
                    assert readable(self.history, caller, self.now, record.version).record == record
                    assert mine
                except ContractNotFound:
                    assert not mine


TestLives = Lives.TestCase
TestLives.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # to shrink a whole life takes minutes
)
