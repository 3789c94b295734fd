"""Each person stands in one stratum by public cut points, or is counted under the dimension that has no value."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from adapters.preparation.engine import Engine
from adapters.preparation.strata import create_placed
from contracts.periods import Grain, Period
from contracts.preparation.definitions import FeedDefinition, FromClaims
from contracts.preparation.regions import CENSUS_REGIONS
from tests.support.facts import TREATED, a_feed, create_facts_by_hand, day, exiting

YEAR_2009 = Period.parse("2009", Grain.YEAR)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine.opened(threads=1) as opened:
        yield opened


def placed(
    engine: Engine,
    vocabularies: Mapping[str, list[str]],
    person: Mapping[str, Any],
    definition: FeedDefinition = TREATED,
) -> tuple[str | None, list[str] | None]:
    """The rule that leaves the person out, and the values of the stratum."""
    create_facts_by_hand(engine, [{"member": "m", **person}], YEAR_2009)
    create_placed(engine, a_feed(vocabularies), definition, YEAR_2009)
    ((excluded_by, stratum),) = engine.rows("SELECT excluded_by, stratum FROM placed")
    if stratum is None:
        return excluded_by, None
    values = []
    for vocabulary in reversed(vocabularies.values()):
        stratum, place = divmod(stratum, len(vocabulary))
        values.append(vocabulary[place])
    return excluded_by, values[::-1]


AGES = {"age_band": ["under_18", "18-44", "45-64", "65+"]}


@pytest.mark.parametrize(
    ("born", "band"),
    [
        (day(1991, 1, 1), "18-44"),
        (day(1991, 1, 2), "under_18"),
        (day(1964, 1, 1), "45-64"),
        (day(1964, 1, 2), "18-44"),
        (day(1944, 1, 1), "65+"),
        (day(1944, 2, 29), "45-64"),
        (day(1009, 1, 1), "65+"),
        (day(1, 1, 1), "65+"),
        (day(2009, 1, 1), "under_18"),
        (day(2009, 12, 31), "under_18"),
    ],
)
def test_an_age_is_that_of_completed_years_on_the_first_day(engine: Engine, born: int, band: str) -> None:
    assert placed(engine, AGES, {"birth_day": born}) == (None, [band])


@pytest.mark.parametrize("born", [None, day(2010, 1, 1), day(9999, 12, 31)])
def test_a_person_born_nobody_knows_when_or_after_the_period_is_in_no_age_band(
    engine: Engine, born: int | None
) -> None:
    assert placed(engine, AGES, {"birth_day": born}) == ("age_band_not_in_vocabulary", None)


SHARES = {"adherence_band": ["p00_20", "p20_80", "p80_100"]}


@pytest.mark.parametrize(
    ("covered", "treatment", "band"),
    [
        (0, 1, "p00_20"),
        (73, 365, "p20_80"),
        (72, 365, "p00_20"),
        (292, 365, "p80_100"),
        (291, 365, "p20_80"),
        (365, 365, "p80_100"),
        (4, 5, "p80_100"),
        (7_999_999_999_999_999, 10**16, "p20_80"),
    ],
)
def test_the_edge_of_an_adherence_band_is_exact(engine: Engine, covered: int, treatment: int, band: str) -> None:
    assert placed(engine, SHARES, {"days_covered": covered, "treatment_days": treatment}) == (None, [band])


@pytest.mark.parametrize("treatment", [0, None])
def test_without_a_day_of_treatment_there_is_no_adherence_band(engine: Engine, treatment: int | None) -> None:
    found = placed(engine, SHARES, {"days_covered": 0, "treatment_days": treatment})
    assert found == ("adherence_band_not_in_vocabulary", None)


@pytest.mark.parametrize(("covered", "band"), [(17, "adherent"), (16, "nonadherent")])
def test_adherent_is_who_reaches_the_threshold_of_the_therapy(engine: Engine, covered: int, band: str) -> None:
    definition = replace(TREATED, threshold=Fraction(85, 100))
    words = {"adherence_band": ["nonadherent", "adherent"]}
    assert placed(engine, words, {"days_covered": covered, "treatment_days": 20}, definition) == (None, [band])


@pytest.mark.parametrize(("months", "band"), [(0, "0"), (1, "1"), (2, "2+"), (77, "2+")])
def test_months_since_start_go_into_the_open_last_band(engine: Engine, months: int, band: str) -> None:
    found = placed(engine, {"months_since_start": ["0", "1", "2+"]}, {"months_since_start": months}, exiting())
    assert found == (None, [band])


@pytest.mark.parametrize(
    ("region", "census_region"),
    [("MA", "northeast"), ("OH", "midwest"), ("DC", "south"), ("HI", "west"), ("west", "west")],
)
def test_a_state_stands_for_its_census_region(engine: Engine, region: str, census_region: str) -> None:
    assert placed(engine, {"region": list(CENSUS_REGIONS)}, {"region": region}) == (None, [census_region])


@pytest.mark.parametrize("region", ["PR", "", None, "'; DROP TABLE facts"])
def test_a_region_in_no_vocabulary_is_in_no_cell_and_counted(engine: Engine, region: str | None) -> None:
    assert placed(engine, {"region": list(CENSUS_REGIONS)}, {"region": region}) == ("region_not_in_vocabulary", None)


def test_regions_of_the_contracts_own_are_taken_as_they_stand(engine: Engine) -> None:
    assert placed(engine, {"region": ["MA", "elsewhere's"]}, {"region": "elsewhere's"}) == (None, ["elsewhere's"])


def test_the_definitions_say_what_a_value_is_called_and_what_becomes_of_all_others(engine: Engine) -> None:
    definition = replace(TREATED, dimensions={"gender": FromClaims("sex", {"1": "male", "2": "female"}, "unknown")})
    vocabulary = {"gender": ["female", "male", "unknown"]}
    found = [placed(engine, vocabulary, {"sex": sex}, definition)[1] for sex in ("1", "2", "male", "3", None)]
    assert found == [["male"], ["female"], ["male"], ["unknown"], ["unknown"]]


def test_bands_too_may_be_called_otherwise_and_have_a_rest(engine: Engine) -> None:
    claims = FromClaims("age_band", {"0-17": "child", "18-64": "adult", "65-74": "adult"}, "rest")
    definition = replace(TREATED, dimensions={"age_group": claims})
    vocabulary = {"age_group": ["child", "adult", "rest"]}
    births = [day(2000, 1, 1), day(1940, 1, 1), day(1900, 1, 1), None]
    found = [placed(engine, vocabulary, {"birth_day": born}, definition)[1] for born in births]
    assert found == [["child"], ["adult"], ["rest"], ["rest"]]


def test_the_first_rule_that_failed_is_the_one_that_counts(engine: Engine) -> None:
    vocabularies = {"region": ["MA"], "sex": ["F", "M"]}
    assert placed(engine, vocabularies, {"excluded_by": "too_young", "region": "PR"})[0] == "too_young"
    assert placed(engine, vocabularies, {"region": "PR", "sex": "X"})[0] == "region_not_in_vocabulary"
    assert placed(engine, vocabularies, {"region": "MA", "sex": "X"})[0] == "sex_not_in_vocabulary"


def test_a_stratum_has_a_value_of_every_dimension(engine: Engine) -> None:
    vocabularies = {"region": ["MA", "NY", "CT"], "sex": ["F", "M"], **AGES}
    person = {"region": "NY", "sex": "M", "birth_day": day(1950, 6, 1)}
    assert placed(engine, vocabularies, person) == (None, ["NY", "M", "45-64"])


def test_without_dimensions_all_stand_together(engine: Engine) -> None:
    assert placed(engine, {}, {}) == (None, [])
