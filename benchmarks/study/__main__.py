"""Every statistic under real noise: bias, and how often its intervals hold the truth.

    python -m benchmarks.study [--draws 2000] [--statistics NAME ...] [--json]

At three budgets (the sd of the noise in a cell of one payer's release) and three sizes (persons of a payer, a period).
The truth of a noise interval is the answer without noise, of the same persons; that of a total interval is the answer
of the enormous population that they are a sample of. Goal: in at most 6% of the draws an interval does not hold its
truth, and its row does not say itself that it is not to be relied on (weak_strata, few_at_risk). Coverage is told over
all draws that have an interval; answers of the whole range count: they are honest. Bias is the mean error against the
answer without noise, where a row has no flag, in units of its sd. Exit code 1 where an entry misses the goal.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from benchmarks.study.harness import DRAW, NoNoise, rows
from benchmarks.study.populations import Sample
from benchmarks.study.subjects import SUBJECTS, Subject, generator
from contracts.statistics.answers import Ends, Flag, Row
from privacy.mechanism import DiscreteGaussian

SDS: Final = (2.0, 10.0, 40.0)
PEOPLE: Final = (100, 1_000, 10_000)
AT_ONCE: Final = 200
ALLOWED_ERRORS: Final = 4
GOAL: Final = 0.94
SEED: Final = 20
NOT_TO_BE_RELIED_ON: Final = frozenset({"weak_strata", "few_at_risk"})
NEXT_TO_NONE: Final = 0.01
RESTRICTED_MEAN: Final = "restricted_mean_months"
MONTHS: Final = "months_since_start"
Key = tuple[str, ...]
Place = tuple[str, Key]
Truth = float | Ends


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
    cells = subject.populate(Sample(draws, people, generator(seed)))
    enormous = subject.populate(Sample(draws, people, None))
    noisy = rows(subject.terms(draws, sd), subject.question, cells, DiscreteGaussian())
    # Under a plan of next to no noise, so that nothing is left out of the truth for being weak.
    exactly = subject.terms(draws, NEXT_TO_NONE)
    exact, behind = (_by_key(rows(exactly, subject.question, each, NoNoise())) for each in (cells, enormous))
    for row in noisy:
        yield _figure(row), _tried(row, _truth(row, exact), _truth(row, behind))


def _tried(row: Row, exact: Truth | None, behind: Truth | None) -> Tried:
    return Tried(
        row.value - exact if isinstance(exact, float) and row.value is not None else None,
        _holds(row.interval, exact),
        _holds(row.total_interval, behind),
        frozenset(flag.value for flag in row.flags),
    )


def _truth(row: Row, found: Mapping[Place, Row]) -> Truth | None:
    """Of the same row; where nothing is identified, its bounds, both of which are to be held; of a restricted mean,
    whose end differs from draw to draw, the area under the straight lines between the months of the curve up to it."""
    if row.figure != RESTRICTED_MEAN:
        same = found.get(_place(row))
        return None if same is None else same.interval if Flag.NOT_IDENTIFIED in same.flags else same.value
    end = int(row.key[MONTHS])
    curve = [found.get(("persistence", (*_place(row)[1][:-1], str(month)))) for month in range(1, end + 1)]
    values = [each.value for each in curve if each is not None and each.value is not None]
    return 1 / 2 + sum(values) - values[-1] / 2 if len(values) == end else None


def _holds(ends: Ends | None, truth: Truth | None) -> bool | None:
    if ends is None or truth is None:
        return None
    least, most = (truth, truth) if isinstance(truth, float) else _numbers(truth)
    lower, upper = _numbers(ends)
    slack = 1e-9 * max(1.0, abs(least))
    return lower - slack <= least and most <= upper + slack


def _numbers(ends: Ends) -> tuple[float, float]:
    return -math.inf if ends.lower is None else ends.lower, math.inf if ends.upper is None else ends.upper


def _by_key(found: Sequence[Row]) -> dict[Place, Row]:
    return {_place(row): row for row in found}


def _place(row: Row) -> Place:
    return row.figure, tuple(row.key.values())


def _figure(row: Row) -> Key:
    left_out = (DRAW, MONTHS) if row.figure == RESTRICTED_MEAN else (DRAW,)
    return row.figure, *(value for name, value in row.key.items() if name not in left_out)


def entries(subject: Subject, people: int, sd: float, draws: int) -> Iterator[Entry]:
    found: dict[Key, list[Tried]] = {}
    for turn in range(math.ceil(draws / AT_ONCE)):
        for figure, each in tried(subject, people, sd, AT_ONCE, SEED + turn):
            found.setdefault(figure, []).append(each)
    for figure, all_tried in found.items():
        yield _entry(subject.name, " ".join(figure), people, sd, all_tried)


def _entry(statistic: str, figure: str, people: int, sd: float, found: Sequence[Tried]) -> Entry:
    errors = [each.error for each in found if each.error is not None and not each.flags]
    spread = float(np.std(errors)) if len(errors) > 1 else 0.0
    noise, total = (_share(getattr(each, name) for each in found) for name in ("noise", "total"))
    misled = [
        sum(getattr(each, name) is False and not each.flags & NOT_TO_BE_RELIED_ON for each in found) / len(found)
        for name in ("noise", "total")
    ]
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
        all(share <= 1 - GOAL + _slack(len(found)) for share in misled),
    )


def _share(held: Iterator[bool | None]) -> float | None:
    known = [each for each in held if each is not None]
    return sum(known) / len(known) if known else None


def _slack(draws: int) -> float:
    """Four standard errors of a coverage of 95%."""
    return ALLOWED_ERRORS * math.sqrt(0.95 * 0.05 / draws)


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
