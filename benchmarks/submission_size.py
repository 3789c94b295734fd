"""What it takes to measure one period, by its number of cells: memory, time, disk.

    python -m benchmarks.submission_size CELLS

The body is posted as columns to a whole exchange in this process, on SQLite. Time is told beside that of the draws
alone, in the same process, since machines differ.
"""

import json
import resource
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import psutil

from adapters.database import migrate
from privacy.mechanism import DiscreteGaussian
from tests.support.small_exchange import SmallExchange, fills_feed, small_contract

NAME = "blueridge"
WIDTH = 1000  # the most values of one vocabulary
MEGABYTE = 1 << 20


def contract(cells: int) -> dict[str, Any]:
    """The small contract with one feed, of one measure, that has so many cells."""
    document = small_contract(feeds=[feed()])
    document["vocabularies"] |= {"region": names("r", min(WIDTH, cells // 2)), "area": names("a", areas(cells))}
    document["privacy"]["ceilings"].pop("helix-members")
    document["grants"] = [{"role": role, "statistics": ["counts"], "by_at_most": 1} for role in ("brand", "payer")]
    return document


def feed() -> dict[str, Any]:
    measures = {"members": {"unit": "persons", "bound": 1}}
    return fills_feed(dimensions=["region", "area", "sex"], measures=measures, invariants=[])


def areas(cells: int) -> int:
    return max(1, cells // (2 * WIDTH))


def names(letter: str, count: int) -> list[str]:
    return [f"{letter}{number}" for number in range(count)]


def body_of(document: dict[str, Any]) -> str:
    vocabularies = document["vocabularies"]
    keys = [(r, a, s) for r in vocabularies["region"] for a in vocabularies["area"] for s in vocabularies["sex"]]
    columns: dict[str, Any] = {name: [key[n] for key in keys] for n, name in enumerate(("region", "area", "sex"))}
    columns["members"] = [100] * len(keys)
    return json.dumps({"submission_id": str(uuid4()), "feed": "fills", "period": "2025-01", "columns": columns})


def seconds_of_draws(count: int) -> float:
    exact = np.full(count, 100, dtype=np.int64)
    begun = time.perf_counter()
    DiscreteGaussian().add_noise(exact, 50.0)
    return time.perf_counter() - begun


def main() -> None:
    document = contract(int(sys.argv[1]))
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "parley.sqlite"
        migrate(f"sqlite:///{database}")
        small = SmallExchange(f"sqlite:///{database}", settings_changes={"PARLEY_MAX_BODY_BYTES": str(1 << 30)})
        small.agree(document)
        body = body_of(document)
        before, stored = psutil.Process().memory_info().rss, size_of(database)
        begun = time.perf_counter()
        answered = small.submit(NAME, body)
        seconds = time.perf_counter() - begun
        assert answered.status_code == 201, answered.get_json()  # noqa: S101
        small.wiring.database.close()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        draws = seconds_of_draws(int(sys.argv[1]))
        print(f"body             {len(body) / MEGABYTE:10.1f} MB")
        print(f"process before   {before / MEGABYTE:10.0f} MB")
        print(f"more at its peak {(peak - before) / MEGABYTE:10.0f} MB")
        print(f"time             {seconds:10.2f} s, {seconds / draws:.1f} times that of as many draws")
        print(f"more on disk     {(size_of(database) - stored) / MEGABYTE:10.1f} MB")


def size_of(database: Path) -> int:
    """With everything written back that SQLite has in files beside it."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return database.stat().st_size


if __name__ == "__main__":
    main()
