"""A contract whose every cell can hold a marker, under noise so wide that no noisy value can equal one.

A person adds up to a million to a cell and a period may cost a thousand nano-rho, so every frozen sigma lies between
10^9 and 3 * 10^9. That one draw is 0, and so shows a marker or a sum of some, has a chance of at most
1 / (sigma sqrt(2 pi)) = 4e-10; over the roughly 2 000 draws of these tests, 8e-7.
"""

from itertools import product
from typing import Any
from uuid import uuid4

import numpy as np
import sqlalchemy as sa

from adapters.blocks import ArrowBlockFormat
from adapters.database.tables import metadata
from contracts.parties import JsonObject
from privacy.arrays import Vector
from tests.support.markers import LONG, SHORT
from tests.support.small_exchange import PAYERS, small_contract

REGIONS = [f"region_{letter}" for letter in "abcdefgh"]
AGE_BANDS = [f"age_{letter}" for letter in "abcdefgh"]
EXACT = {"paid_cents": LONG, "units": SHORT}
LARGEST_SIGMA = 3 * 10**9


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


def values_in(url: str) -> dict[str, bytes]:
    """Every value of every table, whatever pages it lies on, by table and column."""
    found: dict[str, bytes] = {}
    with _reading(url) as connection:
        for table in metadata.sorted_tables:
            rows = connection.execute(sa.text(f"SELECT * FROM {table.name}"))
            columns = zip(rows.keys(), zip(*rows, strict=True), strict=False)
            found |= {f"{table.name}.{name}": b"\n".join(map(_as_bytes, values)) for name, values in columns}
    return found


def _as_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def released(url: str) -> list[dict[str, Vector]]:
    """All noisy vectors, by measure and margin."""
    with _reading(url) as connection:
        blocks = connection.execute(sa.text("SELECT block FROM releases")).scalars().all()
    return [ArrowBlockFormat().decode(block) for block in blocks]


def _reading(url: str) -> sa.Connection:
    """As anyone would who got hold of the database: past the exchange's own code."""
    return sa.create_engine(url, poolclass=sa.NullPool).connect()


def is_marked_and_noised(vectors: dict[str, Vector]) -> bool:
    """True when these are the markers, and the sums of them that margins hold, under noise: all near, none equal."""
    noise = [vector - _exact(*name.split("@")) for name, vector in vectors.items()]
    return all(bool(((off != 0) & (abs(off) < 10 * LARGEST_SIGMA)).all()) for off in noise)


def _exact(measure: str, margin: str) -> Vector:
    table = np.array(EXACT[measure], dtype=np.int64).reshape(len(REGIONS), len(AGE_BANDS))
    kept = margin.split(",")
    dropped = tuple(axis for axis, name in enumerate(("region", "age_band")) if name not in kept)
    return np.asarray(table.sum(axis=dropped)).reshape(-1)
