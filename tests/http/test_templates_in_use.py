"""The templates of outcomes and effects, filled in, signed, posted to and asked: they answer what they are for."""

from collections.abc import Iterator
from datetime import date
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
import yaml

from api.contract_templates import fill_in
from contracts.parties import JsonObject
from tests.support.small_exchange import BRAND, PAYERS, NoNoise, SmallExchange

pytestmark = pytest.mark.slow
ADHERENT, OTHER = "p80_100", "p40_60"


@pytest.fixture
def small(migrated_sqlite_url: str) -> Iterator[SmallExchange]:
    exchange = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    yield exchange
    exchange.wiring.database.close()


def agree(small: SmallExchange, name: str) -> str:
    settings = {"payers": ",".join(PAYERS), "brand": BRAND, "brand_population": f"{BRAND}-members"}
    document = yaml.safe_load(fill_in(name, settings | {"first_year": "2025", "last_year": "2025"}, date(2026, 7, 1)))
    small.agree(document)
    return str(document["id"])


def post(small: SmallExchange, contract: str, name: str, feed: str, period: str, rows: list[Any]) -> None:
    body = {"submission_id": str(uuid4()), "feed": feed, "period": period, "rows": rows}
    answered = small.submit(name, body, contract)
    assert answered.status_code == 201, answered.get_json()


def ask(small: SmallExchange, contract: str, statistic: str, **query: str) -> dict[str, JsonObject]:
    """By figure, of an answer of one row each."""
    answered = small.ask(BRAND, statistic, contract, **query)
    assert answered.status_code == 200, answered.get_json()
    return {row["figure"]: row for row in answered.get_json()["rows"]}


def banded(adherent: int, of: int = 1000, **key: str) -> list[JsonObject]:
    return [
        {**key, "adherence_band": band, "members": members}
        for band, members in ((ADHERENT, adherent), (OTHER, of - adherent))
    ]


def test_the_effect_of_a_programme_is_answered_in_each_of_the_three_ways(small: SmallExchange) -> None:
    """Where it began adherence goes from 500 to 600 of 1000, elsewhere from 500 to 520: 0.1 less 0.02. In the programme
    700 of 1000 are adherent and 550 outside it."""
    contract = agree(small, "programme-effect")
    for name in PAYERS:
        for quarter, (came, never) in enumerate(((500, 500), (500, 500), (600, 520), (600, 520)), start=1):
            rows = banded(came, state="NY", age_band="18-44") + banded(never, state="TX", age_band="18-44")
            post(small, contract, name, "adherence", f"2025-Q{quarter}", rows)
        flagged = banded(700, region="south", programme="enrolled")
        flagged += banded(550, region="south", programme="not_enrolled")
        post(small, contract, name, "linked_adherence", "2025", flagged)
    for month in range(1, 13):
        rows = [{"region": region, "coverage": "in_network", "enrolled": 600} for region in ("northeast", "south")]
        post(small, contract, BRAND, "support", f"2025-{month:02}", rows)

    linked = ask(small, contract, "programme_effect", feed="linked_adherence")
    rolled_out = ask(small, contract, "programme_effect", feed="adherence")
    bounds = ask(small, contract, "programme_effect", feed="adherence,support")

    assert linked["difference"]["value"] == pytest.approx(0.15, abs=1e-9)
    assert rolled_out["difference_in_differences"]["value"] == pytest.approx(0.08, abs=1e-9)
    assert all("not_identified" in row["flags"] for row in bounds.values())
    by_division = small.ask(BRAND, "adherence_rate", contract, by="division", feed="adherence", periods="2025-Q4")
    values = {row["key"]["division"]: row["value"] for row in by_division.get_json()["rows"] if row["value"]}
    assert values == pytest.approx({"middle_atlantic": 0.6, "west_south_central": 0.52}, abs=1e-9)


def test_outcomes_are_settled_on_and_compared(small: SmallExchange) -> None:
    """700 of 1000 in every stratum, against a target of 0.65: met, whoever's weights. Of those 700 members are 70 stays
    in 8400 months, of the others 60 in 3600."""
    contract = agree(small, "outcomes-based")
    ages, sexes = ("18-44", "45-54", "55-64", "65-74", "75+"), ("F", "M")
    rows = [
        row
        | {"member_months": 12 * row["members"], "allowed_cents": 100_000 * row["members"]}
        | {"hospital_stays": stays, "hospitalised_members": stays, "ed_visits": 0}
        for age, sex in product(ages, sexes)
        for row, stays in zip(banded(700, region="south", age_band=age, sex=sex), (70, 60), strict=True)
    ]
    for name in PAYERS:
        post(small, contract, name, "outcomes", "2025", rows)

    settled = small.get(BRAND, f"/v1/contracts/{contract}/settlement").get_json()
    ratio = ask(small, contract, "utilisation_rate_ratio")
    cost = ask(small, contract, "cost_pmpm")

    assert (settled["outcome"], settled["rate"]) == ("met", pytest.approx(0.7, abs=1e-9))
    standardised = ask(small, contract, "adherence_rate_standardised")
    assert standardised["adherence_rate_standardised"]["value"] == pytest.approx(0.7, abs=1e-9)
    assert ratio["hospital_stay_rate_ratio"]["value"] == pytest.approx((70 / 8400) / (60 / 3600), abs=1e-9)
    assert cost["cost_pmpm"]["value"] == pytest.approx(100_000 / 12, abs=1e-6)
