"""Bad rows are counted by reason with a place and no value; what would make results wrong is refused in plain words."""

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.claims.faults import MAX_EXAMPLES, ClaimsFaulty, ClaimsUnreadable, FaultCount
from adapters.claims.layouts.canonical import CANONICAL
from adapters.claims.reading import read_claims
from adapters.claims.report import ClaimsReport
from adapters.preparation.engine import Engine
from tests.support.claims_folder import Row, fill, span, stay, visit, write_claims

MEMBER = {"member": "m1", "birth_date": "1950-06-15", "sex": "F", "death_date": "2019-06-30"}
GOOD = fill("m1", "2018-01-01", "ndc|1", 30, claim="good", reversed="no")


def read(folder: Path, *, strict: bool = False) -> tuple[ClaimsReport, list[tuple[str]]]:
    with Engine.opened() as engine:
        report = read_claims(engine, folder, CANONICAL, strict=strict)
        return report, engine.rows("SELECT claim FROM fills ORDER BY ALL")


def summary(counts: tuple[FaultCount, ...]) -> list[tuple[str, str | None, str, str, int]]:
    return [(each.table, each.column, str(each.reason), str(each.effect), each.rows) for each in counts]


FAULTY_FILLS: list[tuple[Row, str, str, str]] = [
    ({"member": None}, "member", "missing", "dropped"),
    ({"fill_date": None}, "fill_day", "missing", "dropped"),
    ({"fill_date": "01/31/2018"}, "fill_day", "unreadable", "dropped"),
    ({"fill_date": "2018-02-30"}, "fill_day", "unreadable", "dropped"),
    ({"fill_date": "20180230"}, "fill_day", "unreadable", "dropped"),
    ({"fill_date": "1899-12-31"}, "fill_day", "date_impossible", "dropped"),
    ({"fill_date": "2100-01-01"}, "fill_day", "date_impossible", "dropped"),
    ({"fill_date": "1950-06-14"}, "fill_day", "before_birth", "dropped"),
    ({"fill_date": "2019-07-01"}, "fill_day", "after_death", "dropped"),
    ({"drug": None}, "drug", "missing", "dropped"),
    ({"drug": "ndc|"}, "drug", "unreadable", "dropped"),
    ({"days_supply": None}, "days_supply", "missing", "dropped"),
    ({"days_supply": "thirty"}, "days_supply", "unreadable", "dropped"),
    ({"days_supply": "29.5"}, "days_supply", "unreadable", "dropped"),
    ({"days_supply": "1e2"}, "days_supply", "unreadable", "dropped"),
    ({"days_supply": -30}, "days_supply", "days_supply_negative", "dropped"),
    ({"days_supply": 36501}, "days_supply", "days_supply_impossible", "dropped"),
    ({"days_supply": "9" * 18}, "days_supply", "days_supply_impossible", "dropped"),
    ({"days_supply": 0}, "days_supply", "days_supply_zero", "kept"),
    ({"allowed": "12.50"}, "", "", ""),
    ({"allowed": "12 dollars"}, "allowed_cents", "unreadable", "unknown"),
    ({"allowed": "9" * 30}, "allowed_cents", "unreadable", "unknown"),
    ({"reversed": "perhaps"}, "reversed", "unreadable", "dropped"),
    ({"member": "somebody else"}, "member", "member_not_in_members", "dropped"),
]


def test_every_faulty_fill_is_counted_by_reason_with_its_place(tmp_path: Path) -> None:
    bad = [{**GOOD, "claim": f"bad {number}", **changes} for number, (changes, *_) in enumerate(FAULTY_FILLS)]
    write_claims(tmp_path, members=[MEMBER], fills=[GOOD, *bad])
    report, claims = read(tmp_path)
    expected: dict[tuple[str, ...], list[int]] = {}
    for row, (_, *what) in enumerate(FAULTY_FILLS, start=3):
        if any(what):
            expected.setdefault(tuple(what), []).append(row)
    found = {(str(each.column), str(each.reason), str(each.effect)): each for each in report.counts}
    assert {key: count.rows for key, count in found.items()} == {key: len(rows) for key, rows in expected.items()}
    places = {key: [(each.file, each.row) for each in count.examples] for key, count in found.items()}
    assert places == {key: [("fills.csv", row) for row in rows[:MAX_EXAMPLES]] for key, rows in expected.items()}
    kept = [f"bad {number}" for number, (*_, effect) in enumerate(FAULTY_FILLS) if effect != "dropped"]
    assert sorted(claims) == sorted((claim,) for claim in ["good", *kept])
    assert report.rows_read["fills"] == len(bad) + 1
    assert report.rows_kept["fills"] == len(claims)


def test_faulty_rows_of_the_other_tables_are_counted_too(tmp_path: Path) -> None:
    write_claims(
        tmp_path,
        members=[
            MEMBER,
            {"member": "m2", "birth_date": "soon", "sex": "?", "death_date": "9999-12-31"},
            {"member": "m3", "birth_date": "1980-01-01", "sex": "M", "death_date": "1979-12-31"},
        ],
        enrolment=[
            span("m1", "2018-01-01", "2017-12-31"),
            span("m1", "2018-01-01"),
            span("m2", "x"),
            span("m2", "2018-01-01", "31.12.2018"),
            span("m2", "1850-01-01", "1899-12-31"),
        ],
        fills=[GOOD],
        stays=[stay("m1", "2018-05-02", "2018-05-01"), stay("m1", "2020-01-01", "2020-01-02")],
        visits=[visit("m1", ""), visit("m3", "1979-01-01")],
    )
    report, _ = read(tmp_path)
    assert summary(report.counts) == [
        ("members", "birth_day", "unreadable", "unknown", 1),
        ("enrolment", "first_day", "unreadable", "dropped", 1),
        ("enrolment", "last_day", "unreadable", "dropped", 1),
        ("enrolment", "last_day", "date_impossible", "dropped", 1),
        ("enrolment", "last_day", "ends_before_it_begins", "dropped", 1),
        ("stays", "discharge_day", "ends_before_it_begins", "dropped", 1),
        ("visits", "visit_day", "missing", "dropped", 1),
        ("members", "death_day", "death_before_birth", "unknown", 1),
        ("members", "sex", "sex_unknown", "kept", 1),
        ("stays", "admission_day", "after_death", "dropped", 1),
        ("visits", "visit_day", "before_birth", "dropped", 1),
        ("members", None, "member_without_enrolment", "kept", 2),
    ]


def test_repeated_claims_stay_once_whatever_their_order(tmp_path: Path) -> None:
    twice = [
        fill("m1", "2018-01-01", "ndc|1", 30, claim="1"),
        fill("m1", "2018-01-01", "ndc|1", 90, claim="1"),
        fill("m2", "2018-01-01", "ndc|1", 30, claim="1"),
        fill("m1", "2018-01-01", "ndc|1", 30, claim="1"),
    ]
    for number in range(3):
        folder = write_claims(tmp_path / str(number), fills=random.Random(number).sample(twice, len(twice)))
        with Engine.opened() as engine:
            report = read_claims(engine, folder, CANONICAL)
            assert engine.rows("SELECT member, days_supply FROM fills ORDER BY ALL") == [("m1", 90), ("m2", 30)]
        assert summary(report.counts) == [("fills", None, "repeated", "dropped", 2)]


def test_equal_rows_without_a_claim_id_may_be_two_dispensings_and_stay(tmp_path: Path) -> None:
    write_claims(tmp_path, fills=[fill("m1", "2018-01-01", "ndc|1", 30)] * 2)
    report, claims = read(tmp_path)
    assert summary(report.counts) == [("fills", None, "equal_rows", "kept", 1)]
    assert str(report.counts[0]) == "fills: equal_rows (1 row kept; fills.csv row 3)"
    assert len(claims) == 2


def test_a_reversal_takes_its_fill_with_it(tmp_path: Path) -> None:
    write_claims(
        tmp_path,
        fills=[
            GOOD,
            fill("m1", "2018-02-01", "ndc|1", 30, claim="back"),
            fill("m1", "2018-02-03", "ndc|1", -30, claim="back", reversed="Y"),
            fill("m2", "2018-02-01", "ndc|1", 30, claim="back"),
            fill("m1", "2018-03-01", "ndc|1", 30, allowed=5),
            fill("m1", "2018-03-01", "ndc|1", 30, allowed=7),
            fill("m1", "2018-03-01", "ndc|1", -30, reversed=True),
            fill("m1", "2018-04-01", "ndc|1", 30, claim="alone", reversed=True),
        ],
    )
    report, _ = read(tmp_path)
    with Engine.opened() as engine:
        read_claims(engine, tmp_path, CANONICAL)
        left = engine.rows("SELECT member, claim, allowed_cents FROM fills ORDER BY ALL")
    assert left == [("m1", "good", None), ("m1", None, 700), ("m2", "back", None)]
    assert summary(report.counts) == [
        ("fills", None, "reversed", "expected", 4),
        ("fills", None, "reversal_without_fill", "dropped", 1),
    ]


def test_no_report_and_no_error_quotes_a_value_of_a_row(tmp_path: Path) -> None:
    secrets = {"member": "SECRET-1", "fill_date": "SECRET-2", "drug": "ndc|SECRET-3", "days_supply": "SECRET-4"}
    write_claims(tmp_path, members=[MEMBER], fills=[GOOD, {**GOOD, **secrets, "claim": "SECRET-5"}])
    report, _ = read(tmp_path)
    assert len(report.counts) == 2
    assert "SECRET" not in json.dumps(report.document()) + "".join(map(str, report.counts))
    with pytest.raises(ClaimsFaulty) as caught:
        read(tmp_path, strict=True)
    assert "fills.fill_day: unreadable (1 row dropped; fills.csv row 3)" in str(caught.value)
    assert str(caught.value).isprintable()
    assert "SECRET" not in str(caught.value)


def test_strict_lets_no_fault_pass_but_what_is_by_rule(tmp_path: Path) -> None:
    back = [fill("m1", "2018-02-01", "ndc|1", 30, claim="b", reversed=word) for word in ("no", "yes")]
    folder = write_claims(tmp_path / "by rule", members=[MEMBER], fills=[GOOD, *back])
    assert [str(each.reason) for each in read(folder, strict=True)[0].counts] == ["reversed"]
    of_no_days = {**GOOD, "days_supply": 0, "claim": "z"}
    folder = write_claims(tmp_path / "no days", members=[MEMBER], fills=[GOOD, of_no_days])
    assert [str(each.reason) for each in read(folder, strict=True)[0].counts] == ["days_supply_zero"]
    folder = write_claims(tmp_path / "fault", members=[MEMBER], fills=[GOOD, {**of_no_days, "days_supply": -1}])
    with pytest.raises(ClaimsFaulty):
        read(folder, strict=True)


HEADER = "member,fill_date,drug,days_supply\n"
ROWS = "".join(f"m{number},2018-01-01,ndc|1,30\n" for number in range(2000))


def not_utf8(folder: Path) -> None:
    (folder / "fills.csv").write_bytes(f"{HEADER}m1,2018-01-01,ndc|1,30\nmé,2018-01-01,ndc|1,30\n".encode("latin-1"))


def truncated_line(folder: Path) -> None:
    (folder / "fills.csv").write_text(f"{HEADER}m1,2018-01-01,ndc|1,30\nm2,2018-0", encoding="utf-8")


def truncated_gzip(folder: Path) -> None:
    whole = gzip.compress((HEADER + ROWS).encode())
    (folder / "fills.csv.gz").write_bytes(whole[: len(whole) // 2])


def no_gzip(folder: Path) -> None:
    (folder / "fills.csv.gz").write_text(HEADER + ROWS, encoding="utf-8")


def truncated_parquet(folder: Path) -> None:
    path = folder / "fills.parquet"
    pq.write_table(pa.table({"member": [str(number) for number in range(1000)]}), path)
    path.write_bytes(path.read_bytes()[:-100])


def broken_parquet(folder: Path) -> None:
    path = folder / "fills.parquet"
    columns = {"member": ["m"] * 9999, "fill_date": ["2018-01-01"] * 9999, "drug": ["1"] * 9999}
    days = [random.Random(number).randrange(90) for number in range(9999)]
    pq.write_table(pa.table({**columns, "days_supply": days}), path, use_dictionary=False, compression="zstd")
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + b"\0" * 100 + content[middle + 100 :])


def open_quote(folder: Path) -> None:
    (folder / "fills.csv").write_text(f'{HEADER}m1,2018-01-01,"ndc|1,30\n', encoding="utf-8")


def missing_columns(folder: Path) -> None:
    (folder / "fills.csv").write_text(
        "member,fill_dat,drug,days_supply,SECRET 1950-01-01\nm1,2018-01-01,1,30\n", encoding="utf-8"
    )


def no_header(folder: Path) -> None:
    """A row of data of which some value is called as a column is."""
    (folder / "fills.csv").write_text("SECRET_MARY,member,drug,SECRET12345\nm1,2018-01-01,1,30\n", encoding="utf-8")


def huge_field(folder: Path) -> None:
    row = f"{'m' * 3_000_000},2018-01-01,ndc|1,30\n"
    (folder / "fills.csv").write_text(f"{HEADER}m1,2018-01-01,ndc|1,30\n{row}", encoding="utf-8")


def column_twice(folder: Path) -> None:
    (folder / "fills.csv").write_text("member,fill_date,drug,drug,days_supply\n", encoding="utf-8")


def empty_file(folder: Path) -> None:
    (folder / "fills.csv").touch()


def no_file(folder: Path) -> None:
    (folder / "members.csv").write_text("member\n", encoding="utf-8")


def two_files(folder: Path) -> None:
    (folder / "fills.csv").write_text(HEADER + ROWS, encoding="utf-8")
    (folder / "fills-1.csv").write_text(HEADER + ROWS, encoding="utf-8")


def dangling_link(folder: Path) -> None:
    (folder / "fills.csv").symlink_to(folder / "nowhere.csv")


def no_row_readable(folder: Path) -> None:
    write_claims(folder, fills=[fill("m1", "31.12.2018", "ndc|1", 30)] * 2)


def other_ids(folder: Path) -> None:
    write_claims(folder, members=[{"member": "0001"}], fills=[fill("1", "2018-12-31", "ndc|1", 30)])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (not_utf8, "fills.csv is not in utf-8 from line 3 on"),
        (truncated_line, "fills.csv line 3 has 2 fields where the header has 4"),
        (truncated_gzip, "fills.csv.gz ends before its archive does"),
        (no_gzip, "no gzip at all"),
        (truncated_parquet, "fills.parquet is no whole Parquet file"),
        (broken_parquet, "truncated or broken"),
        (open_quote, "fills.csv has a quote that does not close"),
        (
            missing_columns,
            "fills.csv has no column fill_date (is it fill_dat?). It has member, fill_dat, drug, days_supply",
        ),
        (no_header, "fills.csv has no column fill_date, days_supply. Perhaps its first line does not name the columns"),
        (huge_field, "fills.csv has a field of more than 131,072 characters in the row that follows line 2"),
        (column_twice, "fills.csv has the column drug 2 times"),
        (empty_file, "fills.csv is empty"),
        (no_file, "the folder has no fills.csv"),
        (two_files, "fills is there more than once (fills.csv, fills-1.csv)"),
        (dangling_link, "fills.csv is no file, or a link that leads nowhere"),
        (no_row_readable, "not one value of fills.fill_date can be read (fills.csv row 2, fills.csv row 3)"),
        (other_ids, "not one of 1 rows of fills can be used: fills.member: member_not_in_members"),
    ],
)
def test_what_would_make_results_wrong_is_refused_in_our_words(
    tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(tmp_path)
    with pytest.raises(ClaimsUnreadable) as caught:
        read(tmp_path)
    text = str(caught.value)
    assert words in text
    assert not [word for word in ("Error", "SELECT", "SECRET", "strict_mode", str(tmp_path)) if word in text]
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClaimsUnreadable, match="does not exist"):
        read(tmp_path / "nowhere")


def test_a_file_without_rows_is_a_period_without_claims(tmp_path: Path) -> None:
    write_claims(tmp_path, fills=[], members=[MEMBER])
    report, claims = read(tmp_path)
    assert (claims, report.counts, report.rows_kept["members"]) == ([], (), 1)
