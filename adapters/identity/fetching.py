"""Fetching a small document from an address that others chose, so that it cannot be turned against the inside of our
network (server-side request forgery): no redirects, no proxy, no cookies, one deadline, and the connection goes to the
very address that was checked, whatever the name resolves to a moment later.
"""

import ssl
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult

import httpcore

from adapters.identity.addresses import Resolver, all_public, resolve
from contracts.public_keys import split_url

SECONDS_MAX: Final = 5.0
BYTES_MAX: Final = 64 * 1024
# Of everything that is sent, since also what is thrown away costs time to read.
RAW_BYTES_MAX: Final = 256 * 1024
_ADDRESSES_TRIED_MAX: Final = 3
_PORTS: Final = {"https": 443, "http": 80}
_HEADERS: Final[Sequence[tuple[bytes | str, bytes | str]]] = (
    ("Accept", "application/jwk-set+json, application/json"),
    ("Accept-Encoding", "identity"),
)


class Unreachable(Exception):
    """The document cannot be had. The text says in which way, in our words, and quotes nothing."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Where else than on the public internet documents may be fetched from.

    private_hosts: `host` or `host:port` that may have private addresses. plain_http: whether those of them that are
    loopback may do without TLS, for development.
    """

    private_hosts: frozenset[str] = frozenset()
    plain_http: bool = False
    resolver: Resolver = field(default=resolve, compare=False)

    def address(self, url: str) -> SplitResult:
        """The parts of a URL that may be asked. Raises Unreachable."""
        try:
            parts = split_url(url)
        except ValueError as error:
            raise Unreachable(f"the URL is not {error}") from None
        port = parts.port or _PORTS[parts.scheme]
        if parts.scheme == "http" and not (self.plain_http and self.may_be_private(str(parts.hostname), port)):
            raise Unreachable("the URL is not https")
        return parts

    def may_be_private(self, host: str, port: int) -> bool:
        named = f"[{host}]" if ":" in host else host
        return not self.private_hosts.isdisjoint({named, f"{named}:{port}"})

    def checked_addresses(self, host: str, port: int, *, loopback_only: bool) -> list[str]:
        """What the name stands for, once. Raises Unreachable unless every one of the addresses may be asked."""
        try:
            addresses = self.resolver(host, port)
            public = all_public(addresses)
        except (OSError, ValueError):
            raise Unreachable("the name of the host is unknown") from None
        if loopback_only and not all(address in ("127.0.0.1", "::1") for address in addresses):
            raise Unreachable("the URL is not https")
        if not public and not self.may_be_private(host, port):
            raise Unreachable("the host has an address that is not public")
        return addresses


def fetch(url: str, reach: Reach) -> bytes:
    """The whole document. Raises Unreachable."""
    parts = reach.address(url)
    backend = _CheckedNetwork(reach, time.monotonic() + SECONDS_MAX, loopback_only=parts.scheme == "http")
    target = httpcore.URL(
        scheme=parts.scheme,
        host=str(parts.hostname),
        port=parts.port,
        target=f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}",
    )
    try:
        with (
            httpcore.ConnectionPool(ssl_context=ssl.create_default_context(), network_backend=backend) as pool,
            pool.stream("GET", target, headers=_HEADERS) as response,
        ):
            return _body(response)
    except httpcore.TimeoutException:
        raise Unreachable("it does not answer in time") from None
    except httpcore.ConnectError as error:
        if isinstance(error.__cause__ or error.__context__, ssl.SSLError):
            raise Unreachable("its certificate is not one that this system trusts for that name") from None
        raise Unreachable("there is no connection to the host") from None
    except (httpcore.NetworkError, httpcore.ProtocolError):
        raise Unreachable("the answer is no HTTP or is cut short") from None


def _body(response: httpcore.Response) -> bytes:
    if 300 <= response.status < 400:
        raise Unreachable("it redirects, which is not followed")
    if response.status != 200:
        raise Unreachable(f"it answers with status {response.status}")
    if any(name.lower() == b"content-encoding" and value != b"identity" for name, value in response.headers):
        raise Unreachable("the answer is compressed, which was not asked for")
    body = bytearray()
    for chunk in response.iter_stream():
        body += chunk
        if len(body) > BYTES_MAX:
            raise Unreachable(f"the answer has more than {BYTES_MAX} bytes")
    return bytes(body)


class _CheckedNetwork(httpcore.NetworkBackend):
    """Resolves a name once, checks what it stands for, and connects to exactly that."""

    def __init__(self, reach: Reach, deadline: float, *, loopback_only: bool) -> None:
        self._reach = reach
        self._deadline = deadline
        self._loopback_only = loopback_only

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._reach.checked_addresses(host, port, loopback_only=self._loopback_only)
        backend = httpcore.SyncBackend()
        for address in addresses[:_ADDRESSES_TRIED_MAX]:
            patience = min(_left(self._deadline), SECONDS_MAX / _ADDRESSES_TRIED_MAX)
            try:
                connected = backend.connect_tcp(address, port, timeout=patience)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
            return _TimedStream(connected, self._deadline)
        raise httpcore.ConnectError


class _TimedStream(httpcore.NetworkStream):
    """A connection with one limit of time and size for all of it: a limit for each read would not end."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline
        self._bytes_read = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Raises Unreachable for an answer without end: of interim responses, of header fields, of tiny chunks."""
        read = self._stream.read(max_bytes, _left(self._deadline))
        self._bytes_read += len(read)
        if self._bytes_read > RAW_BYTES_MAX:
            raise Unreachable(f"the answer has more than {RAW_BYTES_MAX} bytes, with all that is around it")
        return read

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline))
        return _TimedStream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float) -> float:
    """Raises httpcore.ReadTimeout when nothing is left."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return left
