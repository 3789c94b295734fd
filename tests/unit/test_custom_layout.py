"""A payer maps its own files onto the canonical model by a few lines of YAML."""

from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from adapters.claims.layouts.custom import MappingInvalid, custom_layout, read_custom_layout
from adapters.claims.layouts.layout import Layout
from adapters.claims.reading import read_claims
from adapters.preparation.engine import Engine

ADHERER = b"""
tables:
  fills:
    file: med_events.csv
    columns:
      member: PATIENT_ID
      fill_date: DATE_ISO
      drug: CATEGORY
      days_supply: DURATION
"""
PQA = b"""
tables:
  fills:
    file: pqa_worked_claims.csv
    columns: {member: example, fill_date: date_of_fill, drug: drug, days_supply: days_supply}
"""
OWN = rb"""
delimiter: ";"
encoding: latin-1
decimal_mark: ","
date_formats: ["%d.%m.%Y", "%Y/%m/%d"]
tables:
  members:
    file: people.csv
    columns:
      member: "the \"id\""
      birth_date: born
      sex: {column: gender, values: {"1": M, "2": F}}
      line_of_business: {constant: commercial}
      as_of: year
  fills:
    file: [rx 1.csv, rx 2.csv]
    where: {status: [P, "it's paid"]}
    columns:
      member: id
      fill_date: filled
      drug: {column: code, system: NDC}
      days_supply: days
      allowed: {column: cents, money: cents}
  visits:
    file: visits.csv
    delimiter: "|"
    columns:
      member: id
      visit_date: {column: seen, date_formats: "%Y%m%d"}
      type: {column: place, values: {"23": ed}}
      codes:
        - {columns: [dx1, dx2], system: icd10cm}
        - {columns: px, system: hcpcs}
      allowed: paid
"""


def day(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def read(folder: Path, layout: Layout, *selects: str) -> list[list[tuple[Any, ...]]]:
    with Engine.opened() as engine:
        report = read_claims(engine, folder, layout)
        assert {str(count.reason) for count in report.counts} <= {"equal_rows", "merged"}
        return [engine.rows(f"{select} ORDER BY ALL") for select in selects]


def test_files_of_its_own_kind_are_read_as_the_mapping_says(tmp_path: Path) -> None:
    write = write_in(tmp_path)
    write("people.csv", 'the ""id"";born;gender;year', "é;01.02.1950;2;2009", "é;01.02.1951;1;2008")
    write("rx 1.csv", "id;filled;code;days;cents;status", "é;31.12.2018;0002-1433-80;30,0;1.234;P", "é;x;1;1;1;R")
    write("rx 2.csv", "status;id;filled;code;days;cents", "it's paid;é;2019/01/31;00002143380;90;50")
    write(
        "visits.csv", "id|seen|place|dx1|dx2|px|paid", "é|20190131|23|E11.9||99283|1.234,50", "é|20190201|11|||G0380|"
    )
    members, fills, visits = read(
        tmp_path,
        custom_layout(OWN),
        "SELECT member, birth_day, sex, line_of_business FROM members",
        "SELECT member, fill_day, drug, days_supply, allowed_cents FROM fills",
        "SELECT visit_day, type, codes, allowed_cents FROM visits",
    )
    assert members == [("é", day("1950-02-01"), "F", "commercial")]
    assert fills == [
        ("é", day("2018-12-31"), "ndc|00002143380", 30, 1234),
        ("é", day("2019-01-31"), "ndc|00002143380", 90, 50),
    ]
    assert visits == [
        (day("2019-01-31"), "ed", ["icd10cm|E119", "hcpcs|99283"], 123450),
        (day("2019-02-01"), "11", ["hcpcs|G0380"], None),
    ]


def write_in(folder: Path) -> Callable[..., None]:
    def write(name: str, header: str, *lines: str) -> None:
        quoted = header.replace('the ""id""', '"the ""id"""')
        (folder / name).write_text("\n".join([quoted, *lines, ""]), encoding="latin-1")

    return write


def test_a_date_of_another_format_than_stated_is_unreadable_and_never_guessed(tmp_path: Path) -> None:
    layout = custom_layout(ADHERER.replace(b"tables:", b'date_formats: "%d%m%Y"\ntables:'))
    (tmp_path / "med_events.csv").write_text(
        "PATIENT_ID,DATE_ISO,CATEGORY,DURATION\na,20122008,x,30\nb,2008-12-20,x,30\n", encoding="utf-8"
    )
    with Engine.opened() as engine:
        report = read_claims(engine, tmp_path, layout)
        assert engine.rows("SELECT member, fill_day FROM fills") == [("a", day("2008-12-20"))]
    assert [(count.column, str(count.reason), count.rows) for count in report.counts] == [("fill_day", "unreadable", 1)]


def test_a_row_of_a_member_that_does_not_say_its_time_beats_none_that_does(tmp_path: Path) -> None:
    write = write_in(tmp_path)
    write("people.csv", "the id;born;gender;year", "a;01.02.1970;2;", "a;01.02.1950;2;2009", "a;01.02.1951;1;2008")
    for name in ("rx 1.csv", "rx 2.csv"):
        write(name, "id;filled;code;days;cents;status")
    write("visits.csv", "id|seen|place|dx1|dx2|px|paid")
    layout = custom_layout(OWN.replace(rb"the \"id\"", b"the id"))
    assert read(tmp_path, layout, "SELECT member, birth_day, sex FROM members") == [[("a", day("1950-02-01"), "F")]]


def test_equal_rows_are_one_claim_where_the_payer_says_so(tmp_path: Path) -> None:
    (tmp_path / "med_events.csv").write_text(
        "PATIENT_ID,DATE_ISO,CATEGORY,DURATION\na,2018-01-01,x,30\na,2018-01-01,x,30\n", encoding="utf-8"
    )
    assert len(read(tmp_path, custom_layout(ADHERER), "SELECT * FROM fills")[0]) == 2
    dropped = custom_layout(ADHERER.replace(b"tables:", b"equal_rows: dropped\ntables:"))
    assert len(read(tmp_path, dropped, "SELECT * FROM fills")[0]) == 1


@pytest.mark.parametrize(
    ("old", "new", "pointer", "words"),
    [
        ("tables:", "table:", "/table", "did you mean tables?"),
        ("  fills:", "  fill:", "/tables/fill", "did you mean fills?"),
        ("file:", "files:", "/tables/fills/files", "did you mean file?"),
        ("member:", "membre:", "/tables/fills/columns/membre", "did you mean member?"),
        ("member: PATIENT_ID", "{}", "/tables/fills/columns", "write `member`"),
        ("med_events.csv", "../med_events.csv", "/tables/fills/file", "in the folder of claims"),
        ("med_events.csv", "/etc/passwd", "/tables/fills/file", "in the folder of claims"),
        ("drug: CATEGORY", "drug: {column: A, system: nbc}", "/tables/fills/columns/drug/system", "did you mean ndc?"),
        ("drug: CATEGORY", "drug: {column: A, constant: B}", "/tables/fills/columns/drug", "either `column`"),
        ("drug: CATEGORY", "drug: {column: A, money: cents}", "/tables/fills/columns/drug/money", "no such key"),
        ("drug: CATEGORY", "drug: {column: 7}", "/tables/fills/columns/drug/column", "write it in quotes"),
        ("DATE_ISO", '{column: D, date_formats: "%Y"}', "/tables/fills/columns/fill_date/date_formats", "no format"),
        ("DATE_ISO", '{column: D, date_formats: "%Q"}', "/tables/fills/columns/fill_date/date_formats", "no format"),
        ("tables:", "encoding: cp1252\ntables:", "/encoding", "write one of utf-8 latin-1 utf-16"),
        ("tables:", "tables: {}\ntables:", "", "a key stands twice"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused_with_a_pointer(old: str, new: str, pointer: str, words: str) -> None:
    text = ADHERER.decode().replace(old, new) if new != "{}" else ADHERER.decode().replace(f"      {old}\n", "")
    with pytest.raises(MappingInvalid) as caught:
        custom_layout(text.encode())
    assert [fault for fault in caught.value.faults if fault.pointer == pointer and words in fault.message]


def test_a_mapping_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingInvalid):
        read_custom_layout(tmp_path / "nowhere.yaml")
    path = tmp_path / "mapping.yaml"
    path.write_bytes(ADHERER)
    assert read_custom_layout(path).sha256 == custom_layout(ADHERER).sha256 != custom_layout(PQA).sha256


def test_adherers_patients_are_mapped_in_ten_lines(shared_data: Path) -> None:
    folder = shared_data / "adherer"
    if not folder.is_dir():
        pytest.skip("needs the folder adherer of the reference data")
    assert len(ADHERER.split(b"\n")) <= 10
    members, fills = read(folder, custom_layout(ADHERER), "SELECT * FROM members", "SELECT drug FROM fills")
    assert (len(members), Counter(fills).total()) == (100, 1080)
    assert set(fills) == {("|MEDA",), ("|MEDB",)}


def test_the_worked_claims_of_pqa_are_mapped_in_ten_lines(shared_data: Path) -> None:
    folder = shared_data / "pqa"
    if not folder.is_dir():
        pytest.skip("needs the folder pqa of the reference data")
    lines = (folder / "pqa_worked_claims.csv").read_text(encoding="utf-8").split()[1:]
    (fills,) = read(folder, custom_layout(PQA), "SELECT member, fill_day, drug, days_supply FROM fills")
    expected = [line.split(",")[:4] for line in lines]
    assert fills == sorted((who, day(when), f"|{drug.upper()}", int(days)) for who, drug, when, days in expected)
