"""A folder of claims becomes the canonical relations, whatever kind of files it is in and however they are written."""

import gzip
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.claims.layouts.canonical import CANONICAL
from adapters.claims.model import TABLES
from adapters.claims.reading import read_claims
from adapters.claims.report import ClaimsReport
from adapters.preparation.engine import Engine
from contracts.preparation.definitions import CodeList
from tests.support.claims_folder import fill, span, stay, visit, write_claims, write_table

EPOCH = date(1970, 1, 1)
FILLS = [
    fill("a", "2018-01-01", "ndc|00021433801", 30, allowed="12.345", claim="1"),
    fill("b", "2018-02-01", "ndc|00021433801", 90, allowed="100", claim="1"),
]


def day(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH).days


def read(folder: Path, *selects: str, **options: Any) -> tuple[ClaimsReport, list[list[tuple[Any, ...]]]]:
    with Engine.opened() as engine:
        report = read_claims(engine, folder, CANONICAL, **options)
        return report, [sorted(engine.rows(select), key=str) for select in selects]


def rows(folder: Path, select: str, **options: Any) -> list[tuple[Any, ...]]:
    return read(folder, select, **options)[1][0]


def test_dates_are_days_and_money_is_whole_cents(tmp_path: Path) -> None:
    write_claims(tmp_path, fills=FILLS)
    assert rows(tmp_path, "SELECT member, fill_day, days_supply, allowed_cents, claim FROM fills") == [
        ("a", day("2018-01-01"), 30, 1235, "1"),
        ("b", day("2018-02-01"), 90, 10000, "1"),
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("2018-03-01T23:59:00Z", "2018-03-01"), ("20180301", "2018-03-01"), ("2018-03-01 00:00:00", "2018-03-01")],
)
def test_a_date_is_read_as_it_is_usually_written(tmp_path: Path, written: str, meant: str) -> None:
    write_claims(tmp_path, fills=[fill("a", written, "ndc|1", 30)])
    assert rows(tmp_path, "SELECT fill_day FROM fills") == [(day(meant),)]


def test_every_relation_has_the_columns_and_types_of_the_model_even_where_there_is_no_file(tmp_path: Path) -> None:
    write_claims(tmp_path, fills=FILLS)
    with Engine.opened() as engine:
        read_claims(engine, tmp_path, CANONICAL)
        for table in TABLES:
            described = [(row[0], row[1]) for row in engine.rows(f"DESCRIBE SELECT * FROM {table.name}")]
            assert described == [(column.name, str(column.type)) for column in table.columns]
        assert engine.rows("SELECT * FROM excluding_claims") == []


def test_what_the_files_give_is_told_from_what_they_do_not(tmp_path: Path) -> None:
    write_claims(
        tmp_path,
        members=[{"member": "a", "birth_date": None}],
        fills=[fill("a", "2018-01-01", "ndc|1", 30, claim=None)],
    )
    given = read(tmp_path)[0].given
    assert {"members", "members.birth_day", "fills.claim"} <= given
    assert not {"enrolment", "stays", "members.death_day", "fills.allowed_cents"} & given


def test_without_a_file_of_members_everybody_with_a_claim_is_one_once(tmp_path: Path) -> None:
    write_claims(
        tmp_path, fills=[*FILLS, fill("a", "2018-03-01", "ndc|1", 30)], visits=[visit("c", "2018-01-01", type="ED")]
    )
    (members, visits) = read(tmp_path, "SELECT member FROM members", "SELECT member, type FROM visits")[1]
    assert members == [("a",), ("b",), ("c",)]
    assert visits == [("c", "ed")]


def test_gzip_and_parts_and_whole_files_say_the_same(tmp_path: Path) -> None:
    whole = write_claims(tmp_path / "whole", fills=FILLS)
    (packed := tmp_path / "packed").mkdir()
    (packed / "fills.csv.gz").write_bytes(gzip.compress((whole / "fills.csv").read_bytes()))
    (parts := tmp_path / "parts").mkdir()
    (inside := tmp_path / "inside" / "fills").mkdir(parents=True)
    for number, row in enumerate(FILLS):
        write_table(parts / f"fills-{number}.csv", [row])
        write_table(inside / f"{number}.csv", [row])
    expected = rows(whole, "SELECT * FROM fills")
    for folder in (packed, parts, inside.parent):
        assert rows(folder, "SELECT * FROM fills") == expected


def write_parquet(folder: Path, claim_dates: pa.Array) -> None:
    columns = {
        "member": pa.array(["a", "b"]),
        "fill_date": claim_dates,
        "drug": pa.array(["ndc|00021433801", "ndc|00021433802"]),
        "days_supply": pa.array([30, 90], pa.int16()),
        "allowed": pa.array([12, 100], pa.decimal128(9, 2)),
        "reversed": pa.array([False, None]),
        "claim": pa.array(["1", "2"]),
        "of no use": pa.array([b"\xff", b"\xfe"]),
    }
    pq.write_table(pa.table(columns), folder / "fills.parquet")


@pytest.mark.parametrize("date_type", [pa.date32(), pa.timestamp("us"), pa.string()])
def test_parquet_is_read_as_a_view_with_its_own_types(tmp_path: Path, date_type: pa.DataType) -> None:
    write_parquet(tmp_path, pa.array([date(2018, 1, 1), date(2018, 2, 1)]).cast(date_type))
    with Engine.opened() as engine:
        read_claims(engine, tmp_path, CANONICAL)
        assert sorted(engine.rows("SELECT member, fill_day, days_supply, allowed_cents FROM fills")) == [
            ("a", day("2018-01-01"), 30, 1200),
            ("b", day("2018-02-01"), 90, 10000),
        ]
        assert engine.rows("SELECT 1 FROM duckdb_tables() WHERE table_name LIKE '%fills%' AND estimated_size > 0") == []


def test_a_plain_parquet_of_drugs_in_normal_form_is_filtered_where_it_is_scanned(tmp_path: Path) -> None:
    write_parquet(tmp_path, pa.array([date(2018, 1, 1), date(2018, 2, 1)]))
    with Engine.opened() as engine:
        read_claims(engine, tmp_path, CANONICAL)
        ((_, plan),) = engine.rows("EXPLAIN SELECT sum(days_supply) FROM fills WHERE drug = 'ndc|00021433801'")
    scan = plan[plan.index("PARQUET") :]
    assert "Filters" in scan
    assert "allowed" not in plan
    assert "claim" not in plan


def test_names_of_files_and_columns_are_never_more_than_names(tmp_path: Path) -> None:
    folder = tmp_path / "it's [a] *folder*; DROP TABLE x"
    write_claims(folder, fills=[{**FILLS[0], "odd \"name', x) FROM y --": "'; SELECT 1"}])
    assert len(rows(folder, "SELECT * FROM fills")) == 1


def test_blanks_quotes_newlines_a_byte_order_mark_and_other_capitals_do_no_harm(tmp_path: Path) -> None:
    text = '\ufeffMember;FILL_DATE;drug;days_supply;note\r\n a ;2018-01-01;ndc|1; 30 ;"two\r\nlines; ""quoted"""\r\n'
    (tmp_path / "fills.csv").write_bytes(text.encode())
    assert rows(tmp_path, "SELECT member, fill_day, drug, days_supply FROM fills") == [
        ("a", day("2018-01-01"), "ndc|1", 30)
    ]


def test_links_are_followed(tmp_path: Path) -> None:
    source = write_claims(tmp_path / "source", fills=FILLS)
    (folder := tmp_path / "folder").mkdir()
    (folder / "fills.csv").symlink_to(source / "fills.csv")
    assert len(rows(folder, "SELECT * FROM fills")) == 2


def test_of_several_rows_of_a_member_each_column_is_known_however_the_rows_are_ordered(tmp_path: Path) -> None:
    several = [
        {"member": "a", "birth_date": "1950-01-01", "sex": None, "region": "CA"},
        {"member": "a", "birth_date": None, "sex": "female", "region": "NE"},
        {"member": "b", "birth_date": "1960-01-01", "sex": "M", "region": "CA"},
    ]
    for number, order in enumerate([several, several[::-1]]):
        folder = write_claims(tmp_path / str(number), members=order, fills=FILLS)
        report, (members,) = read(folder, "SELECT member, birth_day, sex, region FROM members")
        assert members == [("a", day("1950-01-01"), "F", "NE"), ("b", day("1960-01-01"), "M", "CA")]
        assert [(count.table, str(count.reason), count.rows) for count in report.counts] == [("members", "repeated", 1)]


def test_claims_off_limits_are_gone_before_anything_is_looked_at(tmp_path: Path) -> None:
    write_claims(
        tmp_path,
        fills=[
            fill("a", "2018-01-01", "ndc|1", 30, claim="1"),
            fill("a", "not a date", "rxnorm|55", 30, claim="1"),
            fill("off", "2018-01-01", "55", 30, claim="2"),
        ],
        stays=[stay("a", "2018-01-01", "2018-01-02", codes=["icd10cm|F11.20", "icd10cm|I10"])],
        visits=[visit("a", "2018-01-01", codes=["hcpcs|H0005x"]), visit("a", "2018-01-02", codes=None)],
    )
    lists = {
        "part2.csv": CodeList(frozenset({"icd10cm|F1120", "hcpcs|H0005", "icd9cm|2910", "icd9cm|2911"}), "1"),
        "drugs.txt": CodeList(frozenset({"|55"}), "2"),
    }
    report, (fills, stays, visits, members) = read(
        tmp_path,
        "SELECT claim FROM fills",
        "SELECT * FROM stays",
        "SELECT visit_day FROM visits",
        "SELECT member FROM members",
        off_limits=lists,
    )
    assert (fills, stays, visits, members) == ([("1",)], [], [(day("2018-01-01"),), (day("2018-01-02"),)], [("a",)])
    assert [(count.table, str(count.reason), count.rows) for count in report.counts] == [
        ("fills", "off_limits", 2),
        ("stays", "off_limits", 1),
    ]
    assert report.rows_read == {"fills": 3, "stays": 1, "visits": 2}
    assert report.faults == ()


def test_claims_with_a_code_of_an_exclusion_are_listed_by_member_and_day(tmp_path: Path) -> None:
    write_claims(
        tmp_path,
        fills=[fill("a", "2018-01-01", "ndc|1", 30), fill("b", "2018-01-05", "ndc|2", 30)],
        stays=[stay("a", "2018-02-01", "2018-02-03", codes=["icd10cm|N18.6", "icd10cm|Z99.2"])],
        visits=[visit("b", "2018-03-01", codes=["N18.6"]), visit("b", "2018-03-02", codes=["icd10cm|I10"])],
    )
    exclusions = {
        "esrd": CodeList(frozenset({"icd10cm|N186", "icd10cm|Z992"}), "1"),
        "sacubitril": CodeList(frozenset({"ndc|2"}), "2"),
    }
    assert rows(tmp_path, "SELECT member, list, day FROM excluding_claims", exclusions=exclusions) == [
        ("a", "esrd", day("2018-02-01")),
        ("b", "esrd", day("2018-03-01")),
        ("b", "sacubitril", day("2018-01-05")),
    ]


def test_a_time_with_a_zone_is_of_the_day_of_utc_whatever_the_zone_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = [datetime(2018, 1, 1, tzinfo=UTC), datetime(2018, 2, 1, 23, 59, tzinfo=UTC)]
    write_parquet(tmp_path, pa.array(times, pa.timestamp("us", tz="UTC")))
    expected = [(day("2018-01-01"),), (day("2018-02-01"),)]
    for zone in ("America/New_York", "Asia/Tokyo"):
        with in_time_zone(zone, monkeypatch):
            assert rows(tmp_path, "SELECT fill_day FROM fills") == expected


@contextmanager
def in_time_zone(zone: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as changed:
        changed.setenv("TZ", zone)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("ids", "meant"),
    [
        (pa.array([" 007 ", "8\u00a0"]), ["007", "8"]),
        (pa.array([7, 8]), ["7", "8"]),
        (pa.array([7.0, 8.0]), ["7", "8"]),
        (pa.array([7, 8], pa.decimal128(9, 2)), ["7", "8"]),
        (pa.array([b"007", b"8 "]), ["007", "8"]),
    ],
)
def test_an_id_in_parquet_is_the_one_that_csv_would_give(tmp_path: Path, ids: pa.Array, meant: list[str]) -> None:
    columns = {
        "member": ids,
        "fill_date": ["2018-01-01 ", "2018-02-01"],
        "drug": ["ndc|1 ", "ndc|1"],
        "days_supply": ["30 ", " 30"],
        "allowed": ["1.00 ", ""],
        "reversed": ["N ", "  "],
        "claim": ["   ", "c "],
    }
    pq.write_table(pa.table(columns), tmp_path / "fills.parquet")
    write_claims(tmp_path, fills=None, members=[{"member": each, "sex": "F"} for each in meant])
    report, (fills,) = read(tmp_path, "SELECT member, drug, days_supply, allowed_cents, claim FROM fills")
    assert fills == [(meant[0], "ndc|1", 30, 100, None), (meant[1], "ndc|1", 30, None, "c")]
    assert report.counts == ()


def test_a_missing_id_that_became_a_number_that_is_none_is_missing(tmp_path: Path) -> None:
    columns = {
        "member": [7.0, float("nan")],
        "fill_date": ["2018-01-01"] * 2,
        "drug": ["1"] * 2,
        "days_supply": [30] * 2,
    }
    pq.write_table(pa.table(columns), tmp_path / "fills.parquet")
    report, (members,) = read(tmp_path, "SELECT member FROM members")
    assert members == [("7",)]
    assert [(count.column, str(count.reason)) for count in report.counts] == [("member", "missing")]


def test_a_span_that_began_before_all_claims_is_of_always(tmp_path: Path) -> None:
    write_claims(tmp_path, fills=FILLS, enrolment=[span("a", "1800-01-01"), span("b", "1753-01-01", "2018-06-30")])
    report, (spans,) = read(tmp_path, "SELECT * EXCLUDE (region, line_of_business) FROM enrolment")
    assert spans == [("a", day("1900-01-01"), None), ("b", day("1900-01-01"), day("2018-06-30"))]
    assert report.counts == ()


def test_an_enrolment_may_be_without_end(tmp_path: Path) -> None:
    write_claims(tmp_path, fills=FILLS, enrolment=[span("a", "2018-01-01"), span("b", "2018-01-01", "9999-12-31")])
    report, (spans,) = read(tmp_path, "SELECT member, last_day FROM enrolment")
    assert spans == [("a", None), ("b", None)]
    assert report.counts == ()
