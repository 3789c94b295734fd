"""A contract whose every cell can hold a marker, under noise so wide that no noisy value can equal one.

A person adds up to a million to a cell and a period may cost a thousand nano-rho, so the frozen sigma is 10^9. That
one draw is 0, and so shows a marker, has the chance 1 / (sigma sqrt(2 pi)) = 4e-10; over the roughly 1 500 draws of
these tests, 6e-7.
"""

import sqlite3
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from adapters.blocks import ArrowBlockFormat
from contracts.parties import JsonObject
from privacy.arrays import Vector
from tests.support.markers import LONG, SHORT
from tests.support.small_exchange import PAYERS, small_contract

REGIONS = [f"region_{letter}" for letter in "abcdefgh"]
AGE_BANDS = [f"age_{letter}" for letter in "abcdefgh"]
EXACT = {"paid_cents": LONG, "units": SHORT}
SIGMA = 10**9


def marked_contract() -> JsonObject:
    """In force for as long as anyone may run these tests."""
    feed = {
        "name": "fills",
        "provider": "payer",
        "grain": "month",
        "first_period": "2025-01",
        "last_period": "2025-12",
        "k": 12,
        "run_out_days": 90,
        "dimensions": ["region", "age_band"],
        "measures": {
            "paid_cents": {"unit": "cents", "bound": 1_000_000},
            "units": {"unit": "units", "bound": 1_000_000},
        },
        "invariants": ["units <= paid_cents"],
        "rho": "0.000012",
    }
    document = small_contract(
        expires="2199-12-31", vocabularies={"region": REGIONS, "age_band": AGE_BANDS}, feeds=[feed]
    )
    document["privacy"] = document["privacy"] | {"ceilings": {f"{name}-members": "0.1" for name in PAYERS}}
    return document


def marked_rows(**changes: Any) -> list[JsonObject]:
    """A row for each of the 64 strata, two markers in each. changes: to the first row."""
    strata = product(REGIONS, AGE_BANDS)
    rows = [
        {"region": region, "age_band": age_band, "paid_cents": LONG[i], "units": SHORT[i]}
        for i, (region, age_band) in enumerate(strata)
    ]
    return [{**rows[0], **changes}, *rows[1:]]


def marked(period: str, **changes: Any) -> JsonObject:
    """A submission of markers, right but for what a test changes."""
    return {
        "submission_id": str(uuid4()),
        "feed": "fills",
        "period": period,
        "rows": marked_rows(),
        **changes,
    }


def marked_as_columns(period: str) -> JsonObject:
    body = marked(period)
    rows = body.pop("rows")
    return {**body, "columns": {name: [row[name] for row in rows] for name in rows[0]}}


def released(blocks: list[bytes]) -> list[dict[str, Vector]]:
    """Noisy vectors by measure."""
    decoded = [ArrowBlockFormat().decode(block) for block in blocks]
    return [{name.partition("@")[0]: vector for name, vector in block.items()} for block in decoded]


def is_marked_and_noised(vectors: dict[str, Vector]) -> bool:
    """True when the vectors are the markers under noise: near each, and none of them equal."""
    off = {name: vectors[name] - np.array(EXACT[name]) for name in EXACT}
    return all(bool(((o != 0) & (abs(o) < 10 * SIGMA)).all()) for o in off.values())


def values_in(database: Path) -> dict[str, bytes]:
    """Every value of every table, put together again from SQLite's pages, by table and column."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        found = {}
        for table in tables:
            rows = connection.execute(f"SELECT * FROM {table}")
            columns = [column[0] for column in rows.description]
            for name, values in zip(columns, zip(*rows, strict=True), strict=False):
                found[f"{table}.{name}"] = b"\n".join(as_bytes(value) for value in values)
    return found


def as_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
