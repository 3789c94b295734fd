"""The rules of the proportion of days covered, one by one, and all together against days counted one by one."""

from dataclasses import asdict, replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.preparation.facts import MeasureUnknown
from adapters.preparation.groups import GROUPS, PDC
from contracts.preparation.definitions import CodeList, FeedDefinition, Persons, StayDays, Window
from contracts.preparation.measures import MEASURES, MEMBERS
from tests.support.claims_by_hand import Person, claims_of, day, facts_of
from tests.support.pdc_by_days import Amounts, Rules, pdc_by_days

PLAIN = FeedDefinition(Persons.TREATED, Window.PERIOD, least_age=None)
SHORT = replace(PLAIN, least_fill_dates=1, least_treatment_days=1)
JANUARY, YEAR_END = day("2019-01-01"), day("2019-12-31")


def facts_of_one(
    person: Person, definition: FeedDefinition = PLAIN, period: str = "2019", dimensions: Any = None
) -> dict[str, Any]:
    with claims_of({"a": person}) as engine:
        return facts_of(engine, definition, period, dimensions=dimensions)["a"]


def covered(person: Person, definition: FeedDefinition = PLAIN, period: str = "2019") -> tuple[int, int]:
    facts = facts_of_one(person, definition, period)
    assert facts["excluded_by"] is None
    return facts["days_covered"], facts["treatment_days"]


def excluded_by(person: Person, definition: FeedDefinition = PLAIN, period: str = "2019") -> str | None:
    found: str | None = facts_of_one(person, definition, period)["excluded_by"]
    return found


def filled(*fills: tuple[str, str, int]) -> list[tuple[int, str, int]]:
    return [(day(on), drug, days) for on, drug, days in fills]


def test_supply_of_one_drug_shifts_forward_and_of_different_drugs_does_not() -> None:
    same = Person(filled(("2019-01-01", "|a", 90), ("2019-03-01", "|a", 90)))
    different = Person(filled(("2019-01-01", "|a", 90), ("2019-03-01", "|b", 90)))
    assert covered(same) == (180, 365)
    assert covered(different) == (59 + 90, 365)  # 1 March is day 60


def test_fills_of_one_drug_on_one_day_follow_each_other() -> None:
    assert covered(Person(filled(("2019-02-01", "|a", 30), ("2019-02-01", "|a", 60), ("2019-12-01", "|a", 0)))) == (
        90,
        334,
    )


def test_supply_from_before_the_window_is_not_counted_and_the_rest_is_cut_at_its_end() -> None:
    person = Person(filled(("2018-12-20", "|a", 90), ("2019-02-01", "|a", 10), ("2019-12-22", "|a", 30)))
    assert covered(person) == (10 + 10, 334)


def test_treatment_ends_with_enrolment_and_with_life() -> None:
    fills = filled(("2019-01-01", "|a", 30), ("2019-02-10", "|a", 300))
    assert covered(Person(fills, spans=[(JANUARY, day("2019-06-30"))])) == (181 - 10, 181)
    assert covered(Person(fills, death_day=day("2019-04-30"))) == (120 - 10, 120)


def test_a_gap_in_enrolment_that_is_permitted_does_not_end_treatment() -> None:
    fills = filled(("2019-01-01", "|a", 30), ("2019-02-10", "|a", 300))
    spans = [(JANUARY, day("2019-06-30")), (day("2019-07-11"), None)]
    assert covered(Person(fills, spans=spans), replace(PLAIN, enrolment_gap_days=10)) == (330, 365)
    assert covered(Person(fills, spans=spans), replace(PLAIN, enrolment_gap_days=9)) == (171, 181)


def test_each_rule_gives_its_reason_and_the_first_counts() -> None:
    twice = filled(("2019-01-01", "|a", 30), ("2019-02-10", "|a", 30))
    adult, child = day("2001-01-01"), day("2001-01-02")
    always, ends = [(0, None)], day("2019-03-31")  # day 90
    persons = {
        "without": Person(twice, birth_day=child, spans=[]),
        "before": Person(twice, birth_day=adult, spans=[(day("2018-01-01"), day("2018-12-31"))]),
        "untreated": Person(birth_day=adult, spans=always),
        "later": Person(twice, birth_day=adult, spans=[(day("2019-01-02"), None)]),
        "child": Person(twice, birth_day=child, spans=always, excluding=[("esrd", JANUARY)]),
        "ageless": Person(twice, spans=always),
        "ill": Person(twice[:1], birth_day=adult, spans=always, excluding=[("hospice", ends), ("esrd", JANUARY)]),
        "once": Person(twice[:1] * 2, birth_day=adult, spans=[(0, ends)]),
        "short": Person(twice, birth_day=adult, spans=always, death_day=ends),
        "enough": Person(twice, birth_day=adult, spans=always, death_day=ends + 1),
    }
    with claims_of(persons) as engine:
        facts = facts_of(engine, replace(PLAIN, least_age=18), "2019")
    assert {member: each["excluded_by"] for member, each in facts.items()} == {
        "without": "not_enrolled",
        "before": "not_enrolled",
        "untreated": "no_fill_of_the_class",
        "later": "not_enrolled_at_index",
        "child": "age",
        "ageless": "age_unknown",
        "ill": "excluded:esrd",
        "once": "too_few_fill_dates",
        "short": "treatment_too_short",
        "enough": None,
    }


def test_a_second_fill_after_the_treatment_period_is_none() -> None:
    fills = filled(("2019-01-01", "|a", 30), ("2019-09-01", "|a", 30))
    spans = [(JANUARY, day("2019-06-30")), (day("2019-08-01"), None)]
    assert excluded_by(Person(fills, spans=spans)) == "too_few_fill_dates"


def test_more_fill_dates_than_two_can_be_asked_for() -> None:
    fills = filled(("2019-01-01", "|a", 30), ("2019-02-10", "|b", 30), ("2019-02-10", "|a", 30))
    assert excluded_by(Person(fills), replace(PLAIN, least_fill_dates=3)) == "too_few_fill_dates"
    assert excluded_by(Person([*fills, (day("2019-03-01"), "|a", 30)]), replace(PLAIN, least_fill_dates=3)) is None


def test_only_exclusions_in_the_window_and_before_the_periods_end_count() -> None:
    fills = filled(("2019-01-10", "|a", 30), ("2019-02-10", "|a", 30))
    by_year = replace(PLAIN, window=Window.YEAR)
    claim = [("esrd", day("2019-02-20"))]
    assert excluded_by(Person(fills, excluding=claim), by_year, "2019-01") is None
    assert excluded_by(Person(fills, excluding=claim), by_year, "2019-02") == "excluded:esrd"
    assert excluded_by(Person(fills, excluding=claim), by_year, "2019-03") == "excluded:esrd"
    since_index = replace(SHORT, window=Window.INDEX, window_days=42)
    assert excluded_by(Person(fills, excluding=claim), since_index) == "excluded:esrd"  # day 42 from the index
    assert excluded_by(Person(fills, excluding=claim), replace(since_index, window_days=41)) is None


def test_the_threshold_is_compared_in_whole_numbers() -> None:
    person = Person(filled(("2019-12-22", "|a", 7), ("2019-12-31", "|a", 1)))  # 8 of 10 days
    facts = facts_of_one(person, SHORT)
    assert (facts["adherent_members"], facts["pdc_basis_points"]) == (1, 8000)
    just_above = replace(SHORT, threshold=Fraction(8_000_001, 10_000_000))
    assert facts_of_one(person, just_above)["adherent_members"] == 0


def test_the_possession_ratio_counts_supply_that_overlaps_and_reaches_beyond() -> None:
    person = Person(filled(("2019-12-22", "|a", 3), ("2019-12-23", "|b", 4)))
    facts = facts_of_one(person, SHORT)
    assert (facts["days_covered"], facts["days_supplied"], facts["mpr_basis_points"]) == (5, 7, 7000)
    plenty = Person(filled(("2019-12-22", "|a", 3), ("2019-12-31", "|a", 90)))
    assert facts_of_one(plenty, SHORT)["mpr_basis_points"] == 10_000


@pytest.mark.parametrize(
    ("fills", "stay", "counted", "removed"),
    [
        ([("2019-12-17", 8), ("2019-12-28", 4)], (5, 6), (12, 15), (12, 13)),
        ([("2019-12-17", 7), ("2019-12-28", 4)], (12, 13), (11, 15), (9, 13)),
        ([("2019-12-17", 3), ("2019-12-22", 4), ("2019-12-28", 4)], (6, 9), (11, 15), (9, 11)),
    ],
)
def test_supply_that_overlaps_a_stay_is_used_up_after_it(
    fills: list[tuple[str, int]], stay: tuple[int, int], counted: tuple[int, int], removed: tuple[int, int]
) -> None:
    """The worked cases of CMS's adjustment as we read it: fifteen days, 17 to 31 December, with a stay on some."""
    before = day("2019-12-16")
    person = Person([(day(on), "|a", days) for on, days in fills], stays=[(before + stay[0], before + stay[1])] * 2)
    assert covered(person, SHORT) == counted
    assert covered(person, replace(SHORT, stay_days=StayDays.REMOVED)) == removed


def test_who_is_in_hospital_all_the_time_has_no_day_in_the_period() -> None:
    person = Person(filled(("2019-01-10", "|a", 30), ("2019-02-10", "|a", 30)), stays=[(JANUARY, YEAR_END)])
    assert excluded_by(person) is None
    assert excluded_by(person, replace(PLAIN, stay_days=StayDays.REMOVED)) == "no_day_in_period"


def test_a_month_of_a_year_counts_its_own_days_of_the_years_treatment() -> None:
    by_year = replace(PLAIN, window=Window.YEAR)
    person = Person(filled(("2019-01-10", "|a", 30), ("2019-03-02", "|a", 60)))
    assert covered(person, by_year, "2019-01") == (22, 22)
    assert covered(person, by_year, "2019-02") == (8, 28)
    assert covered(person, by_year, "2019-03") == (30, 31)
    assert covered(person, by_year, "2019-Q1") == (60, 81)
    assert excluded_by(person, by_year, "2020-01") == "no_fill_of_the_class"


FROM_INDEX = replace(PLAIN, window=Window.INDEX, window_days=100)


def test_who_has_a_window_from_the_index_is_counted_once_where_it_ends_and_for_the_whole_of_it() -> None:
    """100 days from 24 September 2019 end on New Year's Day, a day earlier with the year."""
    twice = Person(filled(("2019-09-24", "|a", 30), ("2019-12-20", "|a", 60)))
    definition = replace(FROM_INDEX, threshold=Fraction(43, 100))
    with claims_of({"a": twice}) as engine:
        periods = ("2018", "2019", "2019-12", "2020-Q2", "2021", "2020", "2020-01")
        facts = [facts_of(engine, definition, period)["a"] for period in periods]
    assert [each["excluded_by"] for each in facts] == [
        "no_fill_of_the_class", *["window_not_over"] * 2, *["no_day_in_period"] * 2, None, None,
    ]  # fmt: skip
    for each in facts[5:]:
        assert [each[name] for name in PDC.columns] == [30 + 13, 100, 90, 2, 1, 4300, 9000]
    assert covered(Person([(on - 1, *rest) for on, *rest in twice.fills]), FROM_INDEX, "2019") == (43, 100)
    once = filled(("2019-09-24", "|a", 30))
    assert excluded_by(Person(once), FROM_INDEX, "2019") == "window_not_over"
    assert excluded_by(Person(once), FROM_INDEX, "2020") == "too_few_fill_dates"


def test_a_window_from_the_index_ends_early_with_enrolment_and_with_life() -> None:
    fills = filled(("2019-09-24", "|a", 30), ("2019-12-20", "|a", 60))
    ends = day("2019-12-30")
    for person in (Person(fills, spans=[(0, ends)]), Person(fills, death_day=ends)):
        assert covered(person, FROM_INDEX, "2019-12") == (30 + 11, 98)
        assert excluded_by(person, FROM_INDEX, "2019-11") == "window_not_over"
    assert excluded_by(Person(fills, spans=[(0, ends - 8)]), FROM_INDEX, "2019-12") == "treatment_too_short"  # 90 days


def test_days_are_those_of_the_index_product_where_product_is_a_dimension() -> None:
    products = {"beta": CodeList(frozenset({"|b"}), ""), "alpha": CodeList(frozenset({"ndc|a", "|a2"}), "")}
    definition = replace(SHORT, products=products)
    person = Person(
        filled(
            ("2019-12-01", "|b", 5), ("2019-12-01", "ndc|a", 3), ("2019-12-10", "rxnorm|a2", 4), ("2019-11-01", "|c", 9)
        )
    )
    facts = facts_of_one(person, definition, dimensions={"product": ("alpha", "beta")})
    assert (facts["product"], facts["days_covered"], facts["days_supplied"], facts["fills"]) == ("alpha", 7, 7, 2)
    facts = facts_of_one(person, definition)
    assert (facts["days_covered"], facts["days_supplied"], facts["fills"]) == (9, 12, 3)


def test_everybody_enrolled_is_counted_where_the_feed_is_about_them() -> None:
    enrolled = replace(PLAIN, persons=Persons.ENROLLED)
    spans = [(0, day("2019-02-14")), (JANUARY, day("2019-02-01")), (day("2019-02-20"), None)]
    with claims_of({"a": Person(spans=spans), "b": Person(spans=[(1, 2)])}) as engine:
        facts = facts_of(engine, enrolled, "2019", ["enrolled_days", "member_months"])
    assert [facts["a"][name] for name in ("excluded_by", "enrolled_days", "member_months")] == [None, 360, 11]
    assert facts["b"]["excluded_by"] == "not_enrolled"


def test_residence_is_that_of_the_periods_first_day() -> None:
    home = {"region": "OH", "line_of_business": "commercial"}
    person = Person(spans=[(1, None), (day("2019-06-01"), None)], more=home)
    with claims_of({"a": person}) as engine:
        engine.connection.execute("UPDATE enrolment SET region = CASE WHEN first_day = 1 THEN 'TX' ELSE 'CA' END")
        enrolled = replace(PLAIN, persons=Persons.ENROLLED)
        years = {period: facts_of(engine, enrolled, period)["a"] for period in ("2019", "2020", "2019-06", "2019-05")}
    assert {period: facts["region"] for period, facts in years.items()} == {
        "2019": "TX", "2020": "CA", "2019-06": "CA", "2019-05": "TX",
    }  # fmt: skip
    assert {facts["line_of_business"] for facts in years.values()} == {"commercial"}


def test_every_measure_of_the_catalogue_is_a_column_of_one_group() -> None:
    assert sorted(column for group in GROUPS for column in group.columns) == sorted(MEASURES.keys() - {MEMBERS.name})
    assert {MEASURES[column].group: group.name for group in GROUPS for column in group.columns} == {
        group: group for group in {measure.group for measure in MEASURES.values()} - {None}
    }


def test_a_measure_that_claims_do_not_have_is_refused() -> None:
    with claims_of({"a": Person()}) as engine, pytest.raises(MeasureUnknown, match="happiness"):
        facts_of(engine, PLAIN, "2019", ["happiness"])


DAYS = st.integers(JANUARY - 60, YEAR_END + 30)
DRUGS = ("|a", "|b", "|c")
PRODUCTS = {"|a": "one", "|b": "two", "|c": "one"}
SUPPLIES = st.sampled_from([0, 1, 7, 28, 30, 90, 400, 1_000_000])


def spans_of(longest: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(DAYS, st.integers(0, longest)).map(lambda span: (span[0], span[0] + span[1]))


PERSONS = st.builds(
    Person,
    fills=st.lists(st.tuples(DAYS, st.sampled_from(DRUGS), SUPPLIES), max_size=9),
    spans=st.lists(spans_of(500), min_size=1, max_size=3) | st.just([(JANUARY - 100, None)]),
    stays=st.lists(spans_of(30), max_size=3),
    death_day=st.none() | DAYS,
)
WINDOWS = {
    Window.PERIOD: lambda first, last: (first, last),
    Window.YEAR: lambda first, last: (JANUARY, YEAR_END),
    Window.INDEX: lambda first, last: (-3000, last),
}
PERIODS = {"2019": (JANUARY, YEAR_END), "2019-Q2": (JANUARY + 90, JANUARY + 180), "2019-12": (YEAR_END - 30, YEAR_END)}


@pytest.mark.slow
@settings(max_examples=10)
@given(
    persons=st.lists(PERSONS, min_size=8, max_size=20),
    period=st.sampled_from(sorted(PERIODS)),
    window=st.sampled_from(Window),
    stay_days=st.sampled_from(StayDays),
    by_product=st.booleans(),
    least=st.tuples(st.integers(1, 3), st.sampled_from([1, 30, 91])),
    days=st.tuples(st.integers(1, 400), st.sampled_from([0, 1, 45])),
)
def test_any_claims_give_what_counting_days_one_by_one_gives(
    persons: list[Person],
    period: str,
    window: Window,
    stay_days: StayDays,
    by_product: bool,
    least: tuple[int, int],
    days: tuple[int, int],
) -> None:
    first, last = PERIODS[period]
    rules = Rules(
        first, last, WINDOWS[window](first, last), days[0] if window is Window.INDEX else None, *least,
        enrolment_gap_days=days[1], stay_days_removed=stay_days is StayDays.REMOVED,
        products=PRODUCTS if by_product else None,
    )  # fmt: skip
    products = {
        name: CodeList(frozenset(drug for drug in DRUGS if PRODUCTS[drug] == name), "") for name in PRODUCTS.values()
    }
    definition = FeedDefinition(
        Persons.TREATED, window, days[0], products, *least, least_age=None, stay_days=stay_days,
        enrolment_gap_days=days[1],
    )  # fmt: skip
    by_name = {f"m{i}": person for i, person in enumerate(persons)}
    with claims_of(by_name) as engine:
        found = facts_of(engine, definition, period, dimensions={"product": ("one", "two")} if by_product else None)
    for member, person in by_name.items():
        facts, expected = found[member], pdc_by_days(person, rules)
        if isinstance(expected, Amounts):
            expected = replace(expected, days_supplied=facts["days_supplied"]) if _absurd(person) else expected
            assert facts["excluded_by"] is None
            assert {name: facts[name] for name in asdict(expected)} == asdict(expected)
        else:
            assert facts["excluded_by"] == expected


def _absurd(person: Person) -> bool:
    """One fill counts a century of supply at most."""
    return any(days == 1_000_000 for _, _, days in person.fills)
