"""Posted columns become the dense tables of a plain sum by stratum, or faults that quote no count."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.cells import MAX_COUNT, MISSING, Columns, exact_tables
from contracts.refusals import MAX_FAULTS, CellsInvalid, Fault
from contracts.terms import FeedTerms
from tests.unit.terms import some_feed

FEED = some_feed()
STRATA = list(product(*FEED.vocabularies.values()))
Row = dict[str, Any]


def locate(name: str, index: int | None) -> str:
    return f"/columns/{name}" if index is None else f"/columns/{name}/{index}"


def columns_of(rows: Sequence[Row], names: Sequence[str] | None = None) -> Columns:
    """Rows as columns; a row without a field leaves MISSING there."""
    fields = names if names is not None else (*FEED.dimensions, *FEED.measures)
    return Columns({name: [row.get(name, MISSING) for row in rows] for name in fields}, locate)


def a_row(stratum: tuple[str, ...] = STRATA[0], **changes: Any) -> Row:
    row = dict(zip(FEED.dimensions, stratum, strict=True))
    return {**row, "members": 5, "days_covered": 50, "treatment_days": 150, **changes}


def refused(values: Mapping[str, Sequence[Any]] | Columns, feed: FeedTerms = FEED) -> tuple[Fault, ...]:
    columns = values if isinstance(values, Columns) else Columns(values, locate)
    with pytest.raises(CellsInvalid) as raised:
        exact_tables(feed, columns)
    return raised.value.faults


@st.composite
def valid_rows(draw: st.DrawFn) -> list[Row]:
    rows = []
    for stratum in draw(st.lists(st.sampled_from(STRATA), unique=True)):
        members = draw(st.one_of(st.integers(0, 50), st.integers(0, 10**9)))
        treatment = draw(st.integers(0, 31 * members))
        counts = {"members": members, "treatment_days": treatment}
        rows.append(a_row(stratum, **counts, days_covered=draw(st.integers(0, treatment))))
    return rows


@given(valid_rows(), st.randoms())
def test_the_dense_tables_are_a_plain_sum_by_stratum_in_any_order_of_rows_and_columns(
    rows: list[Row], random: Random
) -> None:
    sums = {(row["region"], row["sex"]): row for row in rows}
    random.shuffle(rows)
    names = random.sample([*FEED.dimensions, *FEED.measures], 5)
    tables = exact_tables(FEED, columns_of(rows, names))

    assert list(tables) == list(FEED.measures)
    for measure, table in tables.items():
        assert table.dtype == np.int64
        assert table.shape == (3, 2)
        for i, region in enumerate(("northeast", "south", "west")):
            for j, sex in enumerate(("F", "M")):
                assert table[i, j] == sums.get((region, sex), {}).get(measure, 0)


@pytest.mark.parametrize(
    "columns",
    [Columns({}, locate, all_zero=True), Columns({name: [] for name in (*FEED.dimensions, *FEED.measures)}, locate)],
)
def test_nothing_posted_is_a_period_in_which_all_is_zero(columns: Columns) -> None:
    tables = exact_tables(FEED, columns)
    assert list(tables) == list(FEED.measures)
    assert all(table.shape == (3, 2) and not table.any() for table in tables.values())


def test_the_largest_count_there_can_be_is_taken_as_it_is() -> None:
    row = a_row(members=MAX_COUNT, days_covered=MAX_COUNT, treatment_days=MAX_COUNT)
    assert exact_tables(FEED, columns_of([row]))["members"][0, 0] == MAX_COUNT


# Distinctive numbers, of the kind that a table would hold: none may come back in a refusal.
MARKER, OTHER_MARKER = 73_914, 8_462_713
MARKED = {"members": OTHER_MARKER, "days_covered": MARKER, "treatment_days": MARKER}

FAULTY: dict[str, tuple[Callable[[], Columns], str, str]] = {
    "an unknown field": (
        lambda: Columns({**columns_of([a_row(**MARKED)]).values, "deaths": [MARKER]}, locate),
        "field_unknown",
        "/columns/deaths",
    ),
    "a measure missing": (
        lambda: columns_of([a_row(**MARKED)], ["region", "sex", "members", "days_covered"]),
        "field_missing",
        "/columns/treatment_days",
    ),
    "a dimension missing": (
        lambda: columns_of([a_row(**MARKED)], ["region", *FEED.measures]),
        "field_missing",
        "/columns/sex",
    ),
    "columns of different lengths": (
        lambda: Columns({**columns_of([a_row(**MARKED)]).values, "members": [MARKER, MARKER]}, locate),
        "columns_uneven",
        "/columns/",
    ),
    "a row without a measure": (
        lambda: columns_of([a_row(**MARKED), {**a_row(STRATA[1], **MARKED), "members": MISSING}]),
        "field_missing",
        "/columns/members/1",
    ),
    "a row without a dimension": (
        lambda: columns_of([{**a_row(**MARKED), "sex": MISSING}]),
        "field_missing",
        "/columns/sex/0",
    ),
    "more rows than strata": (
        lambda: columns_of([a_row(stratum, **MARKED) for stratum in (*STRATA, STRATA[0])]),
        "too_many_strata",
        "/columns/",
    ),
    "an unknown value": (lambda: columns_of([a_row(**MARKED, sex="X")]), "value_unknown", "/columns/sex/0"),
    "a number for a value": (
        lambda: columns_of([a_row(**MARKED, sex=MARKER)]),
        "value_unknown",
        "/columns/sex/0",
    ),
    "a list for a value": (
        lambda: columns_of([a_row(**MARKED, sex=[MARKER])]),
        "value_unknown",
        "/columns/sex/0",
    ),
    "no value": (lambda: columns_of([a_row(**MARKED, sex=None)]), "value_unknown", "/columns/sex/0"),
    "a float": (
        lambda: columns_of([a_row(**{**MARKED, "members": float(MARKER)})]),
        "not_an_integer",
        "/columns/members/0",
    ),
    "a fraction": (
        lambda: columns_of([a_row(**{**MARKED, "members": MARKER + 0.5})]),
        "not_an_integer",
        "/columns/members/0",
    ),
    "no number": (
        lambda: columns_of([a_row(**{**MARKED, "members": float("nan")})]),
        "not_an_integer",
        "/columns/members/0",
    ),
    "a boolean": (
        lambda: columns_of([a_row(**{**MARKED, "members": True})]),
        "not_an_integer",
        "/columns/members/0",
    ),
    "a number as text": (
        lambda: columns_of([a_row(**{**MARKED, "members": str(MARKER)})]),
        "not_an_integer",
        "/columns/members/0",
    ),
    "a list for a count": (
        lambda: columns_of([a_row(**{**MARKED, "members": [MARKER]})]),
        "not_an_integer",
        "/columns/members/0",
    ),
    "a negative count": (
        lambda: columns_of([a_row(**{**MARKED, "members": -MARKER})]),
        "negative_count",
        "/columns/members/0",
    ),
    "a count too large": (
        lambda: columns_of([a_row(**{**MARKED, "members": MARKER * 10**9})]),
        "count_too_large",
        "/columns/members/0",
    ),
    "a count beyond 64 bits": (
        lambda: columns_of([a_row(**{**MARKED, "members": MARKER * 10**30})]),
        "count_too_large",
        "/columns/members/0",
    ),
    "a null": (
        lambda: columns_of([a_row(**{**MARKED, "members": None})]),
        "cell_suppressed",
        "/columns/members/0",
    ),
    "a cell twice": (
        lambda: columns_of([a_row(**MARKED), a_row(STRATA[1], **MARKED), a_row(**MARKED)]),
        "cell_repeated",
        "/columns/region/2",
    ),
    "an invariant broken": (
        lambda: columns_of([a_row(), a_row(STRATA[3], **{**MARKED, "days_covered": MARKER + 1})]),
        "invariant_broken",
        "/columns/days_covered/1",
    ),
    "days above 31 a member": (
        lambda: columns_of([a_row(members=MARKER, days_covered=0, treatment_days=31 * MARKER + 1)]),
        "invariant_broken",
        "/columns/treatment_days/0",
    ),
}


@pytest.mark.parametrize("name", FAULTY)
def test_what_is_wrong_is_refused_where_it_stands_without_quoting_a_count(name: str) -> None:
    make, code, pointer = FAULTY[name]
    with pytest.raises(CellsInvalid) as raised:
        exact_tables(FEED, make())
    refusal = raised.value
    assert [(fault.code, fault.pointer) for fault in refusal.faults] == [(code, pointer)]
    told = " ".join([str(refusal), repr(refusal), refusal.detail, repr(refusal.extra), repr(refusal.faults)])
    digits = told.replace("_", "").replace(",", "")
    for number in (MARKER, OTHER_MARKER, MARKER + 1, 31 * MARKER + 1):
        assert str(number) not in digits
    assert refusal.__cause__ is None
    assert refusal.__context__ is None


@pytest.mark.parametrize(
    "mark", ["*", "", " ", "<11", "< 11", "≤10", "S", "NA", "n/a", "suppressed", "Masked", ".", "null", None]
)
def test_a_suppressed_cell_is_refused_with_the_reason(mark: object) -> None:
    (fault,) = refused(columns_of([a_row(members=mark)]))
    assert fault.code == "cell_suppressed"
    assert "sensitivity" in fault.message


@given(valid_rows(), st.data())
def test_one_bad_entry_anywhere_is_found_where_it_is(rows: list[Row], data: st.DataObject) -> None:
    rows = rows or [a_row()]
    index = data.draw(st.integers(0, len(rows) - 1))
    field = data.draw(st.sampled_from([*FEED.dimensions, *FEED.measures]))
    bad = data.draw(st.sampled_from([1.0, True, -1, MAX_COUNT + 1, "?", None, MISSING, [], {}]))
    rows[index] = {**rows[index], field: bad}
    assert [fault.pointer for fault in refused(columns_of(rows))] == [f"/columns/{field}/{index}"]


def test_faults_are_counted_up_to_one_beyond_what_is_listed() -> None:
    many = tuple(f"r{i}" for i in range(200))
    feed = replace(FEED, vocabularies={**FEED.vocabularies, "region": many})
    negative = [a_row((region, "F"), members=-1) for region in many]
    assert len(refused(columns_of(negative), feed)) == MAX_FAULTS + 1
    assert len(refused(columns_of([a_row((many[0], "F"))] * 200), feed)) == MAX_FAULTS + 1


def test_unknown_fields_are_counted_no_further_either() -> None:
    assert len(refused({f"field_{i}": [] for i in range(1000)})) == MAX_FAULTS + 1


def test_every_fault_of_one_kind_is_told_at_once() -> None:
    rows = [a_row(STRATA[0], members=-1), a_row(STRATA[1], sex="?"), a_row(STRATA[2], days_covered=None)]
    codes = sorted(fault.code for fault in refused(columns_of(rows)))
    assert codes == ["cell_suppressed", "negative_count", "value_unknown"]


def test_all_columns_missing_are_told_at_once() -> None:
    faults = refused({"members": [1]})
    assert [fault.pointer for fault in faults] == [
        f"/columns/{name}" for name in ("region", "sex", "days_covered", "treatment_days")
    ]
