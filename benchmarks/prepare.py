"""How long preparation takes, and how much memory, beside a plain scan of the same claims grouped by member.

    python -m benchmarks.prepare [FILLS ...] [--rounds 3] [--folder FOLDER] [--memory 3GB]

Claims of each size are made first (`benchmarks.claims`). Each contender then runs in a process of its own, by turns:
the scan, `prepare` (everything: reading, rules, bounds, cells), and up to a million fills the same PDC in pandas. Time
is told as wall and as processor time, and as the median of the ratios of each round; memory as the process's peak.
Machines differ: only ratios of one run mean anything.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import uuid4

import duckdb

from adapters.preparation.engine import Engine
from adapters.preparation.preparing import Preparation, opened_register, prepare_periods, read_folder
from api.cli.preparation_input import read_layout, read_prepared
from benchmarks.claims import YEAR, write_claims
from benchmarks.peers.pandas_pdc import adherent_share
from contracts.periods import Grain, Period

MOST_FILLS_OF_PANDAS: Final = 1_000_000
MEGABYTE: Final = 1 << 20
CONTRACT: Final = Path(__file__).with_name("prepare_contract.yaml")
FEED: Final = "adherence"

Measured = Mapping[str, Any]


def scan(folder: Path, memory: str) -> int:
    """The floor: every fill is read, and nothing is reckoned but what a GROUP BY can."""
    with TemporaryDirectory() as spill, duckdb.connect() as connection:
        connection.execute("SET memory_limit = $memory", {"memory": memory})
        connection.execute("SET temp_directory = $spill", {"spill": spill})
        connection.execute("SET preserve_insertion_order = false")
        connection.execute(
            "CREATE TABLE scanned AS SELECT member, count(*) AS fills, sum(days_supply) AS days, min(fill_date) AS "
            "first_date, max(fill_date) AS last_date FROM read_parquet($file) GROUP BY member",
            {"file": str(folder / "fills.parquet")},
        )
        found = connection.execute("SELECT count(*) FROM scanned").fetchone()
    return int(found[0]) if found else 0


def in_pandas(folder: Path, _memory: str) -> int:
    return adherent_share(folder, YEAR)[0]


def measured(contender: Callable[[Path, str], int], folder: Path, memory: str) -> Measured:
    """In this process, which does nothing else."""
    wall, processor = time.perf_counter(), time.process_time()
    result = contender(folder, memory)
    return {
        "wall": time.perf_counter() - wall,
        "processor": time.process_time() - processor,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "result": result,
    }


def prepared(folder: Path, memory: str) -> int:
    """As `parley prepare` does it of a draft: the register and the cells stay in this process."""
    layout = read_layout("canonical", None)
    wanted = Preparation(
        prepared=read_prepared(CONTRACT, FEED, layout, None, (), 0),
        claims=folder,
        population="payer-members",
        register=folder / f"register-{uuid4()}",
        periods=[Period.parse(str(YEAR), Grain.YEAR)],
        today=date(YEAR + 1, 1, 1),
    )
    with Engine.opened(folder, memory) as engine, opened_register(engine, wanted) as register:
        read_folder(engine, wanted, _step)
        (period,) = prepare_periods(engine, wanted, register, _step)
    return int(period.cells.tables["members"][..., -1].sum())


@contextmanager
def _step(name: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    print(f"{name}: {time.perf_counter() - begun:.2f} s", file=sys.stderr)


CONTENDERS: Final = {"scan": scan, "prepare": prepared, "pandas": in_pandas}


def in_a_process(name: str, folder: Path, memory: str) -> Measured:
    command = [sys.executable, "-m", "benchmarks.prepare", "--contender", name, "--folder", str(folder)]
    done = subprocess.run([*command, "--memory", memory], check=True, stdout=subprocess.PIPE)  # noqa: S603
    found: Measured = json.loads(done.stdout)
    return found


def compare(fills: int, rounds: int, folder: Path, memory: str) -> None:
    """Make the claims, measure everybody in turns, and print a table."""
    with TemporaryDirectory(dir=folder, prefix=f"claims-{fills}-") as made:
        claims = Path(made)
        write_claims(claims, fills)
        size = sum(file.stat().st_size for file in claims.glob("*.parquet"))
        print(f"{fills:,} fills, {size / MEGABYTE:.0f} MB of Parquet, {rounds} rounds")
        names = [name for name in CONTENDERS if name != "pandas" or fills <= MOST_FILLS_OF_PANDAS]
        measurements = [{name: in_a_process(name, claims, memory) for name in names} for _ in range(rounds)]
    for name in names:
        of_name = [found[name] for found in measurements]
        wall, processor = (
            median(found[name][kind] / found["scan"][kind] for found in measurements) for kind in ("wall", "processor")
        )
        best = min(found["wall"] for found in of_name)
        peak = max(found["peak"] for found in of_name) / MEGABYTE
        times = f"{best:8.2f} s at best {wall:6.1f} x wall {processor:6.1f} x processor"
        print(f"  {name:8} {times} {peak:8.0f} MB at its peak")
    agreed = {found[name]["result"] for found in measurements for name in names if name != "scan"}
    assert len(agreed) == 1, f"they disagree: {agreed}"  # noqa: S101


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.prepare")
    parser.add_argument("fills", type=int, nargs="*", default=[1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--memory", default="3GB")
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.contender:
        print(json.dumps(measured(CONTENDERS[asked.contender], asked.folder, asked.memory)))
        return
    for fills in asked.fills:
        compare(fills, asked.rounds, asked.folder, asked.memory)


if __name__ == "__main__":
    main()
