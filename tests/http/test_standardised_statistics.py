"""Standardised figures through the whole exchange: agreed, posted, asked and explained."""

import pytest

from contracts.parties import JsonObject
from tests.http.answers import answer, post, table, values
from tests.support.small_exchange import (
    BRAND,
    PAYERS,
    NoNoise,
    SmallExchange,
    adherence_feed,
    small_contract,
    support_feed,
)

MEASURES = {"members": ("persons", 1), "hospitalised_members": ("persons", 1), "hospital_stays": ("stays", 10)}
STATISTICS = ["adherence_rate", "adherence_rate_standardised", "utilisation_rate", "utilisation_rate_ratio"]
WEIGHTS = {"F": 3, "M": 1}


def agreement() -> JsonObject:
    feed = adherence_feed(
        last_period="2024",
        k=1,
        dimensions=["region", "sex", "adherence_band"],
        measures={name: {"unit": unit, "bound": bound} for name, (unit, bound) in MEASURES.items()},
    )
    standard = {
        "name": "census",
        "source": "Census 2020",
        "by": ["sex"],
        "weights": [{"stratum": {"sex": sex}, "weight": weight} for sex, weight in WEIGHTS.items()],
    }
    grant = {"role": "brand", "statistics": STATISTICS, "by_at_most": 1}
    return small_contract(feeds=[feed, support_feed()], standards=[standard], grants=[grant])


def posted() -> list[JsonObject]:
    """So many that no stratum is weak."""
    return [
        {
            "region": region,
            "sex": sex,
            "adherence_band": band,
            "members": 20_000 + 3_000 * r + 5_000 * s + 8_000 * b,
            "hospitalised_members": 2_000 + 700 * r + 500 * s - 600 * b,
            "hospital_stays": 5_000 + 900 * r + 800 * s - 1_000 * b,
        }
        for r, region in enumerate(("north", "south"))
        for s, sex in enumerate(("F", "M"))
        for b, band in enumerate(("p00_40", "p40_80", "p80_100"))
    ]


def total(measure: str, **values_of: str) -> int:
    """Of the three payers, who post the same."""
    chosen = (row for row in posted() if all(row[name] == value for name, value in values_of.items()))
    return sum(row[measure] for row in chosen) * len(PAYERS)


@pytest.fixture
def small(migrated_sqlite_url: str) -> SmallExchange:
    exchange = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    exchange.agree(agreement())
    post(exchange, "adherence", {(name, "2024"): posted() for name in PAYERS})
    return exchange


def standardised(region: str) -> float:
    shares = {
        sex: total("members", region=region, sex=sex, adherence_band="p80_100")
        / total("members", region=region, sex=sex)
        for sex in WEIGHTS
    }
    return sum(WEIGHTS[sex] * share for sex, share in shares.items()) / sum(WEIGHTS.values())


def test_a_standardised_rate_is_asked_compared_and_explained(small: SmallExchange) -> None:
    asked = answer(small, "adherence_rate_standardised", by="region", explain="true")

    expected = {(region,): standardised(region) for region in ("north", "south")}
    assert values(asked) == pytest.approx(expected, rel=1e-6)
    assert any("census: Census 2020" in note for note in asked["notes"])
    assert [row["working"]["terms"] for row in asked["explanation"]["rows"]] == [[], []]
    compared = answer(small, "adherence_rate", by="region", compare="standardised")
    assert values(compared, "adherence_rate_standardised") == pytest.approx(expected, rel=1e-6)
    for row in table(compared, "adherence_rate_standardised_difference").values():
        assert row["interval"]["lower"] < row["value"] < row["interval"]["upper"]
    # Strata are used and not asked by.
    refused = small.ask(BRAND, "adherence_rate_standardised", by="sex")
    assert refused.status_code == 422
    (fault,) = refused.get_json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/standard", "standard_missing")


@pytest.mark.slow
def test_ratios_are_crude_and_by_weights(small: SmallExchange) -> None:
    asked = answer(small, "utilisation_rate_ratio", by="region")

    def share(sex: str, *bands: str) -> float:
        parts, wholes = (
            sum(total(measure, region="north", sex=sex, adherence_band=band) for band in bands)
            for measure in ("hospitalised_members", "members")
        )
        return parts / wholes

    adherent, others = ("p80_100",), ("p00_40", "p40_80")
    risks = [sum(weight * share(sex, *bands) for sex, weight in WEIGHTS.items()) for bands in (adherent, others)]
    found = values(asked, "hospitalised_risk_ratio_standardised")["north",]
    assert found == pytest.approx(risks[0] / risks[1], rel=1e-6)
    assert {row["figure"] for row in asked["rows"]} == {
        f"{figure}{suffix}"
        for figure in ("hospital_stay_rate_ratio", "hospitalised_risk_ratio", "hospitalised_odds_ratio")
        for suffix in ("", "_standardised")
    }
    for row in asked["rows"]:
        assert row["interval"]["lower"] < row["value"] < row["interval"]["upper"]
        assert (row["total_interval"] is None) is row["figure"].startswith("hospital_stay")
