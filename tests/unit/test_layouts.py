"""What holds of every layout: a person's rows come from that person's records alone, and codes off limits find them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from adapters.claims.code_lists import read_code_list
from adapters.claims.layouts import LAYOUTS, LayoutNotFound, get_layout
from adapters.claims.reading import read_claims
from adapters.claims.regions import STATE_BY_NAME, STATE_BY_SSA
from adapters.preparation.engine import Engine
from contracts.preparation.definitions import CodeList
from contracts.preparation.regions import CENSUS_REGION, CENSUS_REGIONS
from tests.support.layouts import existing, read, tables_of, values, write

FOLDERS = {"desynpuf": "desynpuf", "synthea_ne": "synthea", "synthea_ca": "synthea"}
Codes = set[tuple[str, str]]
CODE_LISTS = ("part2_security_labels", "shift_sensitive_codes")
SHORT = {  # by how the address of a system ends
    "icd-9-cm": "icd9cm",
    "icd-10-cm": "icd10cm",
    "ICD9": "icd9pcs",
    "ICD10": "icd10pcs",
    "HCPCSReleaseCodeSets": "hcpcs",
    "MS-DRG-Classifications-and-Software": "drg",
    "sct": "snomed",
    "rxnorm": "rxnorm",
    "loinc.org": "loinc",
}
OWNERS = {"DESYNPUF_ID", "PATIENT", "Id"}


@pytest.fixture(params=["desynpuf", "synthea_ne", pytest.param("synthea_ca", marks=pytest.mark.slow)])
def folder(request: pytest.FixtureRequest, shared_data: Path) -> Path:
    return existing(shared_data / request.param)


def test_layouts_are_found_by_name() -> None:
    assert {name for name in LAYOUTS if get_layout(name).name == name} == set(LAYOUTS)
    assert {"canonical", "desynpuf", "synthea"} <= set(LAYOUTS)
    with pytest.raises(LayoutNotFound, match="desynpuf, synthea"):
        get_layout("fhir")


@pytest.mark.slow
def test_what_a_person_is_in_the_tables_depends_on_that_person_alone(folder: Path, tmp_path: Path) -> None:
    """The same rows come out when nobody else is in the files."""
    layout = get_layout(FOLDERS[folder.name])
    first_file = layout.files[0].name
    persons = [row[column] for row in read(folder, first_file) for column in OWNERS & set(row)]
    chosen = {persons[0], persons[len(persons) // 2], persons[-1]}
    for raw in layout.files:
        rows = read(folder, raw.name)
        owner = next(iter(OWNERS - {"Id"} & set(rows[0])), "Id")
        kept = rows if raw.name == "payers" else [row for row in rows if row[owner] in chosen]
        write(tmp_path / f"{raw.name}.csv", kept or [dict.fromkeys(rows[0], "")])

    with tables_of(folder, layout.name) as of_all, tables_of(tmp_path, layout.name) as of_few:
        for name in layout.selects:
            expected = [told(row) for row in of_all(name, f"member IN {tuple(chosen)}")]
            found = [told(row) for row in of_few(name, "member IS NOT NULL")]
            assert sorted(found) == sorted(expected)


def told(row: Mapping[str, Any]) -> str:
    sorted_codes = {"codes": sorted(row["codes"])} if "codes" in row else {}
    return str({**row, "source_row": None, **sorted_codes})


# --- codes off limits


@pytest.mark.slow
def test_claims_with_a_listed_code_are_gone_before_anything_else(folder: Path) -> None:
    """Whichever column the code stands in. All other claims stay, but for those that are faulty."""
    codesets = existing(folder.parent / "codesets")
    rows = [row for name in CODE_LISTS for row in read(codesets, name)]
    listed = {(SHORT[row["system"].rsplit("/", 1)[1]], row["code"].replace(".", "")) for row in rows}
    claims = {claim for claim, codes in coded_claims(folder) if codes & listed}
    drugs = {f"{system}|{code}" for system, code in listed}

    without_lists = claims_kept(folder, {})
    with_lists = claims_kept(folder, {name: read_code_list(codesets / f"{name}.csv") for name in CODE_LISTS})

    assert with_lists == {(claim, drug) for claim, drug in without_lists if claim not in claims and drug not in drugs}
    assert len(with_lists) < len(without_lists)


def claims_kept(folder: Path, off_limits: dict[str, CodeList]) -> set[tuple[str, str | None]]:
    """The ids of all claims, with the drug of a fill."""
    with Engine.opened(threads=1) as engine:
        read_claims(engine, folder, get_layout(FOLDERS[folder.name]), off_limits=off_limits)
        others = "SELECT claim, NULL FROM stays UNION ALL SELECT claim, NULL FROM visits"
        return set(engine.rows(f"SELECT claim, drug FROM fills UNION ALL {others}"))


def coded_claims(folder: Path) -> Iterator[tuple[str, Codes]]:
    """Claims of stays and visits with their codes, read by plain Python."""
    if folder.name == "desynpuf":
        columns = {"DGNS": "icd9cm", "PRCDR": "icd9pcs", "HCPCS": "hcpcs", "CLM_DRG_CD": "drg"}
        for row in (*read(folder, "inpatient"), *read(folder, "outpatient")):
            yield row["CLM_ID"], {(system, code) for part, system in columns.items() for code in values(row, part)}
        return
    found: dict[str, Codes] = defaultdict(set)
    for row in (*read(folder, "conditions"), *read(folder, "encounters")):
        found[row.get("ENCOUNTER") or row["Id"]] |= {("snomed", row["CODE"]), ("snomed", row.get("REASONCODE", ""))}
    yield from found.items()


# --- regions


def test_states_have_the_ssa_codes_and_census_regions_of_the_reference_table(shared_data: Path) -> None:
    rows = read(existing(shared_data / "codesets"), "us_states_regions")

    assert {row["usps"]: STATE_BY_SSA[row["ssa"]] for row in rows} == {row["usps"]: row["usps"] for row in rows}
    assert {row["usps"]: row["census_region_name"].lower() for row in rows} == CENSUS_REGION
    assert set(CENSUS_REGIONS) == set(CENSUS_REGION.values())
    assert len(STATE_BY_NAME) == len(STATE_BY_SSA) == 53
    assert set(STATE_BY_SSA.values()) - set(CENSUS_REGION) == {"PR", "VI"}
