"""Long work that may be stopped at any moment, or run out of room: it tidies up, and says so in one sentence."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click
import duckdb

from api.cli.output import Failure


@contextmanager
def stopping_in_order() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the work where it is; everything on the way out is tidied up, and a second signal does not
    disturb that. The engine tells of a signal by an error of its own."""
    stopped = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except (KeyboardInterrupt, RuntimeError, duckdb.Error):
        if stopped:
            raise click.Abort from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def said_plainly() -> Iterator[None]:
    """What the engine says of an error may quote a value of a row: it is never passed on."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise Failure(
            "The engine ran out of memory or disk: give it more --memory, or another --spill folder."
        ) from None
    except duckdb.IOException:
        raise Failure("The engine could not read or write a file: is the disk of --spill full?") from None
    except duckdb.Error as error:
        raise Failure(f"The engine failed ({type(error).__name__}), and nothing more was written.") from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise Failure(f"The preparation failed: {where}{error.strerror or type(error).__name__}.") from None
