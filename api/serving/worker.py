"""gunicorn's worker of threads, which quotes nobody and waits for nobody for ever."""

import json
import os
import socket
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import ThreadWorker

from api.http import SECURITY_HEADERS
from api.logs import log_unexpected, log_unreadable
from api.problems import MEDIA_TYPE, problem_body
from api.serving.sockets import SILENCE_SECONDS, DeadlineSocket

UNREADABLE: Final = "The request cannot be read."
# From the first byte to the end of the head; then for the rest of the request. What an answer has: see the sockets.
HEAD_SECONDS: Final = SILENCE_SECONDS
BODY_SECONDS: Final = 60
_TOO_LONG: Final = {LimitRequestLine: 414, LimitRequestHeaders: 431}


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Answers what it cannot read with a problem document. gunicorn would quote it, in the answer and in its log;
    but it can be the cells of a body whose length was understated, or whose chunks are none."""

    def handle(self, conn: Any) -> Any:
        """A request has a deadline, so that the thread is free again whatever the client does."""
        if not isinstance(conn.sock, DeadlineSocket):
            conn.sock = DeadlineSocket.instead_of(conn.sock)
        conn.sock.allow(HEAD_SECONDS)
        goes_on = super().handle(conn)
        if not goes_on:
            conn.sock.take_leave()
        return goes_on

    def handle_request(self, req: Any, conn: Any) -> Any:
        conn.sock.allow(BODY_SECONDS)
        return super().handle_request(req, conn)

    def handle_error(self, _req: object, client: socket.socket, _addr: object, error: BaseException) -> None:
        if isinstance(error, ParseException):
            log_unreadable()
            status, code, detail = _TOO_LONG.get(type(error), 400), "request-malformed", UNREADABLE
        else:
            log_unexpected(error, None)
            status, code, detail = 500, "internal", "Something went wrong here."
        with suppress(OSError):  # the client may be gone
            write_nonblock(client, _answer(status, code, detail))

    def handle_quit(self, sig: int, frame: object) -> None:
        """SIGQUIT, and Ctrl-C: at once. Python would wait for its threads to end."""
        os._exit(0)

    def set_accept_enabled(self, enabled: bool) -> None:
        """A worker that stops lets go of the port at once: a connection that it merely left waiting would look
        accepted, and be cut off at the end."""
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()

    def _cap_keepalive(self, deadline: float) -> None:
        """gunicorn's word for: we stop. Connections on which nothing was said yet are not waited for either."""
        super()._cap_keepalive(deadline)
        for waiting in self.pending_conns:
            waiting.timeout = min(waiting.timeout, deadline)


def _answer(status: int, code: str, detail: str) -> bytes:
    """A problem document as it goes over the wire, for where no framework is at hand."""
    body = json.dumps(problem_body(code, status, detail)).encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Connection: close",
        f"Content-Type: {MEDIA_TYPE}",
        *(f"{name}: {value}" for name, value in SECURITY_HEADERS.items()),
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*head, "", "")).encode() + body
