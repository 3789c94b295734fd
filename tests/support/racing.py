"""Many threads in several processes post to one account, all at once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier as ProcessBarrier
from random import Random
from threading import Barrier
from typing import Final

from flask import Flask

from api.wiring import Wiring
from tests.support.processes import PATIENCE_SECONDS, PROCESSES, Stand, end_of
from tests.support.small_exchange import fills

PROCESS_COUNT: Final = 4
GRANTS: Final = 5
# The answers after which a client asks again: somebody else is at it, or the database was too busy.
_AGAIN: Final = ("submission-in-progress", "database-unavailable")

# Period, submission id, and how it ended: `measured`, `replayed`, or the code of a problem.
Outcome = tuple[str, str, str]


def race(stand: Stand, population: str, periods: Sequence[str], threads: int) -> list[Outcome]:
    """Every thread of every process tries to submit every period under an id of its own, in an order of its own;
    meanwhile each process records a few grants."""
    together = PROCESSES.Barrier(PROCESS_COUNT)
    outcomes: list[Outcome] = []
    started = []
    for number in range(PROCESS_COUNT):
        mine, its = PROCESSES.Pipe()
        process = PROCESSES.Process(target=_run, args=(stand, population, periods, threads, number, together, its))
        process.start()
        its.close()
        started.append((process, mine))
    for process, mine in started:
        assert mine.poll(PATIENCE_SECONDS)
        outcomes += mine.recv()
        mine.close()
        assert end_of(process) == 0
    return outcomes


def _run(
    stand: Stand,
    population: str,
    periods: Sequence[str],
    threads: int,
    number: int,
    together: ProcessBarrier,
    parent: Connection,
) -> None:
    app = stand.make_app()
    wired: Wiring = app.extensions["parley"]

    def wait_for_the_other_processes() -> None:
        together.wait(PATIENCE_SECONDS)

    start = Barrier(threads + 1, action=wait_for_the_other_processes)
    with closing(wired.database), ThreadPoolExecutor(threads + 1) as pool:  # type: ignore[type-var]
        granting = pool.submit(_grant, wired, population, start)
        posting = [pool.submit(_post, stand, app, periods, start, Random(100 * number + i)) for i in range(threads)]
        granting.result()
        parent.send([outcome for done in posting for outcome in done.result()])


def _grant(wired: Wiring, population: str, start: Barrier) -> None:
    start.wait(PATIENCE_SECONDS)
    for _ in range(GRANTS):
        wired.registering.grant(population, "0.000000001", "a race")


def _post(stand: Stand, app: Flask, periods: Sequence[str], start: Barrier, random: Random) -> list[Outcome]:
    bodies = [fills(period) for period in random.sample(periods, len(periods))]
    start.wait(PATIENCE_SECONDS)
    return [(body["period"], body["submission_id"], _outcome(stand, app, body)) for body in bodies]


def _outcome(stand: Stand, app: Flask, body: dict[str, str]) -> str:
    while True:
        status, answer = stand.post(app, body)
        if status in (200, 201):
            return "replayed" if answer["replayed"] else "measured"
        code = str(answer["type"]).rpartition(":")[2]
        if code not in _AGAIN:
            return code
