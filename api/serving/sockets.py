"""Connections whose clients have only so long: a request that drips in for ever would hold a thread for ever."""

import errno
import os
import socket
import struct
import time
from contextlib import suppress
from typing import Final, Self

# At the kernel's door: a client that sends, or takes, nothing at all for so long loses its connection.
SILENCE_SECONDS: Final = 10
LINGER_SECONDS: Final = 2.0
LINGER_BYTES: Final = 65536


class DeadlineSocket(socket.socket):
    """A connection from which is read until a deadline, however often a byte arrives."""

    deadline = float("inf")

    @classmethod
    def instead_of(cls, connection: socket.socket) -> Self:
        """The same connection; the other object lets go of it."""
        return cls(fileno=connection.detach())

    def allow(self, seconds: float) -> None:
        """From now on."""
        self.deadline = time.monotonic() + seconds
        _set_timeout(self, socket.SO_SNDTIMEO, SILENCE_SECONDS)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Raises BlockingIOError, as the kernel does when it is silent for too long."""
        left_seconds = self.deadline - time.monotonic()
        if left_seconds <= 0:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        _set_timeout(self, socket.SO_RCVTIMEO, min(SILENCE_SECONDS, left_seconds))
        return super().recv(size, flags)

    def take_leave(self) -> None:
        """Say that nothing more comes, and hear the client out for a moment, so that the system does not cut off the
        end of an answer (RFC 9112, 9.6). gunicorn would do that in the thread that accepts connections: whoever lingers
        would hold up everybody."""
        with suppress(OSError):  # the client may be gone
            self.shutdown(socket.SHUT_WR)
            self.deadline = min(self.deadline, time.monotonic() + LINGER_SECONDS)
            heard = 0
            while heard < LINGER_BYTES and (chunk := self.recv(LINGER_BYTES)):
                heard += len(chunk)
        with suppress(OSError):
            self.shutdown(socket.SHUT_RD)


def _set_timeout(connection: socket.socket, option: int, seconds: float) -> None:
    """In the kernel, where it binds reading and writing alike: Python's own would have gunicorn poll."""
    microseconds = max(1, int(seconds * 1_000_000))  # 0 would be for ever
    connection.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", *divmod(microseconds, 1_000_000)))
