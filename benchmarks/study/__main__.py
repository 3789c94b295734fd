"""Every statistic under real noise: bias, and how often its intervals hold the truth.

    python -m benchmarks.study [--draws 2000] [--statistics NAME ...] [--json]

At three budgets (the sd of the noise in a cell of one payer's release) and three sizes (persons of a payer, a period).
The truth of a noise interval is the answer without noise, of the same persons; that of a total interval is the answer
of the enormous population that they are a sample of. Goal: an interval holds its truth in at least 94% of the draws but
those whose row says itself that it is not to be relied on (weak_strata, few_at_risk). Answers of the whole range count:
they are honest. Bias is the mean error against the answer without noise, where a row has no flag, in units of its sd.
Exit code 1 where an entry misses the goal.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from benchmarks.study.harness import DRAW, NoNoise, rows
from benchmarks.study.populations import Sample
from benchmarks.study.subjects import SUBJECTS, Subject, generator
from contracts.statistics.answers import Ends, Row
from privacy.mechanism import DiscreteGaussian

SDS: Final = (2.0, 10.0, 40.0)
PEOPLE: Final = (100, 1_000, 10_000)
AT_ONCE: Final = 200
ALLOWED_ERRORS: Final = 4
GOAL: Final = 0.94
SEED: Final = 20
NOT_TO_BE_RELIED_ON: Final = frozenset({"weak_strata", "few_at_risk"})
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """One row of one draw: its error, and whether its intervals hold their truths; None where there is none."""

    error: float | None
    noise: bool | None
    total: bool | None
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One figure (with the key of its row) at one budget and size."""

    statistic: str
    figure: str
    people: int
    sd: float
    draws: int
    flagged: float
    bias: float | None
    noise: float | None
    total: float | None
    met: bool


def tried(subject: Subject, people: int, sd: float, draws: int, seed: int) -> Iterator[tuple[Key, Tried]]:
    terms = subject.terms(draws, sd)
    cells = subject.populate(Sample(draws, people, generator(seed)))
    noisy = rows(terms, subject.question, cells, DiscreteGaussian())
    exact = rows(terms, subject.question, cells, NoNoise())
    behind = rows(terms, subject.question, subject.populate(Sample(draws, people, None)), NoNoise())
    without_noise, expected = _by_key(exact), _by_key(behind)
    for row in noisy:
        truth, limit = without_noise.get(_place(row)), expected.get(_place(row))
        yield _figure(row), _tried(row, truth, limit)


def _tried(row: Row, truth: Row | None, limit: Row | None) -> Tried:
    exact = None if truth is None else truth.value
    error = None if exact is None or row.value is None else row.value - exact
    return Tried(
        error,
        _holds(row.interval, exact),
        _holds(row.total_interval, None if limit is None else limit.value),
        frozenset(flag.value for flag in row.flags),
    )


def _holds(ends: Ends | None, truth: float | None) -> bool | None:
    if ends is None or truth is None:
        return None
    slack = 1e-9 * max(1.0, abs(truth))
    lower, upper = -math.inf if ends.lower is None else ends.lower, math.inf if ends.upper is None else ends.upper
    return lower - slack <= truth <= upper + slack


def _by_key(found: Sequence[Row]) -> dict[tuple[str, Key], Row]:
    return {_place(row): row for row in found}


def _place(row: Row) -> tuple[str, Key]:
    return row.figure, tuple(row.key.values())


def _figure(row: Row) -> Key:
    return row.figure, *(value for name, value in row.key.items() if name != DRAW)


def entries(subject: Subject, people: int, sd: float, draws: int) -> Iterator[Entry]:
    found: dict[Key, list[Tried]] = {}
    for turn in range(math.ceil(draws / AT_ONCE)):
        for figure, each in tried(subject, people, sd, AT_ONCE, SEED + turn):
            found.setdefault(figure, []).append(each)
    for figure, all_tried in found.items():
        yield _entry(subject.name, " ".join(figure), people, sd, all_tried)


def _entry(statistic: str, figure: str, people: int, sd: float, found: Sequence[Tried]) -> Entry:
    relied_on = [each for each in found if not each.flags & NOT_TO_BE_RELIED_ON]
    errors = [each.error for each in found if each.error is not None and not each.flags]
    spread = float(np.std(errors)) if len(errors) > 1 else 0.0
    noise, total = (_share(getattr(each, name) for each in relied_on) for name in ("noise", "total"))
    return Entry(
        statistic,
        figure,
        people,
        sd,
        len(found),
        sum(bool(each.flags) for each in found) / len(found),
        float(np.mean(errors)) / spread if spread else None,
        noise,
        total,
        all(share is None or share >= GOAL - _slack(len(relied_on)) for share in (noise, total)),
    )


def _share(held: Iterator[bool | None]) -> float | None:
    known = [each for each in held if each is not None]
    return sum(known) / len(known) if known else None


def _slack(draws: int) -> float:
    """Four standard errors of a coverage of 95%."""
    return ALLOWED_ERRORS * math.sqrt(0.95 * 0.05 / max(draws, 1))


def _line(entry: Entry) -> str:
    def percent(share: float | None) -> str:
        return f"{100 * share:6.1f}" if share is not None else "     -"

    bias = f"{entry.bias:6.2f}" if entry.bias is not None else "     -"
    mark = " " if entry.met else "*"
    name = f"{entry.statistic}: {entry.figure}"
    return (
        f"{name[:70]:70}{entry.people:>7}{entry.sd:>5.0f} {bias} {percent(entry.noise)} {percent(entry.total)}"
        f" {percent(entry.flagged)} {mark}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2_000)
    parser.add_argument("--statistics", nargs="+", metavar="NAME", help="those whose names begin so")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    chosen = [s for s in SUBJECTS if options.statistics is None or s.name.startswith(tuple(options.statistics))]
    found: list[Entry] = []
    head = f"{'statistic: figure':70}{'people':>7}{'sd':>5} {'bias':>6} {'noise':>6} {'total':>6} {'flagged':>6}"
    print(head, file=sys.stderr)
    for subject in chosen:
        for people in PEOPLE:
            for sd in SDS:
                for entry in entries(subject, people, sd, options.draws):
                    found.append(entry)
                    print(_line(entry), file=sys.stderr, flush=True)
    missed = [entry for entry in found if not entry.met]
    if options.json:
        print(json.dumps({"goal": GOAL, "entries": [asdict(entry) for entry in found]}, indent=2))
    else:
        print("\n".join([head, *map(_line, found)]))
        print(f"{len(found) - len(missed)} of {len(found)} entries meet the goal of 94%.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
