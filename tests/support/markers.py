"""Marker cells, and the search for them in whatever a server leaves behind.

A marker is a number so unlikely that finding it means that an exact cell was kept. It is looked for as decimal
text, and as an integer of any width and byte order: its significant bytes are the same in int32, int64 and in
SQLite's own records. And as a double. Around that may lie base64 or a compressed frame, and one within another.
"""

import base64
import binascii
import bz2
import io
import lzma
import random
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pyarrow as pa

STRATA: Final = 64
_LAYERS: Final = 2
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{12,}")
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")


def _draw_markers() -> tuple[list[int], list[int]]:
    """64 of 12 digits, 64 of 9. All odd, and with bytes that no text has, so that text cannot look like one."""
    draw = random.Random("marker cells")
    chosen: set[int] = set()
    while len(chosen) < 2 * STRATA:
        low, high = (2 * 10**11, 10**12) if len(chosen) < STRATA else (10**8, 10**9)
        marker = draw.randrange(low + 1, high, 2)
        if sum(octet >= 0x80 for octet in _octets(marker)) >= 2:
            chosen.add(marker)
    ordered = sorted(chosen)
    short, long = ordered[:STRATA], ordered[STRATA:]
    draw.shuffle(short)
    draw.shuffle(long)
    return long, short


def _octets(marker: int) -> bytes:
    return marker.to_bytes((marker.bit_length() + 7) // 8, "big")


# Twelve digits lie below the largest count that a submission may hold; nine fit an int32.
LONG, SHORT = _draw_markers()


def find_markers(data: bytes) -> set[int]:
    """The markers in these bytes, in any form and under up to two layers of base64 or compression."""
    return {marker for layer in unfolded(data) for marker in _markers_within(layer)}


def leaks(evidence: Mapping[str, bytes]) -> dict[str, set[int]]:
    """What was found where; empty when nothing leaked."""
    found = {place: find_markers(data) for place, data in evidence.items()}
    return {place: markers for place, markers in found.items() if markers}


def files_below(*folders: Path) -> dict[str, bytes]:
    """The content of every file."""
    return {str(path): path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


def _forms(marker: int) -> Iterator[bytes]:
    text, octets = str(marker), _octets(marker)
    yield from (text.encode(), text.encode("utf-16-le"), f"{marker:,}".encode(), f"{marker:x}".encode())
    yield from (struct.pack("<d", marker), struct.pack(">d", marker))
    if len(octets) > 4:
        yield from (octets, octets[::-1])
    else:
        yield from (struct.pack(">q", marker), struct.pack("<q", marker))


class _Index:
    """Finds many byte strings at once: by a word of four bytes of each, then by comparing the whole."""

    def __init__(self, forms: Iterable[tuple[bytes, int]]) -> None:
        self._by_word: dict[int, list[tuple[int, bytes, int]]] = {}
        for form, marker in forms:
            anchor = min(len(form) - len(form.lstrip(b"\0")), len(form) - 4)
            word = int.from_bytes(form[anchor : anchor + 4], "little")
            self._by_word.setdefault(word, []).append((anchor, form, marker))
        self._words = np.array(sorted(self._by_word), dtype=np.uint32)

    def markers_in(self, data: bytes) -> set[int]:
        if len(data) < 4:
            return set()
        octets = np.frombuffer(data, np.uint8).astype(np.uint32)
        words = octets[:-3] | octets[1:-2] << 8 | octets[2:-1] << 16 | octets[3:] << 24
        found = set()
        for place in np.flatnonzero(np.isin(words, self._words)).tolist():
            for anchor, form, marker in self._by_word[int(words[place])]:
                if place >= anchor and data.startswith(form, place - anchor):
                    found.add(marker)
        return found


_ALL = _Index((form, marker) for marker in LONG + SHORT for form in _forms(marker))
_INT32 = _Index((form, marker) for marker in SHORT for form in (_octets(marker), _octets(marker)[::-1]))


def _markers_within(data: bytes) -> set[int]:
    """An int32 counts when a second one is near: of 128 patterns of four bytes, ten thousand random bytes hold one
    by chance once in 3 000 runs, and two once in 20 million. Every other form is at least five bytes long."""
    int32 = _INT32.markers_in(data)
    return _ALL.markers_in(data) | (int32 if len(int32) > 1 else set())


def unfolded(data: bytes, layers: int = _LAYERS) -> Iterator[bytes]:
    """The bytes as they are, then whatever base64 or compressed frame they hold."""
    yield data
    if layers:
        for inner in (*_decompressed(data), *_from_base64(data)):
            yield from unfolded(inner, layers - 1)


def _from_base64(data: bytes) -> Iterator[bytes]:
    runs = [run.translate(_URL_SAFE) for run in _BASE64.findall(data)]
    for skipped in range(4 if runs else 0):
        decoded = []
        for run in runs:
            aligned = run[skipped:]
            # A run cut off within a group of four still says the bytes before.
            decoded.append(binascii.a2b_base64(aligned + b"A" * (-len(aligned) % 4)))
        yield b"\n\n".join(decoded)


def _decompressed(data: bytes) -> Iterator[bytes]:
    for magic, read in _FRAMES.items():
        for found in re.finditer(magic, data):
            content = read(data[found.start() :])
            if content:
                yield content


def _by_steps(decompress: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """All that can be had, even when the frame is cut off or something else follows it."""

    def read(data: bytes) -> bytes:
        content: list[bytes] = []
        try:
            content.extend(decompress(data[at : at + 256]) for at in range(0, len(data), 256))
        except (zlib.error, OSError, EOFError, lzma.LZMAError, ValueError):
            return b"".join(content)
        return b"".join(content)

    return read


def _by_pyarrow(codec: Literal["lz4", "zstd"]) -> Callable[[bytes], bytes]:
    def read(data: bytes) -> bytes:
        content = io.BytesIO()
        try:
            with pa.CompressedInputStream(pa.BufferReader(data), codec) as stream:
                while piece := stream.read(64):
                    content.write(piece)
        except (OSError, pa.ArrowException):
            return content.getvalue()
        return content.getvalue()

    return read


_FRAMES: Final[dict[bytes, Callable[[bytes], bytes]]] = {
    rb"\x1f\x8b\x08": lambda data: _by_steps(zlib.decompressobj(31).decompress)(data),
    rb"\x78[\x01\x5e\x9c\xda]": lambda data: _by_steps(zlib.decompressobj().decompress)(data),
    rb"BZh[1-9]1AY": lambda data: _by_steps(bz2.BZ2Decompressor().decompress)(data),
    rb"\xfd7zXZ\x00": lambda data: _by_steps(lzma.LZMADecompressor().decompress)(data),
    rb"\x28\xb5\x2f\xfd": _by_pyarrow("zstd"),
    rb"\x04\x22\x4d\x18": _by_pyarrow("lz4"),
}


def as_base64(data: bytes) -> bytes:
    """In the midst of other text, at an odd place."""
    return b'{"x":"' + base64.b64encode(b"7" + data + b"7") + b'"}'
