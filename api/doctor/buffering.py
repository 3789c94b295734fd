"""Does something in front of the exchange collect request bodies before it passes them on? It may write them to disk.

A POST without a token is refused by the exchange as soon as its header is there. So the answer must come while most of
the body is still here. If it comes only after the last byte, something has waited for the whole of it.
"""

import socket
import ssl
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from api.doctor.findings import Finding, not_checked, ok, problem

_BUFFERING: Final = "body buffering"
_PATH: Final = "/v1/contract-previews"
_BODY_BYTES: Final = 900_000  # below the limits that proxies set unless told otherwise, above their buffers in memory
_SENT_FIRST_BYTES: Final = 1_000
_OURS: Final = b"urn:parley:problem:token-missing"
ANSWER_SECONDS: Final = 4.0


def check_buffering(url: str, *, patience_seconds: float = ANSWER_SECONDS) -> Iterator[Finding]:
    """url: the exchange as clients see it, so that whatever stands in front takes part. Only blanks are sent."""
    try:
        # A whole small request first: an exchange that is slow, or none, must not look like a proxy that waits.
        known = _OURS in _answers(url, patience_seconds / 2, 2, 2)[0]
        early, late = _answers(url, patience_seconds, _SENT_FIRST_BYTES, _BODY_BYTES) if known else (b"", b"")
    except (OSError, ValueError):  # of TLS too
        why = f"{_shown(url)} cannot be reached from here"
        yield not_checked(_BUFFERING, why, "Run this where clients' requests pass.")
        return
    if _OURS in early:
        yield ok(_BUFFERING, f"nothing between here and the exchange waits for a whole body ({_shown(url)})")
    elif _OURS in late:
        yield problem(
            _BUFFERING,
            f"something in front of {_shown(url)} collects bodies before passing them on, and may write them to a disk",
            "Turn that off (nginx: proxy_request_buffering off, with proxy_http_version 1.1).",
        )
    else:
        yield not_checked(
            _BUFFERING, f"what answers at {_shown(url)} is not the exchange, or is slow", "Give its URL with --url."
        )


def no_address() -> Iterator[Finding]:
    yield not_checked(_BUFFERING, "no address of the exchange was given", "parley doctor --url https://...")


def _shown(url: str) -> str:
    """Without a user's name and password."""
    secret, at, rest = url.rpartition("@")
    scheme, slashes, _ = secret.partition("//")
    return f"{scheme if slashes else ''}{slashes}{rest}" if at else url


def _answers(url: str, patience_seconds: float, first_bytes: int, all_bytes: int) -> tuple[bytes, bytes]:
    """What came when the first bytes of a body had been sent, and else what came after all of it."""
    with _connected(url, patience_seconds) as connection:
        connection.sendall(_header(url, all_bytes) + b" " * first_bytes)
        early = _read_answer(connection)
        if early or first_bytes == all_bytes:
            return early, b""
        connection.sendall(b" " * (all_bytes - first_bytes))
        return b"", _read_answer(connection)


def _connected(url: str, patience_seconds: float) -> socket.socket:
    """Raises OSError or ValueError."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    plain = socket.create_connection((parts.hostname or "", parts.port or (443 if secure else 80)), patience_seconds)
    if not secure:
        return plain
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname)
    except BaseException:
        plain.close()
        raise


def _header(url: str, body_bytes: int) -> bytes:
    lines = (
        f"POST {_PATH} HTTP/1.1",
        f"Host: {urlsplit(url).netloc.rpartition('@')[2]}",
        "User-Agent: parley-doctor",
        "Content-Type: application/json",
        f"Content-Length: {body_bytes}",
        "Connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode()


def _read_answer(connection: socket.socket) -> bytes:
    """What comes until it falls silent or ends; nothing if nothing comes in time."""
    answer = b""
    try:
        while _OURS not in answer and (part := connection.recv(65536)):
            answer += part
    except (TimeoutError, ConnectionError):
        pass
    return answer
