"""Linked feeds, through the whole exchange: each release is paid for by the payer's population and by the brand's.

Both debits stand, or neither; the brand's account follows from the contract and the payers' postings alone; and the
payer is told nothing of it that the contract does not say.
"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from adapters.cells.rows import from_rows
from adapters.database.tables import ledger_entries
from adapters.witness import FileWitness
from api.schemas.contracts import ContractDocumentSchema
from contracts.agreeing import with_plans
from contracts.canonical import digest_of
from contracts.evidence.guarantee import all_posted_nano
from contracts.evidence.mechanism import mechanism, mechanism_section
from contracts.ledger.entries import Entry
from contracts.ledger.reading import read_entries
from contracts.ledger.recomputing import recompute
from contracts.ledger.reconciling import Reconciling
from contracts.ledger.verifying import verify_ledgers
from contracts.parties import JsonObject, Role
from contracts.refusals import WitnessUnavailable
from contracts.rendering.contract import contract_page
from contracts.submissions.measuring import draw_at_source, get_due_period
from contracts.terms import read_feed, read_terms
from privacy.mechanism import DiscreteGaussian
from privacy.units import rho_text
from tests.support.backups import back_up
from tests.support.linked_contract import FLAG, linked_contract, linked_feed, linked_fills, linked_to
from tests.support.small_exchange import BRAND, CONTRACT, PAYERS, FailingNoise, SmallExchange

OURS, THEIRS = "blueridge-members", f"{BRAND}-members"


@pytest.fixture
def linked(migrated_sqlite_url: str) -> SmallExchange:
    small = SmallExchange(migrated_sqlite_url)
    small.agree(linked_contract())
    return small


def debits(small: SmallExchange, population: str) -> list[Entry]:
    with small.wiring.database.reading() as stores:
        return [entry for entry in stores.ledger.entries(population) if entry.is_charge]


def post(small: SmallExchange, name: str, *months: str) -> list[JsonObject]:
    answers = [small.submit(name, linked_fills(month)) for month in months]
    assert {answered.status_code for answered in answers} == {201}, [answered.get_json() for answered in answers]
    return [answered.get_json() for answered in answers]


def document_of(small: SmallExchange, name: str = BRAND) -> JsonObject:
    return dict(small.get(name, f"/v1/contracts/{CONTRACT}").get_json()["document"])


def charge_of_moves(small: SmallExchange) -> int:
    """By the formula, from the signed plan: in every margin with the flag a person of the brand changes two entries."""
    draws = document_of(small)["feeds"][0]["plan"]["draws"]
    bounds = {"members": 1, "days_covered": 31, "treatment_days": 31}
    flagged = [draw for draw in draws if FLAG in draw["margin"]]
    assert 0 < len(flagged) < len(draws)
    return sum(ceil(10**9 * 2 * bounds[draw["measure"]] ** 2 / (2 * float(draw["sigma"]) ** 2)) for draw in flagged)


def no_differences(small: SmallExchange) -> bool:
    return verify_ledgers(small.wiring.database).differences == ()


def test_a_release_is_paid_for_by_the_payers_population_and_by_the_brands(linked: SmallExchange) -> None:
    (receipt,) = post(linked, "blueridge", "2025-01")

    (own,), (other,) = debits(linked, OURS), debits(linked, THEIRS)
    assert own.charge_nano == own.increment_nano == document_of(linked)["feeds"][0]["plan"]["charge_nano"]
    assert abs(other.charge_nano - charge_of_moves(linked)) <= 1
    assert other.increment_nano == other.charge_nano
    assert (own.linked_by, other.linked_by) == (None, "blueridge")
    assert (own.submission_id, own.attempt, own.feed) == (other.submission_id, other.attempt, other.feed)
    assert receipt["charged"]["rho_nano"] == own.charge_nano
    assert receipt["linked"]["population"] == THEIRS
    assert receipt["linked"]["charged"]["rho_nano"] == other.charge_nano
    assert no_differences(linked)


def test_a_person_of_the_brand_can_be_with_every_payer_and_in_k_periods_of_each(migrated_sqlite_url: str) -> None:
    small = SmallExchange(migrated_sqlite_url)
    small.agree(linked_contract(feeds=[linked_feed(k=1)]))
    for name in PAYERS:
        post(small, name, "2025-01", "2025-02")

    assert len(debits(small, OURS)) == 2
    assert sum(entry.increment_nano for entry in debits(small, OURS)) == debits(small, OURS)[0].charge_nano
    assert len(debits(small, THEIRS)) == 6
    assert sum(entry.increment_nano for entry in debits(small, THEIRS)) == 3 * debits(small, THEIRS)[0].charge_nano
    assert no_differences(small)


def test_the_brand_reads_in_its_statement_what_each_payer_cost_it_and_can_reckon_it_up_itself(
    linked: SmallExchange,
) -> None:
    post(linked, "blueridge", "2025-01", "2025-02")
    post(linked, "sierra", "2025-01")

    statement = linked.ledger(BRAND)
    assert [(part["linked_by"], part["first_measurements"]) for part in statement["derivation"]] == [
        ("blueridge", 2),
        ("sierra", 1),
    ]
    assert "fills (linked to your records by sierra): rho" in statement["derivation"][1]["explanation"]
    lifetime = statement["lifetime"]["rho_nano"]
    assert sum(part["loss"]["rho_nano"] for part in statement["derivation"]) == lifetime == 3 * charge_of_moves(linked)
    terms = {(CONTRACT, 1): read_terms(document_of(linked))}
    recomputed = recompute(THEIRS, read_entries(statement), terms)
    assert (recomputed.loss_nano, recomputed.differences) == (lifetime, ())


def test_answers_from_a_linked_feed_say_so_and_those_from_others_do_not(linked: SmallExchange) -> None:
    for name in PAYERS:
        post(linked, name, "2025-01")
    support = {"feed": "support", "period": "2025-01", "rows": []}
    assert linked.submit(BRAND, linked_fills() | support).status_code == 201

    answered = linked.ask(BRAND, "counts", feed="fills", by=FLAG, periods="2025-01").get_json()
    assert "linked" in answered["labels"]
    assert {row["key"][FLAG] for row in answered["rows"]} == {"enrolled", "not_enrolled"}
    assert "linked" not in linked.ask(BRAND, "counts", feed="support", periods="2025-01").get_json()["labels"]


def test_the_brands_ceiling_pays_for_its_own_feeds_and_for_the_linked_one_with_every_payer(
    migrated_sqlite_url: str,
) -> None:
    small = SmallExchange(migrated_sqlite_url)

    def previewed(ceiling_nano: int) -> JsonObject:
        document = linked_contract()
        document["privacy"]["ceilings"][THEIRS] = rho_text(ceiling_nano)
        return dict(small.post(BRAND, "/v1/contract-previews", {"document": document}).get_json())

    of_feed = previewed(100_000_000)["feeds"][0]["linked"]
    needed = 20_000_000 + len(PAYERS) * 12 * of_feed["one_release"]["rho_nano"]
    assert "feeds" in previewed(needed)
    (error,) = previewed(needed - 1)["errors"]
    assert (error["pointer"], error["code"]) == (f"/document/privacy/ceilings/{THEIRS}", "ceiling_too_low")
    assert f"write at least {rho_text(needed)}," in str(error)


@pytest.fixture
def without_room(migrated_sqlite_url: str) -> SmallExchange:
    """The brand's population may lose less than one release costs it."""
    small = SmallExchange(migrated_sqlite_url)
    small.register("tiny", Role.BRAND, rho="0.0001")
    small.agree(linked_to("tiny"))
    return small


def test_where_the_brand_has_no_room_nothing_is_debited_and_the_payer_learns_only_that(
    without_room: SmallExchange,
) -> None:
    before, body = without_room.traces(), linked_fills()
    refused = without_room.submit("blueridge", body)

    problem = refused.get_json()
    assert (refused.status_code, problem["type"]) == (409, "urn:parley:problem:linked-budget-exhausted")
    assert without_room.traces() == before
    assert debits(without_room, "tiny-members") == []
    assert not any("balance" in name or "ceiling" in name for name in problem)
    # Whatever is left there, and whichever ceiling forbids it, the problem is the same.
    without_room.wiring.registering.grant("tiny-members", "0.0001", "a little more")
    again = without_room.submit("blueridge", body).get_json()
    assert {**again, "instance": ""} == {**problem, "instance": ""}

    without_room.wiring.registering.grant("tiny-members", "0.05", "enough")
    assert without_room.submit("blueridge", body).status_code == 201
    assert len(debits(without_room, OURS)) == len(debits(without_room, "tiny-members")) == 1
    assert no_differences(without_room)


def test_the_brands_own_room_does_not_stand_in_for_the_payers(migrated_sqlite_url: str) -> None:
    small = SmallExchange(migrated_sqlite_url)
    small.register("poor", Role.PAYER, rho="0.0001")
    document = linked_contract(feeds=[linked_feed()])
    document["parties"][0] = {"organisation": "poor", "role": "payer", "population": "poor-members"}
    document["privacy"]["ceilings"]["poor-members"] = document["privacy"]["ceilings"].pop(OURS)
    small.agree(document)

    problem = small.submit("poor", linked_fills()).get_json()
    assert (problem["type"], problem["ceiling"]) == ("urn:parley:problem:budget-exhausted", "population")
    assert debits(small, THEIRS) == debits(small, "poor-members") == []


def test_a_resume_pays_a_second_time_in_both_accounts_and_a_replay_in_neither(migrated_sqlite_url: str) -> None:
    noise = FailingNoise(DiscreteGaussian())
    small = SmallExchange(migrated_sqlite_url, noise=noise)
    small.agree(linked_contract())
    body = linked_fills()
    assert small.submit("blueridge", body).status_code == 503
    noise.failing = False
    small.clock.go_on(minutes=10)
    receipt = small.submit("blueridge", body)
    assert receipt.status_code == 201

    for population in (OURS, THEIRS):
        found = debits(small, population)
        assert [(entry.attempt, entry.is_first) for entry in found] == [(1, True), (2, False)]
        assert [entry.increment_nano for entry in found] == [found[0].charge_nano] * 2
    assert receipt.get_json()["linked"]["charged"]["rho_nano"] == 2 * debits(small, THEIRS)[0].charge_nano
    replayed = small.submit("blueridge", body)
    assert {**replayed.get_json(), "replayed": False} == receipt.get_json()
    assert len(debits(small, THEIRS)) == 2
    assert no_differences(small)


def test_a_restatement_measured_at_source_counts_in_full_in_both_accounts(migrated_sqlite_url: str) -> None:
    small = SmallExchange(migrated_sqlite_url)
    small.clock.instant = datetime(2026, 8, 1, tzinfo=UTC)
    months = {"first_period": "2026-07", "last_period": "2027-06"}
    feed = linked_feed(k=1, restatements=1, measured="source", **months)
    contract = small.agree(linked_contract(feeds=[feed, linked_contract()["feeds"][1]]))
    for restatement, posted in ((0, datetime(2026, 8, 1, tzinfo=UTC)), (1, datetime(2026, 10, 30, tzinfo=UTC))):
        small.clock.instant = posted
        due = get_due_period(contract, "fills", "2026-07", restatement, trusted=contract["digest"], now=posted)
        body = draw_at_source(due, from_rows(linked_fills()["rows"], due.feed), str(uuid4()))
        assert small.submit("blueridge", body).status_code == 201

    for population in (OURS, THEIRS):
        first, restated = debits(small, population)
        assert (first.is_first, restated.is_first, restated.restatement) == (True, False, 1)
        assert restated.increment_nano == restated.charge_nano == first.charge_nano
        assert restated.event["measured"] == "source"
    assert no_differences(small)


def test_the_flag_is_part_of_the_generation() -> None:
    """So that an amendment which links a feed to other records goes on with none of its releases, or their account."""
    documents = [linked_contract(), linked_to("tiny"), linked_contract(feeds=[linked_feed(link="none", linked=None)])]
    feeds = [with_plans(ContractDocumentSchema().load(document))["feeds"][0] for document in documents]
    assert len({digest_of(feed["plan"]) for feed in feeds}) == 1

    read = [read_feed(feed, linked_vocabularies()) for feed in feeds]
    assert len({feed.generation for feed in read}) == 3


def linked_vocabularies() -> dict[str, tuple[str, ...]]:
    return {name: tuple(values) for name, values in linked_contract()["vocabularies"].items()}


def test_an_entry_that_cannot_be_witnessed_in_the_second_account_is_taken_back_in_the_first(
    linked: SmallExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = FileWitness.append

    def of_one_account_only(witness: FileWitness, population: str, *args: Any, **named: Any) -> JsonObject:
        if population == THEIRS:
            raise WitnessUnavailable("no room on the disk")
        return append(witness, population, *args, **named)

    with monkeypatch.context() as patched:
        patched.setattr(FileWitness, "append", of_one_account_only)
        assert linked.submit("blueridge", linked_fills()).status_code == 503

    assert debits(linked, OURS) == debits(linked, THEIRS) == []
    assert not linked.ledger("blueridge")["sealed"]
    assert not linked.ledger(BRAND)["sealed"]
    post(linked, "blueridge", "2025-01")
    assert no_differences(linked)


def test_a_restored_backup_refills_neither_account_and_each_is_reconciled_by_itself(
    linked: SmallExchange, tmp_path: Path
) -> None:
    post(linked, "blueridge", "2025-01")
    restore = back_up(linked.url, tmp_path)
    post(linked, "blueridge", "2025-02")
    true_loss = {population: debits(linked, population)[-1].spent_nano for population in (OURS, THEIRS)}
    restore()

    operator = Reconciling(linked.wiring.database, linked.wiring.witness, linked.clock)
    operator.reconcile(OURS, "restored")
    sealed = linked.submit("blueridge", linked_fills("2025-02"))
    assert (sealed.status_code, sealed.get_json()["type"]) == (409, "urn:parley:problem:ledger-sealed")
    operator.reconcile(THEIRS, "restored")

    assert {population: debits(linked, population)[-1].spent_nano for population in true_loss} == true_loss
    assert debits(linked, THEIRS)[-1].linked_by == "blueridge"
    assert no_differences(linked)
    # The lost period was measured: to post it again is a further measurement, in full, in both.
    post(linked, "blueridge", "2025-02")
    assert [entry.is_first for entry in debits(linked, THEIRS)] == [True, True, False]
    # Another payer's k is its own.
    post(linked, "sierra", "2025-02")
    assert debits(linked, THEIRS)[-1].is_first
    assert no_differences(linked)


@pytest.mark.parametrize(
    ("where", "change", "what"),
    [
        (THEIRS, None, "debits of this attempt by the brand"),
        (THEIRS, {"linked_by": "sierra"}, "event.linked_by"),
        (THEIRS, {"linked_by": None}, "event.draws[0].l2_squared"),
        (OURS, {"linked_by": "blueridge"}, "event.draws[0].l2_squared"),
    ],
    ids=["no debit of the brand", "another payer's", "as if it were its own feed", "the payer's as the brand's"],
)
def test_verify_finds_a_debit_of_either_account_that_was_taken_out_or_altered(
    linked: SmallExchange, where: str, change: JsonObject | None, what: str
) -> None:
    post(linked, "blueridge", "2025-01")
    (entry,) = debits(linked, where)
    engine = sa.create_engine(linked.url)
    with engine.begin() as connection:
        for name in connection.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
            connection.execute(sa.text(f"DROP TRIGGER {name[0]}"))
        if change is None:
            connection.execute(sa.delete(ledger_entries).where(ledger_entries.c.id == entry.id))
        else:
            event = {name: value for name, value in {**entry.event, **change}.items() if value is not None}
            connection.execute(sa.update(ledger_entries).where(ledger_entries.c.id == entry.id).values(event=event))
    engine.dispose()

    assert what in {difference.what for difference in verify_ledgers(linked.wiring.database).differences}


def test_preview_evidence_and_page_say_the_loss_on_both_sides(linked: SmallExchange) -> None:
    post(linked, "blueridge", "2025-01")
    charge, releases = debits(linked, THEIRS)[0].charge_nano, 12

    previewed = linked.post(BRAND, "/v1/contract-previews", {"document": linked_contract()}).get_json()
    found = previewed["feeds"][0]["linked"]
    assert (found["population"], found["one_release"]["rho_nano"]) == (THEIRS, charge)
    assert found["over_term"]["rho_nano"] == 3 * releases * charge
    assert previewed["feeds"][1]["linked"] is None

    # The payers' ceilings would pay for ten times the budget of the feed, the brand's would not.
    wish = {"document": linked_contract(), "accuracy": ["counts.members=1000", "counts.members=300"]}
    budgets = linked.post(BRAND, "/v1/contract-previews", wish).get_json()["budgets"]
    assert [budget["fits"] for budget in budgets] == [True, False]
    assert 12_000_000 < budgets[1]["smallest"]["rho_nano"] < 100_000_000

    terms = read_terms(document_of(linked))
    own = terms.feeds[1].get_plan().charge_nano * releases
    assert all_posted_nano(terms, BRAND) == own + 3 * releases * charge
    (section, _) = mechanism_section(mechanism(terms)).sections
    assert [inner.title for inner in section.sections] == [f"And what it costs {THEIRS}"]
    page = repr(contract_page(document_of(linked), None))
    assert f"a release may cost one person of {THEIRS} besides" in page


@pytest.fixture
def raced(migrated_url: str) -> Iterator[SmallExchange]:
    """On each database in turn; the brand's room ends half-way."""
    small = SmallExchange(migrated_url)
    small.register("tiny", Role.BRAND, rho="0.0105")
    small.agree(linked_to("tiny"))
    yield small
    small.wiring.database.close()


@pytest.mark.slow
def test_payers_that_post_all_at_once_never_overdraw_the_brand_and_no_debit_stands_alone(raced: SmallExchange) -> None:
    tasks = [(name, f"2025-{month:02}") for month in range(1, 13) for name in PAYERS]
    for name in PAYERS:
        raced.token(name)

    def submit(task: tuple[str, str]) -> str:
        name, month = task
        return str(raced.submit(name, linked_fills(month)).get_json().get("type", "released"))

    with ThreadPoolExecutor(8) as threads:
        outcomes = Counter(threads.map(submit, tasks))

    theirs = debits(raced, "tiny-members")
    ours = [entry for name in PAYERS for entry in debits(raced, f"{name}-members")]
    assert outcomes.keys() == {"released", "urn:parley:problem:linked-budget-exhausted"}
    assert {(e.submission_id, e.attempt) for e in theirs} == {(e.submission_id, e.attempt) for e in ours}
    assert len(theirs) == len(ours) == outcomes["released"]
    assert theirs[-1].balance_nano < theirs[-1].charge_nano
    assert [entry.sequence for entry in theirs] == list(range(2, len(theirs) + 2))
    assert no_differences(raced)
