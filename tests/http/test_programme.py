"""programme_effect asked of a whole exchange: by a rollout clause, as bounds, and refused."""

import pytest

from contracts.parties import JsonObject
from tests.http.answers import Rows, answer, post, table
from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    PAYERS,
    NoNoise,
    SmallExchange,
    adherence_feed,
    small_contract,
    support_feed,
)

YEARS = ("2024", "2025")
# By region and year, of a hundred members of each payer how many are adherent.
ADHERENT = {("north", "2024"): 50, ("north", "2025"): 62, ("south", "2024"): 40, ("south", "2025"): 45}


def adherence(year: str) -> Rows:
    return [
        {"region": region, "adherence_band": band, "members": members * 1000}
        for region in ("north", "south")
        for adherent in [ADHERENT[region, year]]
        for band, members in (("p00_40", 100 - adherent - 10), ("p40_80", 10), ("p80_100", adherent))
    ]


STATISTICS = ["programme_effect", "adherence_rate"]


@pytest.fixture
def small(migrated_sqlite_url: str) -> SmallExchange:
    found = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    yearly = {"grain": "year", "first_period": "2024", "last_period": "2025", "k": 2}
    grants = [{"role": role, "statistics": STATISTICS, "by_at_most": 3} for role in ("brand", "payer")]
    document: JsonObject = small_contract(
        feeds=[adherence_feed(), support_feed(**yearly)],
        grants=grants,
        rollout={"dimension": "region", "starts": {"north": "2025-01"}},
    )
    found.agree(document)
    post(found, "adherence", {(name, year): adherence(year) for name in PAYERS for year in YEARS})
    enrolled = [
        {"coverage": coverage, "region": region, "enrolled": 60_000, "contacts": 0}
        for coverage in ("in_network", "other")
        for region in ("north", "south")
    ]
    post(found, "support", {(BRAND, year): enrolled for year in YEARS})
    return found


def test_a_rollout_is_answered_as_difference_in_differences_and_else_by_bounds(small: SmallExchange) -> None:
    answered = answer(small, "programme_effect")

    row = table(answered, "difference_in_differences")[()]
    # (62 - 50) - (45 - 40) points.
    assert row["value"] == pytest.approx(0.07)
    assert row["interval"]["lower"] < 0.07 < row["interval"]["upper"]
    assert row["total_interval"]["lower"] < row["interval"]["lower"]
    assert answered["labels"] == ["ecological"]
    assert any("parallel trends" in note for note in answered["notes"])

    bounded = answer(small, "programme_effect", feed="support", periods="2025", by="region", explain="true")
    north = table(bounded, "difference")["north",]
    # 186 of 300 thousand adherent, 60 enrolled: from none of these to all.
    ends = [n / 60 - (186 - n) / 240 for n in (0, 60)]
    assert (north["value"], north["state"], north["flags"]) == (None, "shown", ["not_identified"])
    assert [north["interval"]["lower"], north["interval"]["upper"]] == pytest.approx(ends, abs=0.01)
    assert bounded["labels"] == ["ecological"]
    # Counts are not granted, so the margins stay out of the explanation.
    assert all(not row["working"]["terms"] for row in bounded["explanation"]["rows"])

    refused = small.ask(BRAND, "programme_effect", periods="2025")
    assert refused.status_code == 422
    assert refused.get_json()["errors"][0]["code"] == "not_before_and_after"
    assert (
        small.get(BRAND, f"/v1/contracts/{CONTRACT}").get_json()["document"]["rollout"]["starts"]["north"] == "2025-01"
    )
