"""Values that cannot be read: a whole column of them is refused, and a share of them is told aloud."""

from pathlib import Path

import pytest

from adapters.claims.faults import ClaimsUnreadable
from adapters.claims.layouts.canonical import CANONICAL
from adapters.claims.layouts.custom import custom_layout
from adapters.claims.reading import read_claims
from adapters.claims.report import ClaimsReport
from adapters.preparation.engine import Engine
from contracts.preparation.definitions import CodeList
from tests.support.claims_folder import Row, fill, span, visit, write_claims

MAPPING = b"""
tables:
  fills:
    file: fills.csv
    columns:
      member: member
      fill_date: {column: fill_date, date_formats: ["%m/%d/%Y", "%m/%d/%y"]}
      drug: drug
      days_supply: days_supply
"""


def read(folder: Path, **off_limits: CodeList) -> ClaimsReport:
    with Engine.opened(threads=1) as engine:
        return read_claims(engine, folder, CANONICAL, off_limits=off_limits)


def fills(number: int, **others: str) -> list[Row]:
    """Each of another member."""
    return [fill(f"m{at}", f"2018-{1 + at // 28:02}-{1 + at % 28:02}", "ndc|1", 30, **others) for at in range(number)]


@pytest.mark.parametrize(
    ("faulty", "column", "hint"),
    [
        ({"fills": fills(10, reversed="SECRET")}, "fills.reversed", "`values`"),
        ({"fills": fills(10, allowed="$1,234.50")}, "fills.allowed", "`decimal_mark`"),
        (
            {"fills": fills(10), "enrolment": [span(f"m{at}", "2018-01-01", "12/31/2018") for at in range(10)]},
            "enrolment.last_date",
            "`date_formats`",
        ),
        (
            {"fills": fills(10), "members": [{"member": f"m{at}", "death_date": "31.12.18"} for at in range(10)]},
            "members.death_date",
            "20080229",
        ),
    ],
)
def test_a_column_of_which_no_value_can_be_read_is_refused_even_where_it_may_be_left_out(
    tmp_path: Path, faulty: dict[str, list[Row]], column: str, hint: str
) -> None:
    with pytest.raises(ClaimsUnreadable) as caught:
        read(write_claims(tmp_path, **faulty))
    assert f"not one value of {column} can be read" in str(caught.value)
    assert hint in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_a_few_members_do_not_decide_whether_a_column_can_be_read(tmp_path: Path) -> None:
    report = read(write_claims(tmp_path, fills=[*fills(9, reversed="SECRET"), *fills(12)[9:]]))
    assert [(count.column, count.rows) for count in report.counts] == [("reversed", 9)]


def test_the_date_formats_that_a_mapping_names_are_those_that_were_tried(tmp_path: Path) -> None:
    write_claims(tmp_path, fills=fills(3))
    with Engine.opened(threads=1) as engine, pytest.raises(ClaimsUnreadable, match="tried as %m/%d/%Y, %m/%d/%y;"):
        read_claims(engine, tmp_path, custom_layout(MAPPING))


def test_more_than_one_row_in_a_hundred_at_fault_is_told_aloud(tmp_path: Path) -> None:
    bad = fill("m1", "2018-12-31", "ndc|1", "x")
    assert read(write_claims(tmp_path / "1 of 100", fills=[*fills(99), bad])).alarms == ()
    (alarm,) = read(write_claims(tmp_path / "2 of 100", fills=[*fills(98), bad, bad])).alarms
    assert alarm.startswith("2 of 100 rows of fills are at fault and were dropped (unreadable)")


def test_rows_that_are_gone_by_rule_are_no_alarm(tmp_path: Path) -> None:
    back = [fill("m1", "2018-12-30", "ndc|1", 30, claim="c", reversed=word) for word in ("no", "yes")]
    write_claims(tmp_path, fills=[*back, *fills(3), fill("m1", "2018-12-31", "ndc|2", 30)])
    report = read(tmp_path, drugs=CodeList(frozenset({"ndc|2"}), "1"))
    assert (report.rows_kept["fills"], report.alarms) == (3, ())


def test_values_that_count_as_none_are_told_aloud_too(tmp_path: Path) -> None:
    write_claims(tmp_path, fills=[*fills(50, allowed="5"), *fills(2, allowed="5 dollars")])
    assert read(tmp_path).alarms == ("in 2 of 52 rows of fills the value of allowed cannot be read and counts as none",)


def test_codes_of_systems_that_the_claims_do_not_use_are_counted_and_told(tmp_path: Path) -> None:
    write_claims(tmp_path, fills=fills(3), visits=[visit("m1", "2018-01-01", codes=["icd10cm|I10", "hcpcs|99213"])])
    part2 = CodeList(frozenset({"icd10cm|F1120", "icd9cm|2910", "icd9cm|2911", "snomed|1", "|H0005"}), "1")
    report = read(tmp_path, part2=part2, drugs=CodeList(frozenset({"ndc|7"}), "2"))
    assert report.systems_not_used == {"part2": {"icd9cm": 2, "snomed": 1}}
    assert report.alarms == (
        "2 codes of the list part2 are of icd9cm, which these claims do not use",
        "1 code of the list part2 is of snomed, which these claims do not use",
    )
