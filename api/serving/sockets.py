"""Connections whose clients have only so long: a request that drips in for ever would hold a thread for ever, and so
would an answer that drips out."""

import errno
import os
import socket
import struct
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# At the kernel's door: a client that sends, or takes, nothing at all for so long loses its connection.
SILENCE_SECONDS: Final = 10
# From the first byte of an answer; the work before it, as of a submission, may have taken long. Large ones have longer.
ANSWER_SECONDS: Final = 30.0
ANSWER_BYTES_A_SECOND: Final = 65536
CHUNK_BYTES: Final = 65536
LINGER_SECONDS: Final = 2.0
LINGER_BYTES: Final = 65536


class DeadlineSocket(socket.socket):
    """A connection from which is read until a deadline, however often a byte arrives, and to which an answer is written
    until another, however often a byte is taken."""

    deadline = float("inf")
    _answer_deadline: float | None = None

    @classmethod
    def instead_of(cls, connection: socket.socket) -> Self:
        """The same connection; the other object lets go of it."""
        return cls(fileno=connection.detach())

    def allow(self, seconds: float) -> None:
        """For what is read from now on. Whatever is written next begins an answer."""
        self.deadline = time.monotonic() + seconds
        self._answer_deadline = None

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Raises BlockingIOError, as the kernel does when it is silent for too long."""
        _wait_at_most(self, socket.SO_RCVTIMEO, self.deadline)
        return super().recv(size, flags)

    def sendall(self, data: "ReadableBuffer", flags: int = 0, /) -> None:
        """Raises BlockingIOError, as `recv` does. Python's own would go on for as long as each of its sends gets
        anything away."""
        if self._answer_deadline is None:
            self._answer_deadline = time.monotonic() + ANSWER_SECONDS
        left = memoryview(data).cast("B")
        while left:
            _wait_at_most(self, socket.SO_SNDTIMEO, self._answer_deadline)
            sent = self.send(left[:CHUNK_BYTES], flags)
            self._answer_deadline += sent / ANSWER_BYTES_A_SECOND
            left = left[sent:]

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


def _wait_at_most(connection: socket.socket, option: int, deadline: float) -> None:
    """Silence, in the next call: in the kernel, since Python's own timeouts would have gunicorn poll."""
    left_seconds = min(SILENCE_SECONDS, deadline - time.monotonic())
    if left_seconds <= 0:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    microseconds = max(1, int(left_seconds * 1_000_000))  # 0 would be for ever
    connection.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", *divmod(microseconds, 1_000_000)))
