"""The search for marker cells finds them: each form is planted among other bytes, and found."""

import gzip
import json
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pytest

from adapters.blocks import ArrowBlockFormat
from tests.support.markers import LONG, SHORT, as_base64, files_below, find_markers, leaks

ONE: Final = [LONG[5]]
TWO: Final = [SHORT[3], SHORT[40]]


def numbers(markers: list[int], dtype: str) -> bytes:
    return np.array(markers, dtype=dtype).tobytes()


def text(markers: list[int]) -> bytes:
    return json.dumps({"cells": markers}).encode()


PLAIN: Final[dict[str, tuple[list[int], bytes]]] = {
    "decimal text": (ONE, text(ONE)),
    "decimal text with separators": (ONE, f"{ONE[0]:,}".encode()),
    "text of two bytes a letter": (ONE, f"{ONE[0]}".encode("utf-16-le")),
    "int64, little end first": (ONE, numbers(ONE, "<i8")),
    "int64, big end first": (ONE, numbers(ONE, ">i8")),
    "float64, little end first": (ONE, numbers(ONE, "<f8")),
    "float64, big end first": (ONE, numbers(ONE, ">f8")),
    "int32, little end first": (TWO, numbers(TWO, "<i4")),
    "int32, big end first": (TWO, numbers(TWO, ">i4")),
    "nine digits as int64, little end first": (TWO[:1], numbers(TWO[:1], "<i8")),
    "nine digits as int64, big end first": (TWO[:1], numbers(TWO[:1], ">i8")),
    "nine digits as float64, little end first": (TWO[:1], numbers(TWO[:1], "<f8")),
    "nine digits as float64, big end first": (TWO[:1], numbers(TWO[:1], ">f8")),
}
FOLDED: Final[dict[str, Callable[[bytes], bytes]]] = {
    "raw": bytes,
    "in base64": as_base64,
    "in gzip": gzip.compress,
    "in zlib": zlib.compress,
    "in zstd": lambda data: pa.compress(data, "zstd", asbytes=True),
    "in lz4": lambda data: lz4_frame(data),
    "in base64 of gzip": lambda data: as_base64(gzip.compress(data)),
}


def lz4_frame(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "lz4") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("folding", FOLDED)
@pytest.mark.parametrize("form", PLAIN)
def test_a_planted_marker_is_found(form: str, folding: str) -> None:
    markers, plain = PLAIN[form]

    assert find_markers(b"<before>" + FOLDED[folding](plain) + b"<after>") == set(markers)


def test_a_marker_in_an_arrow_block_is_found() -> None:
    block = ArrowBlockFormat().encode({"paid_cents": np.array(LONG, dtype=np.int64)})

    assert find_markers(block) == set(LONG)


def test_markers_in_a_column_of_integers_are_found_in_the_write_ahead_log(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "leak.db")) as leak:
        leak.execute("PRAGMA journal_mode = WAL")
        leak.execute("CREATE TABLE cells (value INTEGER)")
        leak.executemany("INSERT INTO cells VALUES (?)", [(marker,) for marker in LONG[:3]])
        leak.commit()

        found = leaks(files_below(tmp_path))

    assert found[str(tmp_path / "leak.db-wal")] == set(LONG[:3])


def test_what_is_near_a_marker_is_not_taken_for_one() -> None:
    near = [marker + step for marker in LONG + SHORT for step in (-1, 1, 1000)]

    assert not find_markers(text(near) + numbers(near, "<i8") + numbers(near, ">f8"))
    assert not find_markers(b"".join(filled(4096)))


def filled(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield number.to_bytes(8, "big") + bytes(8) + f"{number:012}".encode()
