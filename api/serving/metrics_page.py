"""The page of metrics: a process of its own, which adds up what the workers of the exchange wrote to a folder.

    python -m api.serving.metrics_page FOLDER DESCRIPTOR     (of a listening socket)

It needs nothing of the exchange but the folder, and ends with it: at the end of standard input, which no process of the
exchange then holds open, however it went.
"""

import shutil
import signal
import socket
import sys
from threading import Thread
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.multiprocess import MultiProcessCollector

CLIENT_SECONDS: Final = 5


class _Handler(WSGIRequestHandler):
    timeout = CLIENT_SECONDS

    def log_message(self, *_: Any) -> None:
        """Nobody needs to know who reads metrics, or when."""


def serve(folder: str, listener: socket.socket) -> None:
    """Serve the sums to whoever connects, from now on."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    host, port = listener.getsockname()[:2]
    server = ThreadingWSGIServer((host, port), _Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.server_name, server.server_port = host, port
    server.setup_environ()
    server.set_app(make_wsgi_app(registry))
    Thread(target=server.serve_forever, daemon=True).start()


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the master, which stops this process in order
    folder, descriptor = sys.argv[1:]
    serve(folder, socket.socket(fileno=int(descriptor)))
    sys.stdin.read()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
