"""What a period of a million cells takes, by each format, beside what OpenDP needs for the same draws in the same run.

    python -m benchmarks.submission [CELLS [ROUNDS [FORMAT ...]]]

A format is Parquet, Arrow or CSV, which are taken unless others are named, one of them "by zstd", "JSON rows" or
"JSON columns"; those of JSON take some minutes each.

One measure over CELLS strata of three dimensions, with the margins of the contract's own plan. Each round draws what
the plan draws, on the same cores, and posts one period in every such format to a whole exchange in this process,
on SQLite; a format's time is told as a ratio to the draws of its own round, and the median of the rounds is shown.
"""

import io
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv as arrow_csv

from adapters.cells.media_types import ARROW_STREAM, CSV, PARQUET
from adapters.database import migrate
from benchmarks.submission_size import contract
from contracts.terms import FeedTerms, read_terms
from privacy.mechanism import DiscreteGaussian, usable_cpus
from privacy.release import draw_release
from tests.support.small_exchange import CONTRACT, SmallExchange

NAME, FEED = "blueridge", "fills"
JSON = "application/json"
FORMATS = ("Parquet", "Arrow", "CSV")
Body = tuple[bytes, str, str | None]
SETTINGS = {"PARLEY_MAX_BODY_BYTES": str(1 << 30), "PARLEY_LEASE_SECONDS": "3600"}


def cells_of(document: dict[str, Any]) -> pa.Table:
    """Every stratum, in the order of the vocabularies, with a count that is not always the same."""
    vocabularies = {name: document["vocabularies"][name] for name in document["feeds"][0]["dimensions"]}
    shape = [len(values) for values in vocabularies.values()]
    places = np.unravel_index(np.arange(np.prod(shape)), shape)
    columns = {
        name: pa.array(values, pa.string()).take(pa.array(places[at]))
        for at, (name, values) in enumerate(vocabularies.items())
    }
    return pa.table(columns | {"members": np.arange(np.prod(shape), dtype=np.int64) * 7919 % 5000})


def bodies_of(cells: pa.Table, formats: Sequence[str]) -> dict[str, Body]:
    """By format, all but the envelope. Raises KeyError for another one."""
    found = tables_of(cells)
    if any(name.startswith("JSON") for name in formats):
        found |= in_json(cells)
    return {name: found[name] for name in formats}


def in_json(cells: pa.Table) -> dict[str, Body]:
    columns = cells.to_pydict()
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    as_json = {"JSON rows": {"rows": rows}, "JSON columns": {"columns": columns}}
    return {name: (json.dumps(posted).encode(), JSON, None) for name, posted in as_json.items()}


def tables_of(cells: pa.Table) -> dict[str, Body]:
    parquet, arrow, text = io.BytesIO(), io.BytesIO(), io.BytesIO()
    pq.write_table(cells, parquet)
    with pa.ipc.new_stream(arrow, cells.schema) as stream:
        stream.write_table(cells)
    arrow_csv.write_csv(cells, text, arrow_csv.WriteOptions(quoting_style="none"))
    tables = {"CSV": (text, CSV), "Parquet": (parquet, PARQUET), "Arrow": (arrow, ARROW_STREAM)}
    plain: dict[str, Body] = {name: (sink.getvalue(), kind, None) for name, (sink, kind) in tables.items()}
    by_zstd: dict[str, Body] = {
        f"{name} by zstd": (pa.compress(body, codec="zstd", asbytes=True), kind, "zstd")
        for name, (body, kind, _) in plain.items()
    }
    return plain | by_zstd


def enveloped(body: Body, period: str) -> tuple[bytes, dict[str, str]]:
    """What is sent, and the query."""
    text, kind, _ = body
    envelope = {"submission_id": str(uuid4()), "feed": FEED, "period": period}
    if kind != JSON:
        return text, envelope
    return json.dumps(envelope).encode()[:-1] + b", " + text[1:], {}


def post(small: SmallExchange, body: Body, period: str) -> float:
    sent, query = enveloped(body, period)
    headers = small.headers(NAME) | ({"Content-Encoding": body[2]} if body[2] else {})
    client, path = small.app.test_client(), f"/v1/contracts/{CONTRACT}/submissions"
    begun = time.perf_counter()
    answered = client.post(path, data=sent, headers=headers, content_type=body[1], query_string=query)
    seconds = time.perf_counter() - begun
    assert answered.status_code == 201, answered.get_json()  # noqa: S101
    return seconds


def seconds_of_draws(feed: FeedTerms, cells: pa.Table) -> float:
    """The same numbers by the same plan, and nothing else."""
    table = cells["members"].to_numpy().reshape(feed.shape)
    return seconds_of(lambda: draw_release(feed.get_plan(), feed.dimensions, {"members": table}, DiscreteGaussian()))


def seconds_of(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def one_round(document: dict[str, Any], bodies: dict[str, Body], cells: pa.Table) -> dict[str, float]:
    """A new exchange; by format, the time to the mean of the draws before and after it."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'parley.sqlite'}"
        migrate(url)
        small = SmallExchange(url, settings_changes=SETTINGS)
        feed = read_terms(small.agree(document)["document"]).feeds[0]
        ratios, before = {}, seconds_of_draws(feed, cells)
        for month, (name, body) in enumerate(bodies.items(), start=1):
            seconds = post(small, body, f"2025-{month:02}")
            after = seconds_of_draws(feed, cells)
            ratios[name] = seconds / ((before + after) / 2)
            before = after
        small.wiring.database.close()
    return ratios


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    formats = sys.argv[3:] or FORMATS
    document = contract(count)
    cells = cells_of(document)
    print(f"{len(cells):,} cells of one measure, {rounds} rounds, {usable_cpus()} CPUs")
    bodies = bodies_of(cells, formats)
    found = [one_round(document, bodies, cells) for _ in range(rounds)]
    print(f"{'format':18} {'body':>10}   to the draws (least to most)")
    for name, (body, _, _) in bodies.items():
        ratios = sorted(each[name] for each in found)
        middle = statistics.median(ratios)
        print(f"{name:18} {len(body) / 1e6:7.1f} MB   {middle:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})", flush=True)


if __name__ == "__main__":
    main()
