"""The layout desynpuf gives what its files say: compared with the same files read by plain Python."""

from collections import Counter, defaultdict
from pathlib import Path

import pytest

from adapters.claims.layouts import get_layout
from adapters.claims.reading import read_claims
from adapters.preparation.engine import Engine
from tests.support.layouts import Rows, existing, read, tables_of, values, write


@pytest.fixture
def desynpuf(shared_data: Path) -> Path:
    return existing(shared_data / "desynpuf")


def test_members_of_desynpuf_are_persons_not_years(desynpuf: Path) -> None:
    years: dict[str, Rows] = defaultdict(list)
    for row in read(desynpuf, "bene"):
        years[row["DESYNPUF_ID"]].append(row)
    with tables_of(desynpuf, "desynpuf") as table:
        found = {row["member"]: (row["birth_day"], row["sex"], row["death_day"]) for row in table("members")}

    assert found == {
        person: (
            rows[0]["BENE_BIRTH_DT"],
            {"1": "M", "2": "F"}[rows[0]["BENE_SEX_IDENT_CD"]],
            next((row["BENE_DEATH_DT"] for row in rows if row["BENE_DEATH_DT"]), None),
        )
        for person, rows in years.items()
    }
    assert len(found) == 288


def test_who_has_a_row_for_a_year_is_enrolled_throughout_it_where_it_says(desynpuf: Path, shared_data: Path) -> None:
    states = {row["ssa"]: row["usps"] for row in read(shared_data / "codesets", "us_states_regions")} | {"54": "54"}
    with tables_of(desynpuf, "desynpuf") as table:
        found = table("enrolment")

    assert Counter((row["member"], row["first_day"], row["last_day"], row["region"]) for row in found) == Counter(
        (row["DESYNPUF_ID"], f"{year}-01-01", f"{year}-12-31", states[row["SP_STATE_CODE"]])
        for row in read(desynpuf, "bene")
        if (year := row["BENE_YEAR"])
    )
    assert {row["line_of_business"] for row in found} == {"medicare"}


def test_every_part_d_event_is_a_fill(desynpuf: Path) -> None:
    with tables_of(desynpuf, "desynpuf") as table:
        found = table("fills")

    assert Counter(tuple(row[name] for name in FILL_COLUMNS) for row in found) == Counter(
        (
            row["DESYNPUF_ID"],
            row["SRVC_DT"],
            f"ndc|{row['PROD_SRVC_ID']}",
            row["DAYS_SUPLY_NUM"],
            row["QTY_DSPNSD_NUM"],
            row["TOT_RX_CST_AMT"],
            row["PDE_ID"],
        )
        for row in read(desynpuf, "pde")
    )
    assert sum(row["days_supply"] == "0" for row in found) == 209


def test_nothing_is_at_fault_in_desynpuf_but_fills_of_no_days_have_a_rule(desynpuf: Path) -> None:
    with Engine.opened(threads=1) as engine:
        report = read_claims(engine, desynpuf, get_layout("desynpuf"), strict=True)

    assert [(count.column, str(count.reason), count.rows) for count in report.counts] == [
        ("days_supply", "days_supply_zero", 209)
    ]
    assert report.alarms == ()


FILL_COLUMNS = ("member", "fill_day", "drug", "days_supply", "quantity", "allowed_cents", "claim")


def test_inpatient_claims_are_stays_with_all_their_codes(desynpuf: Path) -> None:
    with tables_of(desynpuf, "desynpuf") as table:
        found = {row["claim"]: row for row in table("stays")}
    rows = read(desynpuf, "inpatient")

    assert set(found) == {row["CLM_ID"] for row in rows}
    for row in rows:
        stay = found[row["CLM_ID"]]
        dates = (row["CLM_ADMSN_DT"], row["NCH_BENE_DSCHRG_DT"])
        assert (stay["member"], stay["admission_day"], stay["discharge_day"]) == (row["DESYNPUF_ID"], *dates)
        assert (stay["type"], stay["allowed_cents"]) == ("inpatient", row["CLM_PMT_AMT"])
        assert {code.partition("|")[2] for code in stay["codes"]} == {
            *values(row, "DGNS"),
            *values(row, "PRCDR"),
            *values(row, "HCPCS"),
            row["CLM_DRG_CD"],
        }


def test_emergency_visits_are_known_by_their_procedure_codes(desynpuf: Path) -> None:
    emergency = {"99281", "99282", "99283", "99284", "99285", "G0380", "G0381", "G0382", "G0383", "G0384"}
    with tables_of(desynpuf, "desynpuf") as table:
        found = {row["claim"]: (row["member"], row["visit_day"], row["type"]) for row in table("visits")}

    assert found == {
        row["CLM_ID"]: (
            row["DESYNPUF_ID"],
            row["CLM_FROM_DT"],
            "ed" if values(row, "HCPCS") & emergency else "outpatient",
        )
        for row in read(desynpuf, "outpatient")
    }


# --- as CMS itself publishes it: a file for each year, dates without hyphens, claims in segments

BENE = {"BENE_DEATH_DT": "", "BENE_SEX_IDENT_CD": "1", "BENE_BIRTH_DT": "19400201"}
CLAIM = {"CLM_ADMSN_DT": "20080301", "NCH_BENE_DSCHRG_DT": "20080305", "CLM_PMT_AMT": "4000.00"}


@pytest.fixture
def original(tmp_path: Path) -> Path:
    write(tmp_path / "bene-2008.csv", [{"DESYNPUF_ID": "A", "SP_STATE_CODE": "5", **BENE}])
    moved = {"DESYNPUF_ID": "A", "SP_STATE_CODE": "33", **BENE, "BENE_DEATH_DT": "20090501"}
    write(tmp_path / "bene-2009.csv", [moved, {"DESYNPUF_ID": "B", "SP_STATE_CODE": "99", **BENE}])
    fill = {"PDE_ID": "1", "SRVC_DT": "20080229", "PROD_SRVC_ID": "0591-0405-01", "DAYS_SUPLY_NUM": "30"}
    write(tmp_path / "pde.csv", [{"DESYNPUF_ID": "A", **fill}])
    segments = [
        {"DESYNPUF_ID": "A", "CLM_ID": "7", "SEGMENT": "1", **CLAIM, "ICD9_DGNS_CD_10": "2910", "ICD9_PRCDR_CD_6": ""},
        {"DESYNPUF_ID": "A", "CLM_ID": "7", "SEGMENT": "2", **CLAIM, "ICD9_DGNS_CD_10": "", "ICD9_PRCDR_CD_6": "9445"},
        {"DESYNPUF_ID": "B", "CLM_ID": "7", "SEGMENT": "2", **CLAIM, "ICD9_DGNS_CD_10": "", "ICD9_PRCDR_CD_6": "E8781"},
        {"DESYNPUF_ID": "B", "CLM_ID": "", "SEGMENT": "1", **CLAIM, "ICD9_DGNS_CD_10": "4019", "ICD9_PRCDR_CD_6": ""},
        {"DESYNPUF_ID": "B", "CLM_ID": "", "SEGMENT": "1", **CLAIM, "ICD9_DGNS_CD_10": "4280", "ICD9_PRCDR_CD_6": ""},
    ]
    write(tmp_path / "inpatient.csv", segments)
    columns = {"CLM_FROM_DT": "20080301", "CLM_PMT_AMT": "-10", "HCPCS_CD_45": "99285"}
    write(tmp_path / "outpatient.csv", [{"DESYNPUF_ID": "B", "CLM_ID": "8", **columns}])
    return tmp_path


def test_the_year_of_a_beneficiary_file_may_be_in_its_name(original: Path) -> None:
    with tables_of(original, "desynpuf") as table:
        spans = sorted((row["member"], row["first_day"], row["last_day"], row["region"]) for row in table("enrolment"))
        deaths = {row["member"]: row["death_day"] for row in table("members")}

    assert spans == [
        ("A", "2008-01-01", "2008-12-31", "CA"),
        ("A", "2009-01-01", "2009-12-31", "NY"),
        ("B", "2009-01-01", "2009-12-31", "99"),  # a place that the table of states does not know
    ]
    assert deaths == {"A": "20090501", "B": None}


def test_segments_are_one_claim_of_one_person_with_the_codes_of_all(original: Path) -> None:
    with tables_of(original, "desynpuf") as table:
        found = sorted((row["member"], row["claim"] or "", sorted(row["codes"])) for row in table("stays"))
        visits = [(row["member"], row["type"], row["allowed_cents"]) for row in table("visits")]
        drugs = [row["drug"] for row in table("fills")]

    assert found == [
        ("A", "7", ["icd9cm|2910", "icd9pcs|9445"]),
        ("B", "", ["icd9cm|4019"]),
        ("B", "", ["icd9cm|4280"]),
        ("B", "7", ["icd9cm|E8781"]),
    ]
    assert visits == [("B", "ed", "-10")]
    assert drugs == ["ndc|00591040501"]
