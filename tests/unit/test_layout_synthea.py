"""The layout synthea gives what its files say: compared with the same files read by plain Python."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.claims.layouts import get_layout
from tests.support.layouts import existing, read, tables_of, write


@pytest.fixture(params=["synthea_ne", "synthea_ca"])
def synthea(request: pytest.FixtureRequest, shared_data: Path) -> Path:
    return existing(shared_data / request.param)


def day(text: str) -> date:
    return date.fromisoformat(text[:10])


def test_patients_of_synthea_are_members_of_their_state(synthea: Path) -> None:
    with tables_of(synthea, "synthea") as table:
        found = {row["member"]: tuple(row[name] for name in PATIENT_COLUMNS) for row in table("members")}

    assert found == {
        row["Id"]: (
            row["BIRTHDATE"],
            row["GENDER"],
            {"Nebraska": "NE", "California": "CA"}[row["STATE"]],
            row["DEATHDATE"] or None,
        )
        for row in read(synthea, "patients")
    }


PATIENT_COLUMNS = ("birth_day", "sex", "region", "death_day")


def test_enrolled_is_who_has_a_payer_on_that_day(synthea: Path) -> None:
    """Days of enrolment by person and line of business: from each start to the day before the next."""
    lines = {"Medicare": "medicare", "Medicaid": "medicaid", "Dual Eligible": "dual_eligible"}
    names = {row["Id"]: row["NAME"] for row in read(synthea, "payers")}
    expected: Counter[tuple[str, str]] = Counter()
    for row in read(synthea, "payer_transitions"):
        start, end = (row.get(f"{side}_DATE") or row[f"{side}_YEAR"] for side in ("START", "END"))
        if names[row["PAYER"]] != "NO_INSURANCE":
            expected[row["PATIENT"], lines.get(names[row["PAYER"]], "commercial")] += (day(end) - day(start)).days
    found: Counter[tuple[str, str]] = Counter()
    with tables_of(synthea, "synthea") as table:
        for row in table("enrolment"):
            span = day(row["last_day"]) - day(row["first_day"])
            found[row["member"], row["line_of_business"]] += span.days + 1

    assert found == expected


@pytest.mark.slow
def test_orders_of_synthea_become_dispenses(synthea: Path) -> None:
    deaths = {row["Id"]: day(row["DEATHDATE"]) for row in read(synthea, "patients") if row["DEATHDATE"]}
    orders = [row for row in read(synthea, "medications") if row["PATIENT"] < "2"]  # an eighth of the persons
    with tables_of(synthea, "synthea") as table:
        rows = table("fills", "member < '2'")
        found = [
            tuple(row[name] for name in ("member", "fill_day", "drug", "days_supply", "allowed_cents")) for row in rows
        ]
    expected = [fill for row in orders for fill in dispenses(row, deaths)]

    assert Counter(found) == Counter(expected)
    assert len({(row["member"], row["claim"]) for row in rows}) == len(rows)


def dispenses(order: Mapping[str, str], deaths: Mapping[str, date]) -> Iterator[tuple[str, ...]]:
    person, start, count = order["PATIENT"], day(order["START"]), int(order["DISPENSES"])
    days = (day(order["STOP"]) - start).days if order["STOP"] else 30 * count
    parts = max(min(count, days), 1)
    cents = int(Decimal(order["TOTALCOST"]) * 100)
    for number in range(parts):
        filled = start + timedelta(number * (days // parts))
        if order["STOP"] or filled <= deaths.get(person, date.max):
            share = cents * (number + 1) // parts - cents * number // parts
            yield (
                person,
                filled.isoformat(),
                f"rxnorm|{order['CODE']}",
                str(days // parts),
                f"{share // 100}.{share % 100:02d}",
            )


@pytest.mark.slow
def test_encounters_are_stays_or_visits_with_the_conditions_found_in_them(synthea: Path) -> None:
    conditions: dict[str, set[str]] = defaultdict(set)
    for row in read(synthea, "conditions"):
        conditions[row["ENCOUNTER"]].add(row["CODE"])
    expected = {
        row["Id"]: (
            row["PATIENT"],
            row["START"],
            row["STOP"] if row["ENCOUNTERCLASS"] in ("inpatient", "snf") else None,
            "ed" if row["ENCOUNTERCLASS"] == "emergency" else row["ENCOUNTERCLASS"],
            row["TOTAL_CLAIM_COST"],
            {row["CODE"], row["REASONCODE"], *conditions[row["Id"]]} - {""},
        )
        for row in read(synthea, "encounters")
    }
    with tables_of(synthea, "synthea") as table:
        stays, visits = table("stays"), table("visits")

    assert {row["type"] for row in stays} == {"inpatient", "snf"}
    assert len(stays) + len(visits) == len(expected)
    assert {
        row["claim"]: (
            row["member"],
            row.get("admission_day") or row["visit_day"],
            row.get("discharge_day"),
            row["type"],
            row["allowed_cents"],
            {code.removeprefix("snomed|") for code in row["codes"]},
        )
        for row in (*stays, *visits)
    } == expected


# --- what the two examples do not have

ORDER = {"PATIENT": "p", "ENCOUNTER": "e", "CODE": "1", "REASONCODE": "", "TOTALCOST": "10.00"}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """One patient who died, of a state that is no state, with years of payers as Synthea 2.7 wrote them."""
    for raw in get_layout("synthea").files:
        write(tmp_path / f"{raw.name}.csv", [dict.fromkeys(raw.columns, "")])
    patient = {"Id": "p", "BIRTHDATE": "1950-01-01", "DEATHDATE": "2020-03-15", "GENDER": "F", "STATE": "Elsewhere"}
    write(tmp_path / "patients.csv", [patient])
    names = {"1": "NO_INSURANCE", "2": "Dual Eligible", "3": "Aetna"}
    write(tmp_path / "payers.csv", [{"Id": number, "NAME": name} for number, name in names.items()])
    payers = [("1", "2015", "2016"), ("2", "2017", "2018"), ("3", "2019", "2019"), ("gone", "2020", "2020")]
    columns = ("PAYER", "START_YEAR", "END_YEAR")
    write(
        tmp_path / "payer_transitions.csv", [{"PATIENT": "p", **dict(zip(columns, row, strict=True))} for row in payers]
    )
    return tmp_path


def fills_of(folder: Path, **order: str) -> list[tuple[str, str, str]]:
    write(folder / "medications.csv", [{**ORDER, **order}])
    with tables_of(folder, "synthea") as table:
        return sorted((row["fill_day"], row["days_supply"], row["allowed_cents"]) for row in table("fills"))


def test_years_of_a_payer_are_included_and_an_unknown_payer_has_no_line_of_business(small: Path) -> None:
    fills_of(small, START="2019-01-01", STOP="2019-01-11", DISPENSES="1")
    with tables_of(small, "synthea") as table:
        found = sorted((row["first_day"], row["last_day"], row["line_of_business"]) for row in table("enrolment"))
        (member,) = table("members")

    assert found == [
        ("2017-01-01", "2018-12-31", "dual_eligible"),
        ("2019-01-01", "2019-12-31", "commercial"),
        ("2020-01-01", "2020-12-31", None),
    ]
    assert member["region"] == "Elsewhere"


@pytest.mark.parametrize(
    ("start", "stop", "count", "expected"),
    [
        ("2019-01-01", "2019-01-31", "3", [("01", "10", "3.33"), ("11", "10", "3.33"), ("21", "10", "3.34")]),
        ("2019-01-01", "2019-01-03", "5", [("01", "1", "5.00"), ("02", "1", "5.00")]),
        ("2019-01-01", "2019-01-01", "1", [("01", "0", "10.00")]),
        ("2019-01-01", "2019-01-20", "0", []),
        ("2019-01-05", "2019-01-01", "2", [("05", "-4", "10.00")]),  # refused by the reader: supply is below zero
        ("2019-01-05", "soon", "2", [("05", "soon", "10.00")]),
        ("2019-01-05", "2019-02-05", "many", [("05", "DISPENSES many", "10.00")]),
        ("2019-01-05", "", "999999999999999999", [("05", "DISPENSES 999999999999999999", "10.00")]),
    ],
)
def test_an_order_is_dispensed_evenly_and_what_cannot_be_read_stays_as_it_is(
    small: Path, start: str, stop: str, count: str, expected: list[tuple[str, str, str]]
) -> None:
    found = fills_of(small, START=start, STOP=stop, DISPENSES=count)

    assert found == [(f"2019-01-{number}", supply, cost) for number, supply, cost in expected]


@pytest.mark.parametrize("cost", ["1e15", "99999999999999.99", "9" * 40])
def test_a_cost_that_is_none_stays_as_it_is_and_stops_nothing(small: Path, cost: str) -> None:
    found = fills_of(small, START="2019-01-01", STOP="2019-01-21", DISPENSES="2", TOTALCOST=cost)

    assert found == [("2019-01-01", "10", cost), ("2019-01-11", "10", cost)]


def test_an_order_that_goes_on_is_dispensed_every_30_days_of_life(small: Path) -> None:
    found = fills_of(small, START="2020-01-15T10:00:00Z", STOP="", DISPENSES="5")

    assert found == [("2020-01-15", "30", "2.00"), ("2020-02-14", "30", "2.00"), ("2020-03-15", "30", "2.00")]
