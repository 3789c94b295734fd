"""Acts that may end the process, or take all of its memory, done in a child: a crash fails a test, and does not end
the tests."""

import os
import resource
import signal
import warnings
from collections.abc import Callable

SECONDS_MAX = 30


def in_child(act: Callable[[], str]) -> tuple[str, int]:
    """What `act` says, and the most memory the child had, in bytes; what ended it, if it did not end well."""
    read_end, write_end = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads, which the child does not need
        child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.alarm(SECONDS_MAX)
            os.write(write_end, act().encode())
            os._exit(0)
        finally:
            os._exit(1)
    os.close(write_end)
    with open(read_end, "rb") as said:
        told = said.read().decode()
    _, status, usage = os.wait4(child, 0)
    ended = "" if status == 0 else f"ended by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "raised"
    return ended or told, usage.ru_maxrss * 1024
