"""Codes find one another however they are written, in Python and in SQL alike, and code lists say what ails them."""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.claims.code_lists import CodeListUnreadable, read_code_list, systems_not_used
from adapters.claims.codes import SYSTEMS, code_system, create_code_macros, list_keys, normal_code

LISTS = ("part2_security_labels.csv", "shift_sensitive_codes.csv")
HCPCS = "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
NAMES = ["", "unknown", "icd9cm", "ICD-9", "urn:oid:2.16.840.1.113883.6.90", "http://snomed.info/sct", HCPCS, "NDC "]
WRITTEN = st.text(" \t\r\n\u00a0.-|0123456789abcfxyzABCFXYZ'\\", max_size=16)
NDCS = st.from_regex(r"\A[0-9]{3,6}-[0-9]{2,5}-[0-9]{0,3}\Z")


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        create_code_macros(connection)
        yield connection


@pytest.fixture
def codesets(shared_data: Path) -> Path:
    folder = shared_data / "codesets"
    if not folder.is_dir():
        pytest.skip("needs the folder codesets of the reference data")
    return folder


def list_of(folder: Path, content: str | bytes) -> frozenset[str]:
    path = folder / "list.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_code_list(path).codes


# --- the normal form


@pytest.mark.parametrize(
    ("system", "written", "normal"),
    [
        ("http://hl7.org/fhir/sid/icd-10-cm", "f10.10", "icd10cm|F1010"),
        ("http://www.cms.gov/Medicare/Coding/ICD10", "HZ2ZZZZ", "icd10pcs|HZ2ZZZZ"),
        ("http://www.cms.gov/Medicare/Coding/ICD9", " 94.45", "icd9pcs|9445"),
        ("urn:oid:2.16.840.1.113883.6.103", "V60.0", "icd9cm|V600"),
        ("urn:oid:2.16.840.1.113883.6.90", "Z21", "icd10cm|Z21"),
        ("CPT", "99281", "hcpcs|99281"),
        (HCPCS, "g0380\r\n", "hcpcs|G0380"),
        ("http://loinc.org/", "44249-1", "loinc|44249-1"),
        ("SNOMED CT", "145121000119106", "snomed|145121000119106"),
        ("RxNorm", "315952", "rxnorm|315952"),
        ("of our own", "X1", "|X1"),
        ("ndc", "", None),
    ],
)
def test_a_code_has_one_form_however_it_is_written(system: str, written: str, normal: str | None) -> None:
    assert normal_code(system, written) == normal


@pytest.mark.parametrize(
    ("written", "billed"),
    [
        ("1234-5678-90", "01234567890"),
        ("12345-678-90", "12345067890"),
        ("12345-6789-0", "12345678900"),
        ("12345-6789-01", "12345678901"),
        ("63874015801", "63874015801"),
        ("1234567890", "1234567890"),  # nothing says which part is short
    ],
)
def test_an_ndc_in_parts_has_the_eleven_digits_of_the_billing_form(written: str, billed: str) -> None:
    assert normal_code("ndc", written) == f"ndc|{billed}"


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from([*NAMES, *SYSTEMS]), st.one_of(WRITTEN, NDCS)), min_size=1, max_size=20))
@settings(max_examples=25)
@example([("ndc", "1234-5678-90"), ("", "\u00a0. "), ("icd9cm", "a|b"), ("drg", "\\'")])
def test_python_and_sql_write_codes_alike(connection: duckdb.DuckDBPyConnection, pairs: list[tuple[str, str]]) -> None:
    systems, codes = [list(each) for each in zip(*pairs, strict=True)]
    found = connection.execute(
        "SELECT normal_code(s, c), code_system(s) FROM (SELECT unnest($s) AS s, unnest($c) AS c)",
        {"s": systems, "c": codes},
    ).fetchall()

    assert found == [(normal_code(system, code), code_system(system)) for system, code in pairs]


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("http://hl7.org/fhir/sid/icd-10-cm|F10.10", "icd10cm|F1010"),
        ("F10.10", "|F1010"),
        ("|F10.10", "|F1010"),
        ("ndc|", None),
        (None, None),
    ],
)
def test_a_text_may_name_its_system_itself(
    connection: duckdb.DuckDBPyConnection, written: str | None, normal: str | None
) -> None:
    assert connection.execute("SELECT standard_code(CAST(? AS VARCHAR))", [written]).fetchall() == [(normal,)]


@pytest.mark.parametrize(
    ("listed", "claimed", "found"),
    [
        ("icd9cm|2910", "icd9cm|2910", True),
        ("icd9cm|2910", "icd9cm|291", False),
        ("icd9cm|9445", "icd9pcs|9445", False),
        ("|9445", "icd9pcs|9445", True),
        ("icd9pcs|9445", "|9445", True),
        ("|9445", "|9445", True),
        ("|9445", "|9446", False),
    ],
)
def test_systems_are_compared_where_both_are_known(
    connection: duckdb.DuckDBPyConnection, listed: str, claimed: str, found: bool
) -> None:
    (answer,) = connection.execute(
        "SELECT list_has_any(code_keys($claimed), $keys)", {"claimed": claimed, "keys": sorted(list_keys([listed]))}
    ).fetchall()

    assert answer == (found,)


# --- lists


def test_a_list_may_be_one_code_a_line(tmp_path: Path) -> None:
    assert list_of(tmp_path, "\ufeffF10.10\n\nicd9cm|291.0\r\n 0591-0405-01 \n") == {
        "|F1010",
        "icd9cm|2910",
        "|00591040501",
    }


def test_a_list_may_be_csv_with_or_without_systems(tmp_path: Path) -> None:
    assert list_of(tmp_path, "code\nF10.10\n") == {"|F1010"}
    quoted = 'Comment,CODE,System\n"first, of\ntwo lines",F10.10,ICD-10\n,291.0,\n,,icd9\n,icd9|303,\n'
    assert list_of(tmp_path, quoted) == {"icd10cm|F1010", "|2910", "icd9cm|303"}


def test_the_digest_is_of_the_bytes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(b"F10.10\r\n")

    assert read_code_list(path).sha256 == hashlib.sha256(b"F10.10\r\n").hexdigest()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "there is no code"),
        (b"code,system\n", "there is no code"),
        (b"name,system\nF10.10,ICD-10\n", "not one of them code"),
        (b"code,code\nF10.10,F10.11\n", "one of them twice"),
        (b"F10.10\nF10.*\n", "line 2 is no single whole code"),
        (b"F10.10\nF10.20, F10.21\n", "line 2 is no single whole code"),
        (b"code;system\nF10.10;ICD-10\n", "line 1 is no single whole code"),
        (b'code,system\n"F10.10,ICD-10\n', "unexpected end of data"),
        ("code\nF10.10 für\n".encode("latin-1"), "byte 13 is not UTF-8"),
    ],
)
def test_what_is_no_list_of_codes_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(CodeListUnreadable, match=reason):
        list_of(tmp_path, content)


def test_a_list_that_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(CodeListUnreadable, match="No such file"):
        read_code_list(tmp_path / "absent.csv")


@pytest.mark.parametrize("name", LISTS)
def test_published_lists_work_as_they_are(codesets: Path, name: str) -> None:
    """All their systems are known, and every row gives its code."""
    with (codesets / name).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    codes = read_code_list(codesets / name).codes

    assert len(codes) == len({(row["system"].replace("https", "http"), row["code"]) for row in rows})
    assert "" not in {code.partition("|")[0] for code in codes}
    assert {code.partition("|")[2] for code in codes} == {row["code"].replace(".", "") for row in rows}


def test_codes_of_systems_that_the_claims_do_not_use_are_counted(codesets: Path) -> None:
    """As CMS publishes it, counted by hand: 447 of ICD-10-CM and 57 of its procedures find nothing in older claims."""
    codes = read_code_list(codesets / LISTS[0])
    of_the_list = Counter(code.partition("|")[0] for code in codes.codes)

    unused = systems_not_used(codes, {"icd9cm", "icd9pcs", "hcpcs", "ndc", "drg"})

    assert of_the_list == {"icd10cm": 447, "icd9cm": 135, "hcpcs": 62, "icd10pcs": 57, "icd9pcs": 14, "drg": 5}
    assert unused == {"icd10cm": 447, "icd10pcs": 57}
    assert systems_not_used(codes, {"icd9cm", ""}) == {}
