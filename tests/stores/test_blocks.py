"""Noisy vectors as bytes."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from adapters.blocks import ArrowBlockFormat, BlockUnreadable
from privacy.arrays import Vector

vectors = st.dictionaries(st.text(max_size=20), arrays.arrays(np.int64, st.integers(0, 40)), max_size=5)


@given(vectors)
def test_vectors_come_back_as_they_went_in(given: dict[str, Vector]) -> None:
    block = ArrowBlockFormat().encode(given)
    back = ArrowBlockFormat().decode(block)
    assert list(back) == list(given)
    for name, vector in given.items():
        assert back[name].dtype == np.int64
        np.testing.assert_array_equal(back[name], vector)
    assert ArrowBlockFormat().encode(given) == block


def test_a_large_vector_is_compressed_and_read_only() -> None:
    vector = np.arange(1_000_000, dtype=np.int64) % 50
    block = ArrowBlockFormat().encode({"members": vector})
    assert len(block) < vector.nbytes / 4
    back = ArrowBlockFormat().decode(block)["members"]
    np.testing.assert_array_equal(back, vector)
    with pytest.raises(ValueError, match="read-only"):
        back[0] = 1


@pytest.mark.parametrize(
    "vector",
    [np.zeros(3, np.int32), np.zeros(3, np.uint64), np.zeros(3), np.zeros((2, 2), np.int64)],
    ids=["int32", "uint64", "float", "table"],
)
def test_other_numbers_are_refused(vector: Vector) -> None:
    with pytest.raises(TypeError, match="int64"):
        ArrowBlockFormat().encode({"members": vector})


@pytest.mark.parametrize("metadata", [None, {}, {"parley-block-version": "2"}])
def test_a_block_of_an_unknown_version_is_refused(metadata: dict[str, str] | None) -> None:
    table = pa.table({"members": pa.array([[1, 2]], pa.large_list(pa.int64()))}).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(BlockUnreadable, match="format"):
        ArrowBlockFormat().decode(sink.getvalue().to_pybytes())


def test_a_block_that_was_cut_short_is_refused_or_whole() -> None:
    """Never fewer vectors or numbers than were stored: only the end mark may be missing."""
    vectors = {"members": np.arange(50), "days": np.arange(3)}
    block = ArrowBlockFormat().encode(vectors)
    for length in range(len(block)):
        try:
            back = ArrowBlockFormat().decode(block[:length])
        except BlockUnreadable:
            continue
        for name, vector in vectors.items():
            np.testing.assert_array_equal(back[name], vector)


def test_bytes_that_are_no_block_are_refused() -> None:
    with pytest.raises(BlockUnreadable):
        ArrowBlockFormat().decode(b"nothing of the kind")
