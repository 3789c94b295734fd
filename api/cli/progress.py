"""How far long work has come, on standard error and only for people: in a pipe nothing is shown."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

import click

_EVERY_SECONDS: Final = 0.25
_PARTS: Final = 1000


@contextmanager
def progress_of(what: str, share_done: Callable[[], float]) -> Iterator[None]:
    """A bar under the name of the step until it ends. share_done: from 0 to 1; it is asked from another thread."""
    if not sys.stderr.isatty():
        yield
        return
    ended = Event()
    drawing = Thread(target=_draw, args=(what, share_done, ended), daemon=True)
    drawing.start()
    try:
        yield
    finally:
        ended.set()
        drawing.join()


def _draw(what: str, share_done: Callable[[], float], ended: Event) -> None:
    with click.progressbar(length=_PARTS, label=what, file=sys.stderr, show_eta=False) as bar:
        while not ended.wait(_EVERY_SECONDS):
            bar.pos = int(_PARTS * min(max(share_done(), 0), 1))  # of one query after the other
            bar.render_progress()
        bar.update(_PARTS - bar.pos)
