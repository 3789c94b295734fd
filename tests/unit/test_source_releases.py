"""Measured at source: what a provider may draw, that its draw is the plan's, and what a release must be like."""

import json
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.cells.rows import from_columns, from_rows
from api.auth.jose import public_members
from api.auth.keys import new_private_jwk
from contracts.agreeing import with_plans
from contracts.canonical import digest_of
from contracts.drafting.feeds import MAX_PERIODS
from contracts.parties import JsonObject
from contracts.refusals import (
    CellsInvalid,
    ContractNotInForce,
    FeedNotFound,
    MeasuredInExchange,
    NotTheProvider,
    PeriodNotOver,
    PeriodOutsideContract,
    PlanNotOfContract,
    Refusal,
    RestatementNotPlanned,
)
from contracts.signing import sign
from contracts.submissions.measuring import DuePeriod, NotWhatWasSigned, draw_at_source, get_due_period
from contracts.submissions.source_releases import MAX_NOISY, SourceRelease, read_release
from contracts.verifying_contract import NotAContract
from privacy.arrays import Vector
from privacy.mechanism import DiscreteGaussian, DrawFailed, NoiseSource
from tests.statistical import checks
from tests.statistical.sources import FivePercentTooSmall, SharedByAllCells, Silent
from tests.support.small_exchange import NoNoise, fills_row
from tests.unit.terms import DOCUMENT, FILLS

NOW = datetime(2026, 7, 1, tzinfo=UTC)
PRIVATE_KEY = new_private_jwk("ES384")
SOURCE_FILLS = FILLS | {"measured": "source", "last_period": "2026-09", "k": 21}


def signed(**changes: Any) -> JsonObject:
    """The example's contract as an exchange answers it: one payer and the brand, signed by both."""
    parties = [DOCUMENT["parties"][0], DOCUMENT["parties"][-1]]
    feeds = [SOURCE_FILLS, *DOCUMENT["feeds"][1:]]
    document = with_plans({**DOCUMENT, "parties": parties, "feeds": feeds, **changes})
    return {
        "id": document["id"],
        "version": 1,
        "digest": digest_of(document),
        "drafted_by": "helix",
        "drafted_at": "2025-01-01T00:00:00+00:00",
        "document": document,
        "signatures": [signature(document, party["organisation"]) for party in document["parties"]],
    }


def signature(document: JsonObject, organisation: str) -> JsonObject:
    return {
        "organisation": organisation,
        "kid": PRIVATE_KEY["kid"],
        "public_key": public_members(PRIVATE_KEY),
        "jws": sign(document, PRIVATE_KEY, "Ann", "Officer"),
        "signer_name": "Ann",
        "signer_title": "Officer",
        "signed_at": "2025-01-02T00:00:00+00:00",
    }


CONTRACT = signed()


def due_period(contract: JsonObject = CONTRACT, feed: str = "fills", period: str = "2025-01") -> DuePeriod:
    """By the digest that the contract itself states, for tests of what else is checked."""
    pinned = contract["digest"] if isinstance(contract, dict) and contract.get("digest") else CONTRACT["digest"]
    return get_due_period(contract, feed, period, trusted=pinned, now=NOW)


def altered(**changes: Any) -> JsonObject:
    return {**CONTRACT, **changes}


def with_title(title: Any) -> JsonObject:
    return {**CONTRACT["document"], "title": title}


NO_CONTRACTS = {
    "a list": [],
    "the document alone": CONTRACT["document"],
    "a draft": altered(digest=None),
    "another document": altered(document=with_title("Altered")),
    "a document with a fraction": altered(document=with_title(1.5)),
    "a digest of nonsense": altered(document={"id": "x"}, digest=digest_of({"id": "x"})),
    "a signature of another document": altered(signatures=[signature(with_title("Other"), "a")]),
    "a signature that is none": altered(signatures=[{**CONTRACT["signatures"][0], "jws": "a..b"}]),
    "a signature without its key": altered(signatures=[{**CONTRACT["signatures"][0], "public_key": {}}]),
}


@pytest.mark.parametrize("contract", NO_CONTRACTS.values(), ids=NO_CONTRACTS)
def test_nothing_is_drawn_under_what_is_no_signed_contract(contract: Any) -> None:
    with pytest.raises(NotAContract):
        due_period(contract)


def test_a_signature_of_another_party_does_not_stand_for_one_that_is_missing() -> None:
    with pytest.raises(ContractNotInForce):
        due_period(altered(signatures=CONTRACT["signatures"][:1]))


REFUSED: dict[str, tuple[type[Refusal], tuple[str, str, int]]] = {
    "a feed that is not there": (FeedNotFound, ("pills", "2025-01", 0)),
    "a feed that the exchange measures": (MeasuredInExchange, ("adherence", "2025", 0)),
    "a period of another grain": (PeriodOutsideContract, ("fills", "2025", 0)),
    "a period outside the term": (PeriodOutsideContract, ("fills", "2024-12", 0)),
    "a period that is not over": (PeriodNotOver, ("fills", "2026-07", 0)),
    "a restatement that is not planned": (RestatementNotPlanned, ("fills", "2025-01", 1)),
}


@pytest.mark.parametrize(("refusal", "wanted"), REFUSED.values(), ids=REFUSED)
def test_what_the_exchange_would_refuse_is_not_drawn(refusal: type[Refusal], wanted: tuple[str, str, int]) -> None:
    with pytest.raises(refusal):
        get_due_period(CONTRACT, *wanted, trusted=CONTRACT["digest"], now=NOW)


def forged() -> JsonObject:
    """What an exchange could answer that wants the cells: ceilings without end, a plan with next to no noise, and
    signatures of everybody with keys of its own making."""
    rich = {"rho": "1000", "k": 1, "last_period": "2025-12"}
    ceilings = dict.fromkeys(DOCUMENT["privacy"]["ceilings"], "1000")
    feeds = [SOURCE_FILLS | rich, *DOCUMENT["feeds"][1:]]
    contract = signed(feeds=feeds, privacy=DOCUMENT["privacy"] | {"ceilings": ceilings})
    key = new_private_jwk("ES384")
    jws = sign(contract["document"], key, "Ann", "Officer")
    made_up = {"kid": key["kid"], "public_key": public_members(key), "jws": jws}
    return contract | {"signatures": [found | made_up for found in contract["signatures"]]}


def test_nothing_is_drawn_under_a_contract_that_the_exchange_made_up() -> None:
    made_up = forged()
    key = public_members(PRIVATE_KEY)
    relabelled = made_up | {"signatures": [made_up["signatures"][0] | {"public_key": key}, *made_up["signatures"][1:]]}
    # With the exchange's word for the pin it would be drawn: nothing else is wrong with it.
    assert get_due_period(made_up, "fills", "2025-01", trusted=made_up["digest"], now=NOW).feed.rho_nano == 1000 * 10**9

    for trusted in (CONTRACT["digest"], "", key, {}):
        with pytest.raises(NotWhatWasSigned):
            get_due_period(made_up, "fills", "2025-01", trusted=trusted, now=NOW)
    with pytest.raises(NotAContract):
        get_due_period(relabelled, "fills", "2025-01", trusted=key, now=NOW)


def test_the_providers_own_key_is_as_good_as_the_digest() -> None:
    by_digest, by_key = (
        get_due_period(CONTRACT, "fills", "2025-01", trusted=trusted, now=NOW)
        for trusted in (CONTRACT["digest"].upper(), public_members(PRIVATE_KEY))
    )

    assert by_key == by_digest


def test_the_key_of_a_party_that_does_not_post_the_feed_is_refused() -> None:
    document, brands_own = CONTRACT["document"], new_private_jwk("ES384")
    brand = document["parties"][-1]["organisation"]
    jws = sign(document, brands_own, "Ben", "Officer")
    own = {"kid": brands_own["kid"], "public_key": public_members(brands_own), "jws": jws, "signer_name": "Ben"}
    contract = altered(signatures=[CONTRACT["signatures"][0], signature(document, brand) | own])

    with pytest.raises(NotTheProvider):
        get_due_period(contract, "fills", "2025-01", trusted=public_members(brands_own), now=NOW)


def test_a_plan_that_hides_too_little_is_not_drawn_by_though_all_have_signed_it() -> None:
    document = deepcopy(CONTRACT["document"])
    document["feeds"][0]["plan"]["draws"][0]["sigma"] = "0.01"
    signatures = [signature(document, party["organisation"]) for party in document["parties"]]

    with pytest.raises(PlanNotOfContract):
        due_period(altered(document=document, digest=digest_of(document), signatures=signatures))


class Untouched:
    """A noise source that must not be asked."""

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        raise AssertionError("noise was drawn")


@pytest.mark.parametrize("row", [fills_row("northeast", members="<11"), fills_row("northeast", days_covered=1801)])
def test_cells_are_checked_as_the_exchange_checks_them_before_any_draw(row: JsonObject) -> None:
    due = due_period()
    with pytest.raises(CellsInvalid):
        draw_at_source(due, from_rows([row], due.feed), "id", noise=Untouched())


def test_a_draw_that_fails_says_nothing_of_the_cells() -> None:
    class Failing:
        def add_noise(self, exact: Vector, sigma: float) -> Vector:
            raise DrawFailed

    due = due_period()
    with pytest.raises(DrawFailed) as raised:
        draw_at_source(due, from_rows([fills_row("northeast", members=123457)], due.feed), "id", noise=Failing())
    assert str(raised.value) == ""
    assert raised.value.__cause__ is raised.value.__context__ is None


def posted(body: JsonObject) -> SourceRelease:
    """As it arrives at the other end: through JSON."""
    return SourceRelease(**json.loads(json.dumps(body["release"])))


def test_what_is_drawn_is_read_back_entry_by_entry() -> None:
    due = due_period()
    rows = [fills_row("northeast", members=70), fills_row("west", "M", members=90)]
    body = draw_at_source(due, from_rows(rows, due.feed), "id", noise=NoNoise())
    vectors = read_release(CONTRACT["digest"], due.feed, posted(body))

    assert {name: body[name] for name in ("submission_id", "feed", "period", "restatement")} == {
        "submission_id": "id",
        "feed": "fills",
        "period": "2025-01",
        "restatement": 0,
    }
    assert vectors["members@region,sex"].tolist() == [70, 0, 0, 0, 0, 90]
    for draw in due.feed.get_plan().draws:
        assert vectors[draw.name].sum() == sum(row[draw.measure] for row in rows)
        assert vectors[draw.name].dtype == np.int64


def test_a_sum_over_all_providers_and_periods_of_the_largest_entries_stays_in_64_bits() -> None:
    most_parties = 100
    assert most_parties * MAX_PERIODS * MAX_NOISY <= np.iinfo(np.int64).max


# --- the noise

CELLS = checks.CELLS
WIDE = signed(
    vocabularies={
        **DOCUMENT["vocabularies"],
        "region": [f"r{i}" for i in range(20)],
        "sex": [f"s{i}" for i in range(20)],
    },
    feeds=[SOURCE_FILLS | {"measures": {"members": {"unit": "persons", "bound": 1}}, "invariants": [], "rho": "2"}],
)
STRATA = {
    "region": [f"r{i}" for i in range(20) for _ in range(20)],
    "sex": [f"s{i}" for _ in range(20) for i in range(20)],
}


class OnPremises:
    """The whole library call as a noise source: exact counts of one measure in, its noisy full table out."""

    def __init__(self, noise: NoiseSource) -> None:
        self.due = due_period(WIDE)
        self.noise = noise
        self.drawn: dict[str, list[Vector]] = {draw.name: [] for draw in self.due.feed.get_plan().draws}

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        columns = from_columns({**STRATA, "members": exact.tolist()}, self.due.feed)
        body = draw_at_source(self.due, columns, "id", noise=self.noise)
        vectors = read_release(self.due.contract_digest, self.due.feed, posted(body))
        for draw in self.due.feed.get_plan().draws:
            axes = tuple(i for i, name in enumerate(("region", "sex")) if name not in draw.margin)
            self.drawn[draw.name].append(vectors[draw.name] - exact.reshape(20, 20).sum(axis=axes).ravel())
        return vectors["members@region,sex"]


def p_values(noise: NoiseSource) -> dict[str, float]:
    premises = OnPremises(noise)
    full, *margins = sorted(premises.due.feed.get_plan().draws, key=lambda draw: -len(draw.margin))
    found = checks.all_checks(premises, full.sigma_value)
    for draw in margins:
        found[f"variance of {draw.name}"] = checks.variance(np.stack(premises.drawn[draw.name]), draw.sigma_value)
    return found


@pytest.mark.slow
def test_the_draw_on_the_premises_is_the_noise_of_the_plan() -> None:
    """Each of at most 16 p-values alarms below 1e-8: a false alarm in less than 2 of 10 million runs."""
    assert checks.alarms(p_values(DiscreteGaussian())) == set()


@pytest.mark.parametrize("wrong", [FivePercentTooSmall, SharedByAllCells, Silent])
def test_a_wrong_draw_on_the_premises_would_be_seen(wrong: Callable[[], NoiseSource]) -> None:
    assert checks.alarms(p_values(wrong()))


def test_production_noise_is_what_is_drawn_unless_a_test_brings_another() -> None:
    due = due_period()
    bodies = [draw_at_source(due, from_rows([], due.feed), "id") for _ in range(2)]
    drawn = [[number for draw in body["release"]["draws"] for number in draw["noisy"]] for body in bodies]
    # Two draws of 18 numbers of sigma above 100 are never equal, nor all zero: the chance is below 1e-40.
    assert drawn[0] != drawn[1]
    assert any(drawn[0])


# --- on the premises

HEAVY = {"flask", "sqlalchemy", "marshmallow", "alembic", "psycopg", "authlib", "werkzeug", "httpx"}


def test_measuring_needs_neither_web_nor_database(tmp_path: Path) -> None:
    (tmp_path / "contract.json").write_text(json.dumps(CONTRACT))
    (tmp_path / "cells.json").write_text(json.dumps({"rows": [fills_row("northeast")]}))
    pinned = ["--digest", CONTRACT["digest"]]
    words = ["measure", "contract.json", "fills", "2025-01", "cells.json", *pinned, "--out", "release.json"]
    script = (
        "import sys; from api.cli import main\n"
        f"main({words!r}, standalone_mode=False)\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "[]"
    body = json.loads((tmp_path / "release.json").read_text())
    due = due_period()
    assert set(read_release(CONTRACT["digest"], due.feed, posted(body))) == {d.name for d in due.feed.get_plan().draws}
