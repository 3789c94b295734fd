"""Run one function in many threads that start together."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

Result = TypeVar("Result")
THREADS = 16


def at_once(work: Callable[[int], Result]) -> list[Result]:
    """The results of work(0), work(1)...; the first failure is raised."""
    start = Barrier(THREADS)

    def run(number: int) -> Result:
        start.wait(timeout=30)
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))
