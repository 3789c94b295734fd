"""The DE-SynPUF example counts covered days as PQA does, and its cells hold every eligible person once."""

import csv
import os
from collections import Counter, defaultdict
from datetime import date, timedelta
from pathlib import Path

import pytest

from examples.desynpuf.cells import (
    VOCABULARIES,
    YEARS,
    Fill,
    Member,
    Rate,
    adherence_cells,
    band_age,
    count_covered_days,
    exact_adherence,
    measure_window,
    read_members,
    shift_supply,
)

REPOSITORY = Path(__file__).resolve().parents[2]
TEST_DATA = Path(os.environ.get("PARLEY_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
YEAR_END = date(2021, 12, 31)


def find_data(folder: str) -> Path:
    path = TEST_DATA / folder
    if not path.is_dir():
        pytest.skip(f"needs the folder {folder} of the test data (PARLEY_TEST_DATA), which is absent")
    return path


def fill(drug: str, day: str, supply_days: int) -> Fill:
    return Fill(drug, date.fromisoformat(day), supply_days)


# The cases that PQA's worked claims tell apart, with our own dates: fills, days covered to the year's end.
CASES = {
    "one drug after another": ([fill("a", "2021-02-01", 30), fill("b", "2021-03-03", 30)], 60),
    "two drugs from the same day count once": (
        [fill("a", "2021-02-01", 30), fill("b", "2021-02-01", 30)],
        30,
    ),
    "another drug's early fill is not shifted": (
        [fill("a", "2021-02-01", 30), fill("b", "2021-02-21", 30)],
        50,
    ),
    "the same drug's early fill is shifted": ([fill("a", "2021-02-01", 30), fill("a", "2021-02-21", 30)], 60),
    "a late refill leaves a gap": ([fill("a", "2021-02-01", 30), fill("a", "2021-05-01", 30)], 60),
    "shifted supply is cut at the end": (
        [fill("a", "2021-11-01", 30), fill("a", "2021-11-20", 30), fill("a", "2021-12-10", 30)],
        61,
    ),
}


@pytest.mark.parametrize(("fills", "covered_days"), CASES.values(), ids=CASES)
def test_covered_days_follow_pqas_rules_in_whatever_order_fills_come(fills: list[Fill], covered_days: int) -> None:
    assert count_covered_days(fills, YEAR_END) == covered_days
    assert count_covered_days(fills[::-1], YEAR_END) == covered_days


def test_an_early_refill_begins_the_day_after_the_supply_before_it() -> None:
    supply = shift_supply([fill("a", "2021-02-01", 30), fill("a", "2021-02-21", 30)])
    assert [(date.fromordinal(first), date.fromordinal(last)) for first, last in supply] == [
        (date(2021, 2, 1), date(2021, 3, 2)),
        (date(2021, 3, 3), date(2021, 4, 1)),
    ]


def test_two_fills_of_one_drug_on_one_day_last_twice_as_long() -> None:
    assert count_covered_days([fill("a", "2021-01-01", 30)] * 2, YEAR_END) == 60


def test_a_fill_of_no_days_is_a_fill_and_covers_nothing() -> None:
    fills = [fill("a", "2021-01-01", 0), fill("a", "2021-12-01", 31)]
    assert measure_window(fills, YEAR_END) == (31, 365)


@pytest.mark.parametrize(
    ("second_fill", "end", "window"),
    [
        ("2021-10-20", YEAR_END, (20, 91)),
        ("2021-10-20", date(2021, 12, 30), None),
        ("2021-10-02", YEAR_END, None),
    ],
    ids=["91 days", "90 days", "fills on one day only"],
)
def test_eligible_is_who_fills_on_two_days_and_is_seen_for_91(
    second_fill: str, end: date, window: tuple[int, int] | None
) -> None:
    fills = [fill("a", "2021-10-02", 10), fill("b", second_fill, 10)]
    assert measure_window(fills, end) == window


def test_the_window_ends_with_life_and_fills_dated_later_do_not_count() -> None:
    fills = [fill("a", "2021-01-01", 30), fill("a", "2021-04-01", 30), fill("a", "2021-09-01", 30)]
    assert measure_window(fills, date(2021, 4, 10)) == (40, 100)
    assert measure_window([fills[0], fills[2]], date(2021, 8, 31)) is None


@pytest.mark.parametrize(
    ("birth", "band"),
    [
        ("1982-05-01", "under_65"),
        ("1943-01-02", "under_65"),
        ("1943-01-01", "65-74"),
        ("1933-01-02", "65-74"),
        ("1933-01-01", "75-84"),
        ("1923-01-02", "75-84"),
        ("1923-01-01", "85+"),
        ("1909-01-01", "85+"),
    ],
)
def test_the_age_band_is_that_of_new_years_day(birth: str, band: str) -> None:
    assert band_age(date.fromisoformat(birth), date(2008, 1, 1)) == band


@pytest.mark.parametrize(
    ("covered_days", "band"),
    [
        (0, "p00_20"),
        (19, "p00_20"),
        (20, "p20_40"),
        (40, "p40_60"),
        (79, "p60_80"),
        (80, "p80_100"),
        (100, "p80_100"),
    ],
)
def test_an_adherence_band_holds_its_lower_edge_and_the_last_holds_one(covered_days: int, band: str) -> None:
    assert Member("F", "65-74", covered_days, 100).adherence_band == band


def test_a_folder_becomes_cells_and_exact_rates(tmp_path: Path) -> None:
    (tmp_path / "bene.csv").write_text(
        "BENE_YEAR,DESYNPUF_ID,BENE_BIRTH_DT,BENE_DEATH_DT,BENE_SEX_IDENT_CD\n"
        "2008,A,1940-01-01,,2\n2009,A,1940-01-01,,2\n"  # few days covered in 2008, most in 2009
        "2008,B,1950-01-01,,1\n2009,B,1950-01-01,2009-05-01,1\n"  # adherent to the end in 2009
        "2008,C,1920-01-01,,1\n2009,C,1920-01-01,,1\n"  # one fill a year: never eligible
        "2008,D,1920-01-01,,1\n"  # no row for 2009, so the fills of 2009 do not count
    )
    (tmp_path / "pde.csv").write_text(
        "DESYNPUF_ID,PDE_ID,SRVC_DT,PROD_SRVC_ID,QTY_DSPNSD_NUM,DAYS_SUPLY_NUM\n"
        "A,1,2008-01-01,x,1,10\nA,2,2008-06-01,x,1,10\nA,3,2009-01-01,x,1,180\nA,4,2009-06-01,x,1,180\n"
        "B,5,2009-01-01,x,1,90\nB,6,2009-02-01,y,1,90\nC,7,2008-01-01,x,1,90\nC,8,2009-01-01,x,1,90\n"
        "D,9,2009-01-01,x,1,90\nD,10,2009-02-01,x,1,90\n"
    )
    first_year, second_year = (read_members(tmp_path, year) for year in YEARS)
    assert first_year == [Member("F", "65-74", 20, 366)]
    assert second_year == [Member("F", "65-74", 360, 365), Member("M", "under_65", 121, 121)]
    assert adherence_cells(second_year) == {
        "sex": ["F", "M"],
        "age_band": ["65-74", "under_65"],
        "adherence_band": ["p80_100", "p80_100"],
        "members": [1, 1],
    }
    assert exact_adherence(first_year + second_year) == {
        "overall": Rate(2, 3),
        "F": Rate(1, 2),
        "M": Rate(1, 1),
    }


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def count_with_day_sets(fills: list[Fill], end: date) -> int:
    """Covered days the slow way: each day of supply goes to the first day not covered by its drug."""
    days_of: defaultdict[str, set[date]] = defaultdict(set)
    for one in sorted(fills, key=lambda one: one.day):
        day = one.day
        for _ in range(one.supply_days):
            while day in days_of[one.ndc]:
                day += timedelta(days=1)
            days_of[one.ndc].add(day)
    return sum(day <= end for day in set().union(*days_of.values()))


@pytest.mark.parametrize("year", YEARS)
def test_the_whole_desynpuf_folder_agrees_with_counting_day_by_day(year: str) -> None:
    folder = find_data("desynpuf")
    fills_of: defaultdict[str, list[Fill]] = defaultdict(list)
    for row in read_rows(folder / "pde.csv"):
        if row["SRVC_DT"].startswith(year):
            one = fill(row["PROD_SRVC_ID"], row["SRVC_DT"], int(row["DAYS_SUPLY_NUM"]))
            fills_of[row["DESYNPUF_ID"]].append(one)
    expected: Counter[tuple[str, str]] = Counter()
    for row in read_rows(folder / "bene.csv"):
        fills = fills_of[row["DESYNPUF_ID"]]
        if row["BENE_YEAR"] != year or len({one.day for one in fills}) < 2:
            continue
        end = date.fromisoformat(row["BENE_DEATH_DT"] or f"{year}-12-31")
        window_days = (end - min(one.day for one in fills)).days + 1
        if window_days >= 91:
            pdc = count_with_day_sets(fills, end) / window_days
            tops = zip(VOCABULARIES["adherence_band"], (0.2, 0.4, 0.6, 0.8, 2), strict=True)
            band = next(name for name, top in tops if pdc < top)
            expected[{"1": "M", "2": "F"}[row["BENE_SEX_IDENT_CD"]], band] += 1

    members = read_members(folder, year)
    assert Counter((one.sex, one.adherence_band) for one in members) == expected
    cells = adherence_cells(members)
    assert sum(int(count) for count in cells["members"]) == expected.total() > 100
    adherent = expected["F", "p80_100"] + expected["M", "p80_100"]
    assert exact_adherence(members)["overall"] == Rate(adherent, expected.total())


def test_supply_is_shifted_to_the_doses_that_pqa_publishes() -> None:
    year_end = date(2018, 12, 31)
    claims: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for row in read_rows(find_data("pqa") / "pqa_worked_claims.csv"):
        claims[row["example"]].append(row)
    assert claims
    for rows in claims.values():
        supply = shift_supply(fill(row["drug"], row["date_of_fill"], int(row["days_supply"])) for row in rows)
        doses = [(date.fromordinal(first), min(date.fromordinal(last), year_end)) for first, last in supply]
        assert doses == [
            (date.fromisoformat(row["date_of_first_dose"]), date.fromisoformat(row["date_of_last_dose"]))
            for row in rows
        ]


def test_covered_days_are_those_of_the_adherer_reference() -> None:
    folder = find_data("adherer")
    fills_of: defaultdict[str, list[Fill]] = defaultdict(list)
    for row in read_rows(folder / "med_events.csv"):
        fills_of[row["PATIENT_ID"]].append(fill(row["CATEGORY"], row["DATE_ISO"], int(row["DURATION"])))
    references = read_rows(folder / "reference_pqa_union_pdc_365.csv")
    assert references
    for reference in references:
        end = date.fromisoformat(reference["index_date"]) + timedelta(days=364)
        fills = [one for one in fills_of[reference["PATIENT_ID"]] if one.day <= end]
        assert count_covered_days(fills, end) == int(reference["days_covered"])
