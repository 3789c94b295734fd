"""Swap, core dumps and temporary files: where memory could end up on a disk. Exact aggregates are in memory for one
request."""

import os
import resource
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from api.doctor.findings import Finding, not_checked, ok, problem, warning
from api.http import MemoryRequest, SpoolingForbidden

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_SWAP: Final = "swap"
_CORES: Final = "core dumps"
_SPOOLING: Final = "temporary files"
_SPOOLED_BYTES: Final = 1 << 20  # Werkzeug keeps half of that in memory


def check_swap(swaps: Path = Path("/proc/swaps"), block_devices: Path = Path("/sys/class/block")) -> Iterator[Finding]:
    """Swap that is off, compressed memory or encrypted by the device mapper does no harm."""
    try:
        lines = swaps.read_text().splitlines()[1:]
    except OSError:
        yield not_checked(_SWAP, f"{swaps} cannot be read", "Make sure that swap is off, or encrypted.")
        return
    places = [line.split()[0] for line in lines if line.split()]
    if not places:
        yield ok(_SWAP, "off")
    for place in places:
        name = Path(os.path.realpath(place)).name
        if name.startswith("zram"):
            yield warning(_SWAP, f"{place} is compressed memory", "Make sure that it has no backing device.")
        elif _is_encrypted(block_devices / name):
            yield ok(_SWAP, f"{place} is encrypted")
        else:
            yield problem(
                _SWAP,
                f"{place} is not known to be encrypted, and exact cells may be written to it",
                "Turn it off (swapoff, and out of /etc/fstab), or encrypt it with a random key at each start.",
            )


def check_core_dumps(
    limits: tuple[int, int] | None = None, pattern: Path = Path("/proc/sys/kernel/core_pattern")
) -> Iterator[Finding]:
    """The server forbids its own; the limit does not bind where cores are piped to a program (core(5))."""
    soft, _ = limits or resource.getrlimit(resource.RLIMIT_CORE)
    piped = _first_line(pattern)
    if piped.startswith("|"):
        yield warning(
            _CORES,
            "the kernel pipes them to a program, past any limit; the server leaves them nothing, other programs do",
            "Set kernel.core_pattern to a file name, or have the program keep nothing (coredump.conf: Storage=none).",
        )
    elif soft != 0:
        yield warning(
            _CORES,
            "allowed here; the server forbids its own, and other commands that read cells do not",
            "ulimit -c 0 in the shell, LimitCORE=0 in a systemd unit.",
        )
    else:
        yield ok(_CORES, "forbidden")


def check_spooling(heartbeats: Path = Path("/dev/shm")) -> Iterator[Finding]:  # noqa: S108
    """A large upload, read as the server reads it, must be refused before it reaches a file."""
    try:
        with closing(MemoryRequest(_upload())) as request:
            files = len(request.files)
    except SpoolingForbidden:
        yield ok(_SPOOLING, "a large upload is refused before it reaches a file")
    else:
        yield problem(_SPOOLING, f"{files} upload was spooled", "Install this version of Parley anew; report it.")
    if not heartbeats.is_dir():
        yield warning(
            _SPOOLING,
            f"there is no {heartbeats}: the server's heartbeat file, which stays empty, lies on a disk",
            f"Mount a tmpfs at {heartbeats}.",
        )


def _upload() -> "WSGIEnvironment":
    """A form with one file of zeros, as it comes over the wire."""
    head = b'--doctor\r\nContent-Disposition: form-data; name="cells"; filename="cells.csv"\r\n\r\n'
    body = head + b"0" * _SPOOLED_BYTES + b"\r\n--doctor--\r\n"
    return {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": "multipart/form-data; boundary=doctor",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
    }


def _is_encrypted(device: Path) -> bool:
    """dm-crypt names its devices so; other encryption cannot be told from here."""
    return _first_line(device / "dm" / "uuid").startswith("CRYPT-")


def _first_line(path: Path) -> str:
    try:
        return path.read_text().partition("\n")[0]
    except OSError:
        return ""
