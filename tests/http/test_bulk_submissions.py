"""Periods posted as tables: CSV, Parquet and Arrow streams, by gzip and zstd, taken and refused as JSON is."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from shutil import copyfile
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
from werkzeug.test import TestResponse

from adapters.cells.media_types import ARROW_STREAM, CSV, PARQUET
from tests.http.test_bad_input import assert_problem
from tests.support.markers import LONG, leaks
from tests.support.small_exchange import CONTRACT, NoNoise, SmallExchange, fills, fills_row
from tests.support.table_bodies import as_arrow, as_csv, as_parquet, zstd

PATH = f"/v1/contracts/{CONTRACT}/submissions"
ROWS = [fills_row(), fills_row("south", "M", members=60)]
VALUES = {name: [row[name] for row in ROWS] for name in ROWS[0]}
BODY_MAX, EXPANDED_MAX = 300_000, 1_200_000


SETTINGS = {"PARLEY_MAX_BODY_BYTES": str(BODY_MAX)}


@pytest.fixture
def taking(migrated_sqlite_url: str) -> SmallExchange:
    small = SmallExchange(migrated_sqlite_url, NoNoise(), settings_changes=SETTINGS)
    small.agree()
    return small


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> SmallExchange:
    """For all that is refused, and so leaves it as it was."""
    database = tmp_path_factory.mktemp("bulk") / "parley.db"
    copyfile(sqlite_template, database)
    small = SmallExchange(f"sqlite:///{database}", settings_changes=SETTINGS)
    small.agree()
    return small


def post(
    small: SmallExchange,
    table: bytes,
    media_type: str,
    encoding: str | None = None,
    name: str = "blueridge",
    **query: Any,
) -> TestResponse:
    """query: changes to a right envelope; None leaves a member out."""
    asked = {"submission_id": str(uuid4()), "feed": "fills", "period": "2025-01"} | query
    headers = small.headers(name) | ({"Content-Encoding": encoding} if encoding else {})
    return small.app.test_client().post(
        PATH,
        data=table,
        headers=headers,
        content_type=media_type,
        query_string={name: value for name, value in asked.items() if value is not None},
    )


def table(**changes: Any) -> pa.Table:
    return pa.table({name: changes.get(name, column) for name, column in VALUES.items()})


def released(small: SmallExchange, release: str) -> dict[str, list[int]]:
    """Exact, since these exchanges add no noise."""
    with small.wiring.database.reading() as stores:
        block = stores.releases.get_blocks([release])[release]
    return {name: vector.tolist() for name, vector in small.wiring.blocks.decode(block).items()}


TABLES: dict[str, tuple[bytes, str]] = {
    "CSV": (as_csv(VALUES), CSV),
    "Parquet": (as_parquet(table()), PARQUET),
    "Arrow": (as_arrow(table()), ARROW_STREAM),
}
ENCODINGS: dict[str | None, Callable[[bytes], bytes]] = {None: bytes, "gzip": gzip.compress, "zstd": zstd}


def test_a_period_is_released_the_same_from_every_format_and_encoding(taking: SmallExchange) -> None:
    as_json = taking.submit("blueridge", fills("2025-12", ROWS))
    expected = released(taking, as_json.get_json()["release_id"])
    assert sum(map(sum, expected.values())) > 0

    month = 0
    for body, media_type in TABLES.values():
        for encoding, encode in ENCODINGS.items():
            month += 1
            answered = post(taking, encode(body), media_type, encoding, period=f"2025-{month:02}")
            assert answered.status_code == 201, answered.get_json()
            assert released(taking, answered.get_json()["release_id"]) == expected


def test_json_may_come_by_zstd_too(taking: SmallExchange) -> None:
    headers = taking.headers("blueridge") | {"Content-Encoding": "zstd"}
    body = zstd(json.dumps(fills()).encode())
    answered = taking.app.test_client().post(PATH, data=body, headers=headers, content_type="application/json")
    assert answered.status_code == 201


def test_a_table_of_no_row_is_a_period_in_which_all_is_zero(taking: SmallExchange) -> None:
    none: dict[str, list[Any]] = {name: [] for name in VALUES}
    empty = table().slice(0, 0)
    for at, (body, media_type) in enumerate(
        [(as_csv(none), CSV), (as_parquet(empty), PARQUET), (as_arrow(empty), ARROW_STREAM)]
    ):
        answered = post(taking, body, media_type, period=f"2025-0{at + 1}")
        assert answered.status_code == 201, answered.get_json()
        assert not any(map(any, released(taking, answered.get_json()["release_id"]).values()))


def test_a_table_posted_again_gets_its_receipt_and_is_not_read(taking: SmallExchange) -> None:
    submission_id = str(uuid4())
    first = post(taking, as_csv(VALUES), CSV, submission_id=submission_id)
    again = post(taking, b"no table", PARQUET, submission_id=submission_id)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.get_json()["replayed"] is True
    assert again.get_json()["release_id"] == first.get_json()["release_id"]


ENVELOPES: dict[str, tuple[dict[str, Any], str]] = {
    "no id": ({"submission_id": None}, "/submission_id"),
    "an id that is no UUID": ({"submission_id": "january"}, "/submission_id"),
    "no feed": ({"feed": None}, "/feed"),
    "a feed of no name": ({"feed": "Fills!"}, "/feed"),
    "no period": ({"period": None}, "/period"),
    "two periods": ({"period": ["2025-01", "2025-02"]}, "/period"),
    "a restatement in words": ({"restatement": "first"}, "/restatement"),
    "a restatement below zero": ({"restatement": "-1"}, "/restatement"),
    "a restatement with a fraction": ({"restatement": "1.0"}, "/restatement"),
    "a restatement of great length": ({"restatement": "9" * 5000}, "/restatement"),
    "a version of none": ({"contract_version": "0"}, "/contract_version"),
    "another parameter": ({"surprise": "1"}, "/surprise"),
    "cells in the query": ({"rows": "[]"}, "/rows"),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_an_envelope_in_the_query_is_refused_as_one_in_json_is(strict: SmallExchange, name: str) -> None:
    query, pointer = ENVELOPES[name]
    before = strict.traces()

    assert_problem(post(strict, as_csv(VALUES), CSV, **query), 422, "input-invalid", pointer, "field_invalid")
    assert strict.traces() == before


def test_a_query_beside_json_is_refused(strict: SmallExchange) -> None:
    headers = strict.headers("blueridge")
    answered = strict.app.test_client().post(PATH, json=fills(), headers=headers, query_string={"period": "2025-02"})
    assert_problem(answered, 422, "input-invalid", "/period", "field_invalid")
    assert strict.traces()["releases"] == 0


def test_what_the_envelope_names_is_decided_before_the_table_is_read(strict: SmallExchange) -> None:
    for query, status, code in (
        ({"feed": "stays"}, 404, "feed-not-found"),
        ({"feed": "support"}, 403, "not-the-provider"),
        ({"period": "2024-12"}, 422, "period-outside-contract"),
        ({"contract_version": "2"}, 409, "contract-version-other"),
        ({"name": "foreigner"}, 404, "contract-not-found"),
    ):
        assert_problem(post(strict, b"no table", PARQUET, **query), status, code)


def test_what_the_route_takes_is_named_where_it_does_not(strict: SmallExchange) -> None:
    refused = post(strict, b"x", "application/vnd.apache.arrow.file")
    assert_problem(refused, 415, "media-type-unsupported")
    assert refused.headers["Accept"] == f"application/json, {CSV}, {PARQUET}, {ARROW_STREAM}"

    refused = post(strict, b"x", CSV, "br")
    assert_problem(refused, 415, "media-type-unsupported")
    assert refused.headers["Accept-Encoding"] == "gzip, zstd"

    drafted = strict.app.test_client().post(
        "/v1/contracts", data=b"x", headers=strict.headers("helix"), content_type=CSV
    )
    assert_problem(drafted, 415, "media-type-unsupported")
    assert drafted.headers["Accept"] == "application/json"


@pytest.mark.parametrize("said", ["charset=utf-16", "header=absent", "charset=utf-8; header=absent", "delimiter=tab"])
def test_csv_that_says_it_is_written_otherwise_is_not_read(strict: SmallExchange, said: str) -> None:
    refused = post(strict, as_csv(VALUES), f"{CSV}; {said}")
    assert_problem(refused, 415, "media-type-unsupported")
    assert "charset=utf-8" in refused.get_json()["detail"]


def test_csv_may_say_that_it_is_written_as_it_is_read(taking: SmallExchange) -> None:
    assert post(taking, as_csv(VALUES), f"{CSV}; charset=UTF-8; header=present").status_code == 201


def with_column(name: str, column: Any) -> dict[str, tuple[bytes, str]]:
    changed = table(**{name: column})
    return {"Parquet": (as_parquet(changed), PARQUET), "Arrow": (as_arrow(changed), ARROW_STREAM)}


def lines(text: str) -> tuple[bytes, str]:
    return f"region,sex,members,days_covered,treatment_days\n{text}".encode(), CSV


RIGHT_LINE = "north,F,100,900,1800"
TWICE = pa.table([*table().columns, table()["members"]], names=[*VALUES, "members"])
BAD: dict[str, tuple[tuple[bytes, str], str, str]] = {
    "an unknown value": (lines("east,F,1,1,1"), "/columns/region/0", "value_unknown"),
    "a stratum twice": (lines(f"{RIGHT_LINE}\n{RIGHT_LINE}"), "/columns/region/1", "cell_repeated"),
    "an invariant broken": (lines("north,F,1,2,1"), "/columns/days_covered/0", "invariant_broken"),
    "a plus": (lines("north,F,+1,1,1"), "/columns/members/0", "not_an_integer"),
    "a blank": (lines("north,F, 1,1,1"), "/columns/members/0", "not_an_integer"),
    "a hexadecimal number": (lines("north,F,0x1,1,1"), "/columns/members/0", "not_an_integer"),
    "other digits": (lines("north,F,\u0661,1,1"), "/columns/members/0", "not_an_integer"),
    "a thousands separator": (lines('north,F,"1,000",1,1'), "/columns/members/0", "not_an_integer"),
    "an exponent": (lines("north,F,1e2,1,1"), "/columns/members/0", "not_an_integer"),
    "a count of thirty digits": (lines(f"north,F,{'9' * 30},1,1"), "/columns/members/0", "count_too_large"),
    "an empty cell": (lines("north,F,,1,1"), "/columns/members/0", "cell_suppressed"),
    "a suppressed cell": (lines("north,F,<11,1,1"), "/columns/members/0", "cell_suppressed"),
    "a line too long": (lines(f"{RIGHT_LINE}\n\nsouth,F,1,1,1,1"), "/rows/1", "row_invalid"),
    "a line too short": (lines("north,F"), "/rows/0", "row_invalid"),
    "more lines than strata": (lines(f"{RIGHT_LINE}\n" * 5), "/columns", "too_many_strata"),
    "a column twice": ((b"region,region\n", CSV), "/columns/region", "column_repeated"),
    "another column": ((b"region,Sex~/\n", CSV), "/columns/Sex~0~1", "field_unknown"),
    "no header": ((b"", CSV), "/columns", "table_unreadable"),
    "a first row for a header": ((b"north,F,100,900,1800\nsouth,F,1,1,1", CSV), "/columns", "table_unreadable"),
    "a first row of other values": ((b"Ohio,Mr,n/a,none,s\nsouth,F,1,1,1", CSV), "/columns", "table_unreadable"),
    "a mark of order below the header": (lines(f"\ufeff{RIGHT_LINE}"), "/columns", "table_unreadable"),
    "a header without end": ((b"a" * 100_000, CSV), "/columns", "table_unreadable"),
    "text that is not UTF-8": ((b"region,sex\n\xff,F", CSV), "/columns", "table_unreadable"),
    "a NUL": (lines("north\0,F,1,1,1"), "/columns", "table_unreadable"),
    "lines that end in CR": (lines(RIGHT_LINE.replace("north", "no\rth")), "/columns", "table_unreadable"),
    "a quote inside a field": (lines('no"rth,F,1,1,1'), "/columns", "table_unreadable"),
    "a quote that is not closed": (lines('"north,F,1,1,1'), "/columns", "table_unreadable"),
    "no Parquet": ((b"PAR1PAR1", PARQUET), "/columns", "table_unreadable"),
    "Parquet that is encrypted": ((TABLES["Parquet"][0][:-4] + b"PARE", PARQUET), "/columns", "table_unreadable"),
    "Parquet cut off": ((TABLES["Parquet"][0][:-20], PARQUET), "/columns", "table_unreadable"),
    "Parquet with a column twice": ((as_parquet(TWICE), PARQUET), "/columns/members", "column_repeated"),
    "Parquet of too many rows": ((as_parquet(pa.concat_tables([table()] * 3)), PARQUET), "/columns", "too_many_strata"),
    "Parquet as Arrow": ((TABLES["Parquet"][0], ARROW_STREAM), "/columns", "table_unreadable"),
    "Arrow with a column twice": ((as_arrow(TWICE), ARROW_STREAM), "/columns/members", "column_repeated"),
    "Arrow cut off between batches": ((as_arrow(table())[:-8], ARROW_STREAM), "/columns", "table_unreadable"),
    "an Arrow file": ((b"ARROW1\0\0", ARROW_STREAM), "/columns", "table_unreadable"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_table_is_refused_with_a_pointer_and_leaves_nothing(strict: SmallExchange, name: str) -> None:
    (body, media_type), pointer, fault = BAD[name]
    before = strict.traces()

    assert_problem(post(strict, body, media_type), 422, "cells-invalid", pointer, fault)
    assert strict.traces() == before


NO_ZSTD = {
    "none": b"region\n",
    "cut off": zstd(as_csv(VALUES))[:-5],
    "a second frame": zstd(as_csv(VALUES)) + zstd(b""),
    "a million empty frames": zstd(b"") * 10_000,
    "a byte after it": zstd(as_csv(VALUES)) + b"\0",
    "a frame that may be skipped": b"\x50\x2a\x4d\x18\0\0\0\0" + zstd(as_csv(VALUES)),
    "a head alone": zstd(as_csv(VALUES))[:6],
}


@pytest.mark.parametrize("name", NO_ZSTD)
def test_a_body_that_is_not_one_whole_zstd_frame_is_refused(strict: SmallExchange, name: str) -> None:
    assert_problem(post(strict, NO_ZSTD[name], CSV, "zstd"), 400, "request-malformed")
    assert strict.traces()["releases"] == 0


def padded(length: int) -> bytes:
    """A good Parquet file of so many bytes, of which most belong to no column."""
    good, _ = TABLES["Parquet"]
    footer = len(good) - int.from_bytes(good[-8:-4], "little") - 8
    return good[:footer] + b"\0" * (length - len(good)) + good[footer:]


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_the_limit_of_a_table_is_that_of_what_it_expands_to(taking: SmallExchange, encoding: str) -> None:
    encode = ENCODINGS[encoding]
    assert_problem(post(taking, encode(padded(EXPANDED_MAX + 1)), PARQUET, encoding), 413, "body-too-large")
    assert post(taking, encode(padded(EXPANDED_MAX)), PARQUET, encoding).status_code == 201


def test_a_table_as_it_is_sent_has_the_limit_of_every_body(strict: SmallExchange) -> None:
    assert_problem(post(strict, padded(BODY_MAX + 1), PARQUET), 413, "body-too-large")


def test_a_frame_that_asks_for_a_large_window_is_refused_before_it_gets_one(strict: SmallExchange) -> None:
    window_of_2_gib = b"\x28\xb5\x2f\xfd" + bytes([0x00, 21 << 3]) + b"\x01\0\0"
    assert_problem(post(strict, window_of_2_gib, CSV, "zstd"), 413, "body-too-large")


def test_a_page_that_expands_beyond_the_limit_is_refused_before_it_is_expanded(strict: SmallExchange) -> None:
    bomb = as_parquet(
        table(region=["n" * 2_000_000, "south"]), compression="zstd", use_dictionary=False, write_statistics=False
    )
    assert len(bomb) < 10_000
    assert_problem(post(strict, bomb, PARQUET), 422, "cells-invalid", "/columns", "table_too_large")


def test_buffers_that_expand_beyond_the_limit_are_refused_before_they_are_expanded(strict: SmallExchange) -> None:
    bomb = as_arrow(table(region=["n" * 2_000_000, "south"]), compression="zstd")
    assert len(bomb) < 10_000
    assert_problem(post(strict, bomb, ARROW_STREAM), 422, "cells-invalid", "/columns", "table_too_large")


def test_no_refusal_of_a_table_quotes_a_cell(strict: SmallExchange) -> None:
    marked = [LONG[0], LONG[1]]
    bodies = [
        *with_column("members", pa.array([-number for number in marked])).values(),
        *with_column("members", pa.array([float(number) for number in marked])).values(),
        *with_column("members", pa.array([str(number) for number in marked])).values(),
        *with_column("region", pa.array([str(number) for number in marked])).values(),
        *with_column("region", pa.array(marked)).values(),
        *with_column("days_covered", pa.array(marked)).values(),
        lines(f"north,F,{marked[0]},{marked[1]}"),
        lines(f"north,F,-{marked[0]},{marked[1]}x,1"),
        lines(f'"north,F,{marked[0]},1,1'),
        (f"north,F,{marked[0]},{marked[1]},1\nsouth,F,1,1,1".encode(), CSV),
        (as_parquet(pa.table({"north": ["south"], "F": ["M"], str(marked[0]): [1], str(marked[1]): [2]})), PARQUET),
        (as_arrow(pa.table({"region": ["south"], str(marked[0]): [1], str(marked[1]): [2]})), ARROW_STREAM),
    ]
    told = {}
    for at, (body, media_type) in enumerate(bodies):
        answered = post(strict, body, media_type)
        assert answered.status_code == 422, answered.get_json()
        told[str(at)] = answered.get_data()
    assert leaks(told) == {}
