"""A life table through the exchange: posted as cells, asked back as curves, and what cannot be asked."""

from collections import Counter
from collections.abc import Iterator
from itertools import product
from uuid import uuid4

import pytest

from contracts.parties import JsonObject
from tests.http.answers import answer, table, values
from tests.http.test_bad_input import assert_problem
from tests.http.test_life_tables import PAYER, life_contract
from tests.support.small_exchange import BRAND, NoNoise, SmallExchange

PERIODS = [f"2025-{month:02}" for month in range(1, 8)]
REGIONS, REASONS, MONTHS, LAG = ("north", "south"), ("stopped", "switched", "left_plan"), ("0", "1", "2", "3+"), 1


def contract() -> JsonObject:
    document = life_contract()
    document["vocabularies"] |= {"months_since_start": list(MONTHS), "reason": list(REASONS)}
    starting, exiting = document["feeds"]
    for each in (starting, exiting):
        each["last_period"] = PERIODS[-1]
    exiting |= {"dimensions": ["region", "months_since_start", "reason"], "known_after_months": LAG}
    statistics = ["counts", "persistence_curve", "discontinuation_rate", "switch_rate"]
    document["grants"] = [{"role": "brand", "statistics": statistics, "by_at_most": 2}]
    return document


def leaving(cohort: int, region: str, month: int, reason: str) -> int:
    """How many of a cohort exit after so many months: other numbers in every cell."""
    return 20 + 3 * cohort + 40 * REASONS.index(reason) // 2 + 11 * REGIONS.index(region) + 9 * month


def started(cohort: int, region: str) -> int:
    return 900 + 10 * cohort + 100 * REGIONS.index(region)


@pytest.fixture
def exact(migrated_sqlite_url: str) -> Iterator[SmallExchange]:
    small = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    small.agree(contract())
    exits: Counter[tuple[int, str, str, str]] = Counter()
    for cohort, region, month, reason in product(range(len(PERIODS)), REGIONS, range(len(MONTHS)), REASONS):
        exits[cohort + month + LAG, region, MONTHS[month], reason] += leaving(cohort, region, month, reason)
    for place, period in enumerate(PERIODS):
        starts = [{"region": region, "members": started(place, region)} for region in REGIONS]
        left = [
            dict(zip(("region", "months_since_start", "reason"), stratum, strict=True)) | {"members": count}
            for (when, *stratum), count in exits.items()
            if when == place
        ]
        for feed, rows in (("starts", starts), ("exits", left)):
            posted = small.submit(PAYER, {"submission_id": str(uuid4()), "feed": feed, "period": period, "rows": rows})
            assert posted.status_code == 201, posted.get_json()
    yield small
    small.wiring.database.close()


def curve(region: str) -> tuple[list[float], float]:
    """Persistence after 1, 2, 3 months and the cumulative incidence of switching."""
    survival, switched, found = 1.0, 0.0, []
    for month in range(3):
        cohorts = [cohort for cohort in range(len(PERIODS)) if cohort + month + LAG < len(PERIODS)]
        at_risk = sum(
            started(cohort, region)
            - sum(leaving(cohort, region, before, reason) for before in range(month) for reason in REASONS)
            for cohort in cohorts
        )
        stops, switches = (sum(leaving(c, region, month, reason) for c in cohorts) / at_risk for reason in REASONS[:2])
        switched += survival * switches
        survival *= 1 - stops - switches
        found.append(survival)
    return found, switched


def test_life_tables_are_answered_with_what_they_rest_on_and_nothing_else_is_asked_of_them(
    exact: SmallExchange,
) -> None:
    answered = answer(exact, "persistence_curve", by="region")
    switched = answer(exact, "switch_rate", by="region")

    for region in REGIONS:
        survival, incidence = curve(region)
        found = [values(answered, "persistence")[region, month] for month in ("1", "2", "3")]
        assert found == pytest.approx(survival, abs=1e-12)
        assert values(switched)[region, "3"] == pytest.approx(incidence, abs=1e-12)
    row = table(answered, "persistence")["north", "3"]
    noise, total = row["interval"], row["total_interval"]
    assert total["lower"] < noise["lower"] < row["value"] < noise["upper"] < total["upper"]
    assert [each["feed"] for each in answered["coverage"]] == ["starts", "exits"]
    assert any("left_plan" in note for note in answered["notes"])

    refused = [
        ("persistence_curve", {"by": "months_since_start"}, "/by", "dimension_in_use"),
        ("persistence_curve", {"where": "reason:stopped"}, "/where", "dimension_in_use"),
        ("persistence_curve", {"compare": "previous"}, "/compare", "compare_unknown"),
        ("switch_rate", {"compare": "previous"}, "/compare", "compare_unknown"),
    ]
    for statistic, asked, at, code in refused:
        assert_problem(exact.ask(BRAND, statistic, **asked), 422, "question-invalid", at, code)
