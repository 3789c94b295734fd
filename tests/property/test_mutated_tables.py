"""Tables that somebody broke at random: refused, or taken by chance, but never a crash, a 500, or a word of a cell."""

import io
import random
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.cells.arrow_cells import from_arrow
from adapters.cells.csv_cells import from_csv
from adapters.cells.media_types import ARROW_STREAM, CSV, PARQUET
from adapters.cells.parquet_cells import from_parquet
from contracts.cells import Columns, exact_tables
from contracts.refusals import CellsInvalid
from contracts.terms import FeedTerms
from tests.support.markers import LONG, SHORT
from tests.support.table_bodies import as_arrow, as_csv, as_parquet
from tests.unit.terms import some_feed

FEED = some_feed()
LIMIT = 1_000_000
CELLS = {
    "region": ["south", "west", "northeast", "south"],
    "sex": ["F", "M", "F", "M"],
    "members": LONG[:4],
    "days_covered": SHORT[:4],
    "treatment_days": SHORT[:4],
}
TABLE = pa.table(CELLS)
CODED = pa.table(
    {name: TABLE[name].dictionary_encode() for name in ("region", "sex")} | {n: CELLS[n] for n in FEED.measures}
)
BODIES: list[tuple[bytes, str]] = [
    (as_csv(CELLS), CSV),
    (as_parquet(TABLE), PARQUET),
    (as_parquet(TABLE, compression="zstd", data_page_version="2.0"), PARQUET),
    (as_parquet(TABLE, compression="none", use_dictionary=False, row_group_size=2), PARQUET),
    (as_arrow(TABLE), ARROW_STREAM),
    (as_arrow(CODED, batch_rows=2), ARROW_STREAM),
    (as_arrow(TABLE, compression="zstd"), ARROW_STREAM),
]


def read(body: bytes, media_type: str, feed: FeedTerms) -> Columns:
    if media_type == CSV:
        return from_csv(body, feed)
    return (from_parquet if media_type == PARQUET else from_arrow)(body, feed, LIMIT)


def mutations(body: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Bytes changed, runs of them set to what lengths are made of, cut out, or doubled; the two ends are often spared,
    since whatever is changed there is refused at once."""
    draw = random.Random(seed)
    for _ in range(count):
        changed = bytearray(body)
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(len(changed))
            kind = draw.randrange(5)
            if kind == 0:
                changed[at] = draw.randrange(256)
            elif kind == 1:
                changed[at] ^= 1 << draw.randrange(8)
            elif kind == 2:
                changed[at : at + 4] = draw.choice(
                    [b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x80"]
                )
            elif kind == 3:
                del changed[at : at + draw.randint(1, 8)]
            else:
                changed[at:at] = changed[at : at + draw.randint(1, 16)]
        yield bytes(changed)


def refused(body: bytes, media_type: str) -> bool:
    """False when it happens to be a good table still. Whatever else is raised fails the test."""
    try:
        exact_tables(FEED, read(body, media_type, FEED))
    except CellsInvalid as raised:
        refusal = raised
    else:
        return False
    told = " ".join([str(refusal), refusal.detail, repr(refusal.faults)])
    assert (refusal.__cause__, refusal.__context__) == (None, None)
    assert not any(str(number) in told for number in (*LONG[:4], *SHORT[:4]))
    return True


def test_the_tables_that_are_broken_are_good_before() -> None:
    assert [refused(*body) for body in BODIES] == [False] * len(BODIES)


@pytest.mark.parametrize("at", range(len(BODIES)))
def test_a_table_broken_at_random_is_refused_without_a_word_of_it(at: int) -> None:
    body, media_type = BODIES[at]
    assert sum(refused(changed, media_type) for changed in mutations(body, 60, at)) > 0


@pytest.mark.slow
@pytest.mark.parametrize("at", range(len(BODIES)))
def test_so_are_many_more(at: int) -> None:
    body, media_type = BODIES[at]
    assert sum(refused(changed, media_type) for changed in mutations(body, 700, 1000 + at)) > 0


def test_every_prefix_of_a_table_is_refused() -> None:
    """But of CSV, which does not say where it ends."""
    for body, media_type in BODIES[1:]:
        assert all(refused(body[:length], media_type) for length in range(0, len(body), 7))


def test_a_page_that_says_it_is_larger_than_the_footer_knows_is_not_expanded() -> None:
    """The footer of the small file before the pages of the large one."""
    sinks = []
    for text in ("south", "s" * 3_000_000):
        sink = io.BytesIO()
        regions = [text, *CELLS["region"][1:]]
        pq.write_table(
            TABLE.set_column(0, "region", pa.array(regions)), sink, compression="zstd", write_statistics=False
        )
        sinks.append(sink.getvalue())
    small, large = sinks
    footer = int.from_bytes(small[-8:-4], "little") + 8
    lying = large[: len(large) - int.from_bytes(large[-8:-4], "little") - 8] + small[-footer:]
    assert refused(lying, PARQUET)


def test_a_text_of_a_dictionary_that_stands_in_every_row_is_read_once() -> None:
    long = pa.DictionaryArray.from_arrays(pa.array([0, 0, 0, 0]), pa.array(["x" * 900_000]))
    for name in ("region", "members"):
        at = TABLE.column_names.index(name)
        table = TABLE.set_column(at, name, long)
        assert refused(as_arrow(table), ARROW_STREAM)
        assert refused(as_parquet(table, compression="zstd"), PARQUET)


@pytest.mark.slow
def test_any_byte_of_an_arrow_streams_schema_may_be_another() -> None:
    """A refusal, or the same table: never an end of the process, as reading another kind of message as a schema was."""
    body, media_type = next(each for each in BODIES if each[1] == ARROW_STREAM)
    schema_bytes = 8 + int.from_bytes(body[4:8], "little")
    for at in range(schema_bytes):
        for byte in (0, 1, 2, 3, 0x7F, 0xFF):
            refused(body[:at] + bytes([byte]) + body[at + 1 :], media_type)
