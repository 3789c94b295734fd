"""gzip both ways, and zstd one way: bodies that come compressed, and answers to whoever accepts them so.

An answer is compressed only when it is read (GET): what comes of a token request or a submission goes as it is, so that
no length tells of it. BREACH needs a secret beside text that an attacker chooses, in an answer to a request that a
victim's browser was made to send; here no answer to a GET holds a secret, and browsers send no token by themselves.
"""

import gzip
import zlib
from typing import Final

import pyarrow as pa
from flask import Request, Response

GZIP: Final = "gzip"
ZSTD: Final = "zstd"
SMALLEST_BYTES: Final = 1024
IDENTITY: Final = "identity"
_NAMES: Final = {IDENTITY: IDENTITY, GZIP: GZIP, "x-gzip": GZIP, ZSTD: ZSTD}  # RFC 9110 8.4.1.3: the two are one
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_WINDOW_MAX: Final = 8 * 1024 * 1024
_ZSTD_BLOCK_BYTES: Final = 128 * 1024
_RUN: Final = 1
_FLUSHES_MAX: Final = 10_000
_PIECE_BYTES: Final = 1024 * 1024
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_COMPRESSIBLE: Final = frozenset(
    {"application/json", "application/yaml", "text/css", "text/csv", "text/html", "text/javascript", "text/markdown"}
)


class BodyNotExpandable(Exception):
    """The body is not one whole gzip member, or zstd frame, and nothing else."""


class BodyTooLarge(Exception):
    """The body expands beyond the limit."""


def find_encoding(request: Request) -> str | None:
    """The encoding of the body, by its one name; None for others, and for several upon each other."""
    return _NAMES.get(request.headers.get("Content-Encoding", IDENTITY).strip().lower())


def expand(body: bytes, encoding: str, bytes_max: int) -> bytes:
    """Stops as soon as the limit is passed, so a bomb never goes off.

    One member or frame only: a body of a million empty ones is small, and takes minutes.
    Raises BodyNotExpandable or BodyTooLarge.
    """
    return _expand_zstd(body, bytes_max) if encoding == ZSTD else _expand_gzip(body, bytes_max)


def _expand_gzip(body: bytes, bytes_max: int) -> bytes:
    member = zlib.decompressobj(_GZIP_WINDOW)
    try:
        expanded = member.decompress(body, bytes_max + 1)
    except zlib.error:
        raise BodyNotExpandable from None
    if len(expanded) > bytes_max:
        raise BodyTooLarge
    if not member.eof or member.unused_data:
        raise BodyNotExpandable
    return expanded


def _expand_zstd(body: bytes, bytes_max: int) -> bytes:
    """In pieces, since the library takes at once what it is asked for."""
    _require_one_frame(body, bytes_max)
    pieces, left = [], bytes_max + 1
    try:
        with pa.CompressedInputStream(pa.BufferReader(body), ZSTD) as stream:
            while left and (piece := stream.read(min(left, _PIECE_BYTES))):
                pieces.append(piece)
                left -= len(piece)
    except (pa.ArrowException, OSError):
        raise BodyNotExpandable from None
    if not left:
        raise BodyTooLarge
    return b"".join(pieces)


def _require_one_frame(body: bytes, bytes_max: int) -> None:
    """One frame from the first byte to the last, whose window is no larger than RFC 9659 allows, or, where the whole
    content is the window, than the limit. Blocks are walked by their headers (RFC 8878 3.1.1); the smallest expand to
    nothing, so they may be no more than a body of the limit has, and some for a writer that flushes.
    """
    if len(body) < 6 or body[:4] != _ZSTD_MAGIC:
        raise BodyNotExpandable
    flags = body[4]
    single, checksum = bool(flags & 0x20), 4 if flags & 0x04 else 0
    window_at, dictionary = 5, (0, 1, 2, 4)[flags & 0x03]
    content_at = window_at + (0 if single else 1) + dictionary
    content_length = (1 if single else 0, 2, 4, 8)[flags >> 6]
    if single:
        content = int.from_bytes(body[content_at : content_at + content_length], "little")
        window, most = content + (256 if content_length == 2 else 0), bytes_max
    else:
        base = 1 << (10 + (body[window_at] >> 3))
        window, most = base + base // 8 * (body[window_at] & 0x07), _ZSTD_WINDOW_MAX
    if window > most:
        raise BodyTooLarge
    at = content_at + content_length
    for _ in range(_FLUSHES_MAX + bytes_max // _ZSTD_BLOCK_BYTES):
        head = int.from_bytes(body[at : at + 3], "little")
        at += 3 + (1 if head >> 1 & 0x03 == _RUN else head >> 3)
        if head & 1 or at > len(body):
            break
    if at + checksum != len(body) or not head & 1:
        raise BodyNotExpandable


def compress(request: Request, response: Response) -> None:
    """Compress an answer for a client that accepts it. Another representation has another ETag (RFC 9110 8.8.3.3);
    a tag that is for If-Match, on an answer that nobody keeps, names the thing itself, so it stays uncompressed."""
    tag, _ = response.get_etag()
    edited = tag is not None and response.cache_control.no_store
    if not _is_read(request, response) or edited or response.mimetype not in _COMPRESSIBLE:
        return
    response.vary.add("Accept-Encoding")
    accepted = request.accept_encodings.best_match([GZIP, IDENTITY], default=IDENTITY)
    if accepted != GZIP or "Content-Encoding" in response.headers or len(response.get_data()) < SMALLEST_BYTES:
        return
    response.set_data(gzip.compress(response.get_data(), compresslevel=5, mtime=0))
    response.headers["Content-Encoding"] = GZIP
    if tag is not None:
        response.set_etag(f"{tag}.{GZIP}")


def revalidate(request: Request, response: Response) -> None:
    """304 for whoever has this very representation (RFC 9110 13.1.2)."""
    if not _is_read(request, response):
        return
    tag, _ = response.get_etag()
    if tag is not None and request.if_none_match.contains_weak(tag):
        response.status_code = 304
        response.set_data(b"")


def _is_read(request: Request, response: Response) -> bool:
    return request.method in ("GET", "HEAD") and response.status_code == 200
