"""The page of metrics as the master holds it."""

import os
import shutil
import socket
import sys
from subprocess import PIPE, Popen
from tempfile import mkdtemp
from typing import Final

PAGE: Final = "api.serving.metrics_page"
# Read by prometheus_client when it is imported: where processes put their counts for others to add up.
_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"


class MetricsPort:
    """A folder for the counts of all workers, and a process that serves their sums. The folder is new at each start, so
    that no count of an earlier life is in it."""

    def __init__(self, host: str, port: int) -> None:
        """Raises OSError when the port cannot be had."""
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.create_server((host, port), family=family) as listener:
            self._folder: Final = mkdtemp(prefix="parley-metrics-")
            os.environ[_FOLDER] = self._folder
            command = [sys.executable, "-m", PAGE, self._folder, str(listener.fileno())]
            self._process: Final = Popen(command, stdin=PIPE, pass_fds=[listener.fileno()])  # noqa: S603  # ours alone

    def forget(self, worker_id: int) -> None:
        """A worker is gone: what it counted stays, what it had open does not."""
        from prometheus_client.multiprocess import mark_process_dead  # not before the folder is set

        mark_process_dead(worker_id)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
