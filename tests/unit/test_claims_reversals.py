"""Fills that were taken back: each reversal takes one fill of its claim with it, whatever else it says."""

from collections import Counter
from pathlib import Path

from adapters.claims.layouts.canonical import CANONICAL
from adapters.claims.reading import read_claims
from adapters.claims.report import ClaimsReport
from adapters.preparation.engine import Engine
from tests.support.claims_folder import Row, fill, write_claims


def fills_left(folder: Path) -> tuple[ClaimsReport, list[tuple[str, str]]]:
    with Engine.opened(threads=1) as engine:
        report = read_claims(engine, folder, CANONICAL)
        days = "SELECT member, strftime(DATE '1970-01-01' + fill_day, '%d') FROM fills ORDER BY ALL"
        return report, engine.rows(days)


ODD_REVERSALS: list[Row] = [
    {"fill_date": "2018-03-05"},
    {"fill_date": None},
    {"fill_date": "soon"},
    {"fill_date": "1800-01-01"},
    {"drug": None},
    {"drug": "|"},
    {"days_supply": None},
]


def test_a_reversal_of_a_claim_id_takes_its_fill_back_whatever_else_it_says(tmp_path: Path) -> None:
    members = [{"member": f"m{number}", "death_date": "2018-03-01"} for number in range(len(ODD_REVERSALS))]
    rows = [fill("other", "2018-01-01", "ndc|1", 30, claim="1", reversed="no")]
    for member, changes in zip(members, ODD_REVERSALS, strict=True):
        first = {**rows[0], **member}
        rows += [first, {**first, "days_supply": -30, "reversed": "yes", **changes}]
    write_claims(tmp_path, members=[*members, {"member": "other"}], fills=rows)
    report, left = fills_left(tmp_path)
    assert left == [("other", "01")]
    assert [(str(each.reason), each.rows) for each in report.counts] == [("reversed", 2 * len(members))]


# Days of fills and of reversals (-) that all have one claim id; the day of the fill that stands; what is counted.
HISTORIES = [
    (["01", "-05"], None, {"reversed": 2}),
    (["01", "-05", "09"], "09", {"reversed": 2}),
    (["01", "-01", "01"], "01", {"reversed": 2}),
    (["01", "-05", "09", "-12"], None, {"reversed": 4}),
    (["01", "-05", "09", "10"], "10", {"reversed": 2, "repeated": 1}),
    (["01", "-05", "-06"], None, {"reversed": 2, "reversal_without_fill": 1}),
    (["02"], "02", {}),
]


def test_a_claim_that_was_taken_back_and_billed_again_stands_in_whatever_order_its_rows_are(tmp_path: Path) -> None:
    rows = [
        fill(f"m{number}", f"2018-01-{day.removeprefix('-')}", "ndc|1", 30, claim="1", reversed=day.startswith("-"))
        for number, (days, _, _) in enumerate(HISTORIES)
        for day in days
    ]
    expected = sum((Counter(counts) for *_, counts in HISTORIES), Counter())
    for name, order in {"forward": rows, "backward": rows[::-1], "mixed": rows[1::2] + rows[::2]}.items():
        report, left = fills_left(write_claims(tmp_path / name, fills=order))
        assert left == [(f"m{number}", stands) for number, (_, stands, _) in enumerate(HISTORIES) if stands]
        assert {str(each.reason): each.rows for each in report.counts} == expected
        assert report.rows_read["fills"] - report.rows_kept["fills"] == expected.total()
