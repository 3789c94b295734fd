"""How long each statistic takes, beside reading the blocks it needs and adding them up in numpy, in the same run.

    python -m benchmarks.statistics [--postgresql] [--years 3] [--rounds 15] [--statistics NAME ...] [--json]

Three payers have posted 36 months of 6,000 cells and 10 measures (benchmarks/statistics_world.py). The floor reads, in
one transaction, the blocks of the very releases that the answer rests on, expands the very vectors that it needed, and
adds them up. Cold is the first question of a process, and the floor then is the first thing that a process does; warm
is a question asked before. What is timed is the use case, without HTTP. Then ten times the history is posted, and the
same periods are asked again. Goals: warm within 3 times the floor, cold within 1.5 times and 5 ms, and ten times the
history at most twice the time. Exit code 1 where one is missed.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

import numpy as np

from adapters.blocks import ArrowBlockFormat
from adapters.database import migrate, open_database
from benchmarks.exchange_at_work import database_url
from benchmarks.statistics_world import LAST_YEAR, STATISTICS, caller, world
from contracts.asking import Asking
from contracts.statistics.questions import Compare, Question
from privacy.arrays import Vector
from tests.support.small_exchange import BRAND, CONTRACT, TurnableClock

GOAL_WARM: Final = 3.0
GOAL_COLD: Final = 1.5
GOAL_COLD_SECONDS: Final = 0.005
GOAL_HISTORY: Final = 2.0
TEN_TIMES: Final = 10
PERIODS: Final = f"{LAST_YEAR - 2}-01..{LAST_YEAR}-12"
CLAIMS: Final = ("claims",)
# What an analyst asks of each; without an entry: of everything, by region.
QUESTIONS: Final[dict[str, dict[str, Any]]] = {
    "counts": {"by": ("region", "month"), "feeds": CLAIMS, "measures": ("members", "hospital_stays")},
    "trend": {"by": ("quarter",), "of": "adherence_rate", "feeds": CLAIMS},
    "threshold_assessment": {"by": (), "periods": None},
    "persistence_curve": {"by": ()},
}


@dataclass
class Recording(ArrowBlockFormat):
    """Remembers which vectors were expanded."""

    names: dict[tuple[str, ...], int] = field(default_factory=dict)

    def decode(self, block: bytes, names: Sequence[str] | None = None) -> dict[str, Vector]:
        if names is not None:
            self.names[tuple(names)] = self.names.get(tuple(names), 0) + 1
        return super().decode(block, names)


@dataclass(frozen=True)
class Needed:
    """releases: by id, what the answer rests on. reads: which vectors were expanded of how many of them."""

    releases: tuple[str, ...]
    reads: tuple[tuple[tuple[str, ...], int], ...]


@dataclass(frozen=True)
class Times:
    """Seconds: median and 95th percentile of the answers, median of the floor, and the ratio of the medians."""

    p50: float
    p95: float
    floor: float
    ratio: float

    @classmethod
    def of(cls, answers: Sequence[float], floors: Sequence[float]) -> "Times":
        p50, floor = median(answers), median(floors)
        return cls(p50, quantiles(answers, n=20)[-1], floor, p50 / floor)


def question_of(name: str) -> Question:
    asked = {"by": ("region",), "periods": PERIODS} | QUESTIONS.get(name, {})
    statistic, _, compare = name.partition(" against ")
    return Question(statistic, compare=Compare(compare) if compare else None, **asked)


def asking(url: str, blocks: ArrowBlockFormat | None = None) -> Asking:
    return Asking(open_database(url), TurnableClock(), blocks or ArrowBlockFormat())


def needed_by(url: str, question: Question) -> Needed:
    blocks = Recording()
    answered = asking(url, blocks).ask(caller(BRAND), CONTRACT, question)
    return Needed(answered.answer.releases, tuple(blocks.names.items()))


def timed(work: Callable[[], object]) -> float:
    begun = perf_counter()
    work()
    return perf_counter() - begun


def read_and_sum(database: Any, needed: Needed) -> dict[str, Vector]:
    with database.reading() as stores:
        blocks = list(stores.releases.get_blocks(needed.releases).values())
    decode, sums = ArrowBlockFormat().decode, dict[str, Vector]()
    for names, times in needed.reads:
        # Releases of several feeds hold different vectors: those of these names, as often as they were expanded.
        for block in [block for block in blocks if _has(block, names)][:times]:
            for name, vector in decode(block, names).items():
                sums[name] = np.add(sums[name], vector) if name in sums else vector
    return sums


_KINDS: dict[bytes, frozenset[str]] = {}


def _has(block: bytes, names: Sequence[str]) -> bool:
    """By the block's schema, which stands at its begin, and is looked at once a kind."""
    head = block[:200]
    if head not in _KINDS:
        _KINDS[head] = frozenset(ArrowBlockFormat().decode(block))
    return _KINDS[head].issuperset(names)


def cold_answer(url: str, question: Question) -> float:
    """In a process that has done nothing yet."""
    return timed(lambda: asking(url).ask(caller(BRAND), CONTRACT, question))


def cold_floor(url: str, needed: Needed) -> float:
    with open_database(url).reading() as stores:
        for block in stores.releases.get_blocks(needed.releases[:1]).values():
            _has(block, ())
    return timed(lambda: read_and_sum(open_database(url), needed))


def cold_times(url: str, question: Question, needed: Needed, rounds: int) -> Times:
    """Each in a process of its own, which a clean one forks with its modules loaded; in turns."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.statistics"])
    answers, floors = [], []
    with context.Pool(1, maxtasksperchild=1) as pool:
        for _ in range(rounds):
            answers.append(pool.apply(cold_answer, (url, question)))
            floors.append(pool.apply(cold_floor, (url, needed)))
    return Times.of(answers, floors)


def warm_times(url: str, question: Question, needed: Needed, rounds: int) -> Times:
    use_case, database = asking(url), open_database(url)
    answers, floors = [], []
    for turn in range(rounds + 1):
        answer = timed(lambda: use_case.ask(caller(BRAND), CONTRACT, question))
        floor = timed(lambda: read_and_sum(database, needed))
        if turn:
            answers.append(answer)
            floors.append(floor)
    return Times.of(answers, floors)


def measured(names: Sequence[str], *, postgresql: bool, years: int, rounds: int, cold: bool) -> dict[str, Any]:
    """By statistic, its times over the same three years of so many years of history."""
    found: dict[str, Any] = {}
    with TemporaryDirectory(prefix="parley-benchmark-") as name:
        folder = Path(name)
        folder.joinpath("data").mkdir()
        with database_url(folder / "data", postgresql=postgresql) as url:
            migrate(url)
            _tell(f"{years} years are being posted ...")
            world(url, years)
            for statistic in names:
                question = question_of(statistic)
                needed = needed_by(url, question)
                times = {"warm": warm_times(url, question, needed, rounds)}
                if cold:
                    times["cold"] = cold_times(url, question, needed, rounds)
                found[statistic] = {kind: asdict(each) for kind, each in times.items()} | {
                    "blocks": len(needed.releases)
                }
                _tell(_line(statistic, found[statistic]))
    return found


def report(names: Sequence[str], *, postgresql: bool, years: int, rounds: int, history: bool) -> dict[str, Any]:
    found = measured(names, postgresql=postgresql, years=years, rounds=rounds, cold=True)
    if history:
        _tell("Ten times the history, the same periods:")
        longer = measured(names, postgresql=postgresql, years=TEN_TIMES * years, rounds=rounds, cold=False)
        for name, times in longer.items():
            found[name]["ten_times_history"] = times["warm"]["p50"] / found[name]["warm"]["p50"]
    return found


def missed(times: dict[str, Any]) -> list[str]:
    warm, cold = times["warm"], times["cold"]
    goals = {
        f"warm {warm['ratio']:.2f}": warm["ratio"] <= GOAL_WARM,
        f"cold {cold['ratio']:.2f}": cold["p50"] <= GOAL_COLD * cold["floor"] + GOAL_COLD_SECONDS,
        f"history {times.get('ten_times_history', 0):.2f}": times.get("ten_times_history", 0) <= GOAL_HISTORY,
    }
    return [goal for goal, met in goals.items() if not met]


def _line(name: str, times: dict[str, Any]) -> str:
    text = f"{name:42}{times['blocks']:>5}"
    for kind in ("warm", "cold"):
        if kind in times:
            each = times[kind]
            text += f"  {kind}{1000 * each['p50']:8.1f}{1000 * each['p95']:8.1f} ms{each['ratio']:7.2f}"
    return text


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postgresql", action="store_true", help="on a PostgreSQL of its own, instead of SQLite")
    parser.add_argument("--years", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--no-history", action="store_true", help="leave out ten times the history")
    parser.add_argument("--statistics", nargs="+", default=STATISTICS, metavar="NAME")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = report(
        options.statistics,
        postgresql=options.postgresql,
        years=options.years,
        rounds=options.rounds,
        history=not options.no_history,
    )
    lacking = {name: missed(times) for name, times in found.items() if missed(times)}
    if options.json:
        print(json.dumps({"statistics": found, "missed": lacking}, indent=2))
    else:
        print("p50 and p95 of answers, and the ratio of their median to that of reading and adding up the blocks")
        for name, times in found.items():
            tenfold = times.get("ten_times_history")
            print(_line(name, times) + ("" if tenfold is None else f"  ten times the history{tenfold:6.2f}"))
        for name, goals in lacking.items():
            print(f"{name}: goals missed: {', '.join(goals)}")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
