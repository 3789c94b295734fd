"""AdhereR's patients, posted as cells of a life table and asked back: R's Kaplan-Meier curve at a gap of 30 days."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from contracts.parties import JsonObject
from tests.http.answers import answer, table
from tests.http.test_life_tables import PAYER, life_contract
from tests.support.small_exchange import NoNoise, SmallExchange

pytestmark = pytest.mark.slow

# Months of 30 days each, since the reference is in days: who stops on day 59 has completed one of them.
DAYS, MONTHS, LAG = 30, 24, 3
PERIODS = [f"{2023 + month // 12}-{month % 12 + 1:02}" for month in range(MONTHS + LAG)]


@pytest.fixture
def reference(shared_data: Path) -> list[dict[str, float]]:
    path = shared_data / "adherer" / "reference_km_persistence.csv"
    if not path.is_file():
        pytest.skip(f"reference data not present: {path.name}")
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def contract() -> JsonObject:
    """So large a budget that noise hides no month of a hundred patients."""
    document = life_contract()
    document["vocabularies"]["months_since_start"] = [*map(str, range(MONTHS)), f"{MONTHS}+"]
    for feed in document["feeds"]:
        feed |= {"first_period": PERIODS[0], "last_period": PERIODS[-1], "rho": "40"}
    document["feeds"][1] |= {"dimensions": ["region", "months_since_start"], "known_after_months": LAG}
    population = f"{PAYER}-members"
    document["privacy"] |= {
        "ceilings": {population: "80"},
        "approvals": {population: {"name": "Ann", "reason": "public data"}},
    }
    document["grants"] = [{"role": "brand", "statistics": ["persistence_curve"], "by_at_most": 1}]
    return document


@pytest.fixture
def exchange(migrated_sqlite_url: str, reference: list[dict[str, float]]) -> Iterator[SmallExchange]:
    small = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    small.wiring.registering.grant(f"{PAYER}-members", "80", "public data")
    small.agree(contract())
    stopped = Counter(int(row["time"]) // DAYS for row in reference for _ in range(int(row["n_event"])))
    for place, period in enumerate(PERIODS):
        begun = [{"region": "north", "members": int(reference[0]["n_risk"])}] if place == 0 else []
        month = place - LAG
        left = [{"region": "north", "months_since_start": str(month), "members": stopped[month]}] if month >= 0 else []
        for feed, rows in (("starts", begun), ("exits", left)):
            posted = small.submit(PAYER, {"submission_id": str(uuid4()), "feed": feed, "period": period, "rows": rows})
            assert posted.status_code == 201, posted.get_json()
    yield small
    small.wiring.database.close()


def test_the_curve_of_adherer_at_a_gap_of_30_days_is_that_of_r(
    exchange: SmallExchange, reference: list[dict[str, float]]
) -> None:
    answered = table(answer(exchange, "persistence_curve"), "persistence")

    found = {int(month): row["value"] for (month,), row in answered.items() if row["value"] is not None}
    assert len(found) >= MONTHS - 1
    for month, value in found.items():
        by_then = [row["surv"] for row in reference if row["time"] < DAYS * month]
        assert value == pytest.approx(by_then[-1], abs=1e-6)
