"""The proportion of days covered against published and independent references: PQA's worked claims, R AdhereR, and
days of DE-SynPUF counted one by one."""

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from contracts.preparation.definitions import CodeList, FeedDefinition, Persons, Window
from tests.support.claims_by_hand import Person, claims_of, day, facts_of
from tests.support.pdc_by_days import Amounts, Rules, pdc_by_days

TREATED = FeedDefinition(Persons.TREATED, Window.PERIOD, least_age=None, least_fill_dates=1, least_treatment_days=1)
FROM_INDEX = replace(TREATED, window=Window.INDEX, window_days=365)
PATIENTS = 60


def rows_of(shared_data: Path, name: str) -> list[dict[str, str]]:
    path = shared_data / name
    if not path.is_file():
        pytest.skip(f"needs {name} of the reference data")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_pqas_worked_claims_cover_the_days_that_pqa_says(shared_data: Path) -> None:
    claims = rows_of(shared_data, "pqa/pqa_worked_claims.csv")
    persons: dict[str, Person] = {}
    dosed: dict[str, set[int]] = defaultdict(set)
    for row in claims:
        fill = (day(row["date_of_fill"]), f"|{row['drug']}", int(row["days_supply"]))
        member = row["example"]
        persons[member] = Person([*(persons[member].fills if member in persons else ()), fill])
        dosed[member] |= {*range(day(row["date_of_first_dose"]), day(row["date_of_last_dose"]) + 1)}
    year = {*range(day("2018-01-01"), day("2018-12-31") + 1)}
    with claims_of(persons) as engine:
        facts = facts_of(engine, TREATED, "2018")
    assert {member: facts[member]["days_covered"] for member in persons} == {
        member: len(days & year) for member, days in dosed.items()
    }
    for row in rows_of(shared_data, "pqa/pqa_worked_totals_derived.csv"):
        found = facts[row["example"]]
        assert found["days_covered"] == int(row["days_covered"])
        assert found["treatment_days"] == int(row["treatment_period_days_to_2018-12-31"])


def adherer_persons(events: Iterable[dict[str, str]], category: str | None = None) -> dict[str, Person]:
    fills: dict[str, list[tuple[int, str, int]]] = defaultdict(list)
    for row in events:
        if category in (None, row["CATEGORY"]):
            fills[row["PATIENT_ID"]].append((day(row["DATE_ISO"]), f"|{row['CATEGORY']}", int(row["DURATION"])))
    return {member: Person(fills[member]) for member in fills if int(member) <= PATIENTS}


def from_index(persons: dict[str, Person], window_days: int = 365) -> dict[str, dict[str, Any]]:
    """The facts of each person, from the one year in which the days from the first fill end."""
    found: dict[str, dict[str, Any]] = {}
    years = {date.fromordinal(date(1970, 1, 1).toordinal() + on).year for p in persons.values() for on, _, _ in p.fills}
    with claims_of(persons) as engine:
        for year in range(min(years), max(years) + 2 + window_days // 365):
            for member, facts in facts_of(engine, replace(FROM_INDEX, window_days=window_days), str(year)).items():
                assert facts["excluded_by"] is not None or member not in found
                found |= {member: facts} if facts["excluded_by"] is None else {}
    return found


@pytest.mark.slow
def test_a_year_from_the_first_fill_is_adherers_cma7_of_one_drug_and_its_union_of_several(shared_data: Path) -> None:
    events = rows_of(shared_data, "adherer/med_events.csv")
    alone = {
        f"{category} {member}": person
        for category in ("medA", "medB")
        for member, person in adherer_persons(events, category).items()
    }
    found = from_index(alone | adherer_persons(events))
    for row in rows_of(shared_data, "adherer/reference_cma7_per_drug_365.csv"):
        facts = found.pop(f"{row['CATEGORY']} {row['PATIENT_ID']}")
        assert (facts["treatment_days"], facts["days_covered"]) == (365, round(365 * float(row["cma7"])))
        assert facts["pdc_basis_points"] == int(10_000 * float(row["cma7"]) + 1e-6)
    reference = rows_of(shared_data, "adherer/reference_pqa_union_pdc_365.csv")
    assert len(reference) == len(found) == PATIENTS
    for row in reference:
        facts, covered, treated = found[row["PATIENT_ID"]], int(row["days_covered"]), int(row["treatment_period_days"])
        assert (facts["days_covered"], facts["treatment_days"]) == (covered, treated)
        assert facts["pdc_basis_points"] == 10_000 * covered // treated


@pytest.mark.slow
@pytest.mark.parametrize("window_days", [180, 730])
def test_other_windows_from_the_first_fill_cover_the_days_that_counting_them_gives(
    shared_data: Path, window_days: int
) -> None:
    persons = adherer_persons(rows_of(shared_data, "adherer/med_events.csv"))
    found = from_index(persons, window_days)
    assert found.keys() == persons.keys()
    for member, person in persons.items():
        first = min(on for on, _, _ in person.fills)
        rules = Rules(first, first + window_days - 1, (first, first + window_days - 1), window_days, 1, 1)
        amounts = Amounts(
            *(found[member][name] for name in ("days_covered", "treatment_days", "days_supplied", "fills"))
        )
        assert amounts == pdc_by_days(person, rules)


def test_a_class_of_one_drug_is_that_drug_alone(shared_data: Path) -> None:
    """By code list over all claims, the same as when other drugs were never in the claims."""
    events = rows_of(shared_data, "adherer/med_events.csv")
    definition = replace(TREATED, products={"a": CodeList(frozenset({"|medA"}), "")})
    both, alone = adherer_persons(events), adherer_persons(events, "medA")
    with claims_of(both) as engine:
        by_list = facts_of(engine, definition, "2035")
    with claims_of(alone) as engine:
        by_itself = facts_of(engine, TREATED, "2035")
    counted = {member: facts for member, facts in by_itself.items() if facts["excluded_by"] is None}
    assert len(counted) > 5
    assert {member: facts for member, facts in by_list.items() if facts["excluded_by"] is None} == counted


def desynpuf_persons(shared_data: Path) -> dict[str, Person]:
    fills: dict[str, list[tuple[int, str, int]]] = defaultdict(list)
    for row in rows_of(shared_data, "desynpuf/pde.csv"):
        fills[row["DESYNPUF_ID"]].append(
            (day(row["SRVC_DT"]), f"ndc|{row['PROD_SRVC_ID']}", int(row["DAYS_SUPLY_NUM"]))
        )
    deaths = {
        row["DESYNPUF_ID"]: day(row["BENE_DEATH_DT"]) if row["BENE_DEATH_DT"] else None
        for row in rows_of(shared_data, "desynpuf/bene.csv")
    }
    return {member: Person(fills.get(member, []), death_day=died) for member, died in deaths.items()}


@pytest.mark.parametrize("least", [(2, 91), pytest.param((1, 1), marks=pytest.mark.slow)])
def test_any_drug_of_desynpuf_covers_the_days_that_counting_them_gives(
    shared_data: Path, least: tuple[int, int]
) -> None:
    persons = desynpuf_persons(shared_data)
    definition = replace(TREATED, least_fill_dates=least[0], least_treatment_days=least[1])
    first, last = day("2008-01-01"), day("2008-12-31")
    with claims_of(persons) as engine:
        facts = facts_of(engine, definition, "2008", ["days_covered", "treatment_days"])
    found: dict[str, Any] = {}
    for member, each in facts.items():
        amounts = Amounts(*(each[name] for name in ("days_covered", "treatment_days", "days_supplied", "fills")))
        found[member] = each["excluded_by"] or amounts
    assert found == {
        member: pdc_by_days(person, Rules(first, last, (first, last), None, *least))
        for member, person in persons.items()
    }
    assert sum(isinstance(each, Amounts) for each in found.values()) > 100
