"""gzip, both ways: bodies that come compressed, and answers to whoever accepts them so.

An answer is compressed only when it is read (GET): what comes of a token request or a submission goes as it is, so that
no length tells of it. BREACH needs a secret beside text that an attacker chooses, in an answer to a request that a
victim's browser was made to send; here no answer to a GET holds a secret, and browsers send no token by themselves.
"""

import gzip
import zlib
from typing import Final

from flask import Request, Response

GZIP: Final = "gzip"
SMALLEST_BYTES: Final = 1024
_IDENTITY: Final = "identity"
_NAMES: Final = {_IDENTITY: _IDENTITY, GZIP: GZIP, "x-gzip": GZIP}  # RFC 9110 8.4.1.3: the two are one
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_COMPRESSIBLE: Final = frozenset(
    {"application/json", "application/yaml", "text/css", "text/html", "text/javascript", "text/markdown"}
)


class BodyNotGzip(Exception):
    """The body is not one whole gzip member and nothing else."""


class BodyTooLarge(Exception):
    """The body expands beyond the limit."""


def find_encoding(request: Request) -> str | None:
    """The encoding of the body, by its one name; None for others, and for several upon each other."""
    return _NAMES.get(request.headers.get("Content-Encoding", _IDENTITY).strip().lower())


def expand(body: bytes, bytes_max: int) -> bytes:
    """Stops as soon as the limit is passed, so a bomb never goes off.

    One member only: a body of a million empty ones is small, and takes minutes.
    Raises BodyNotGzip or BodyTooLarge.
    """
    member = zlib.decompressobj(_GZIP_WINDOW)
    try:
        expanded = member.decompress(body, bytes_max + 1)
    except zlib.error:
        raise BodyNotGzip from None
    if len(expanded) > bytes_max:
        raise BodyTooLarge
    if not member.eof or member.unused_data:
        raise BodyNotGzip
    return expanded


def compress(request: Request, response: Response) -> None:
    """Compress an answer for a client that accepts it. Another representation has another ETag (RFC 9110 8.8.3.3);
    a tag that is for If-Match, on an answer that nobody keeps, names the thing itself, so it stays uncompressed."""
    tag, _ = response.get_etag()
    edited = tag is not None and response.cache_control.no_store
    if not _is_read(request, response) or edited or response.mimetype not in _COMPRESSIBLE:
        return
    response.vary.add("Accept-Encoding")
    accepted = request.accept_encodings.best_match([GZIP, _IDENTITY], default=_IDENTITY)
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
