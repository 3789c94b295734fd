"""Exact numbers for the small contract, sums of them reckoned without the exchange, and answers as tables."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

import pytest

from contracts.parties import JsonObject
from tests.support.small_exchange import BRAND, CONTRACT, PAYERS, SmallExchange

Rows = list[JsonObject]
Posted = Mapping[tuple[str, str], Rows]
Key = tuple[str, ...]

MONTHS = tuple(f"2025-{month:02}" for month in range(1, 13))
YEARS = ("2024", "2025")


def fills_rows(payer: int, month: int) -> Rows:
    """One payer's month: other numbers in every cell, so that a mix-up of cells shows."""
    rows = []
    for r, region in enumerate(("north", "south")):
        for s, sex in enumerate(("F", "M")):
            members = 40 + 31 * payer + 7 * month + 100 * r + 13 * s
            treated = members * (20 + r)
            covered = members * (11 + s + payer)
            measures = {"members": members, "days_covered": covered, "treatment_days": treated}
            rows.append({"region": region, "sex": sex, **measures})
    return rows


def adherence_rows(payer: int, year: int) -> Rows:
    return [
        {"region": region, "adherence_band": band, "members": 50 + 9 * payer + 21 * r + 60 * b + 5 * year}
        for r, region in enumerate(("north", "south"))
        for b, band in enumerate(("p00_40", "p40_80", "p80_100"))
    ]


def support_rows(month: int) -> Rows:
    return [
        {"coverage": coverage, "region": region, "enrolled": enrolled, "contacts": 2 * enrolled + month}
        for c, coverage in enumerate(("in_network", "other"))
        for r, region in enumerate(("north", "south"))
        for enrolled in [30 + 3 * month + 17 * r + 8 * c]
    ]


FILLS: Posted = {(name, period): fills_rows(p, m) for p, name in enumerate(PAYERS) for m, period in enumerate(MONTHS)}
ADHERENCE: Posted = {
    (name, period): adherence_rows(p, y) for p, name in enumerate(PAYERS) for y, period in enumerate(YEARS)
}
SUPPORT: Posted = {(BRAND, period): support_rows(m) for m, period in enumerate(MONTHS)}
EVERYTHING = {"fills": FILLS, "adherence": ADHERENCE, "support": SUPPORT}


def post(small: SmallExchange, feed: str, posted: Posted, contract_id: str = CONTRACT) -> None:
    for (name, period), rows in posted.items():
        body = {"submission_id": str(uuid4()), "feed": feed, "period": period, "rows": rows}
        answered = small.submit(name, body, contract_id)
        assert answered.status_code == 201, answered.get_json()


def totals(
    posted: Posted,
    measure: str,
    by: Iterable[str] = (),
    where: Mapping[str, Iterable[str]] | None = None,
    periods: Iterable[str] | None = None,
) -> dict[Key, int]:
    """Sums of a measure by stratum, straight from what was posted."""
    wanted = None if periods is None else set(periods)
    sums: dict[Key, int] = defaultdict(int)
    for (_, period), rows in posted.items():
        if wanted is not None and period not in wanted:
            continue
        for row in rows:
            if all(row[name] in set(values) for name, values in (where or {}).items()):
                sums[tuple(_entry(row, period, name) for name in by)] += row[measure]
    return dict(sums)


def _entry(row: JsonObject, period: str, name: str) -> str:
    times = {"month": period, "quarter": _quarter(period), "year": period[:4]}
    return times[name] if name in times else str(row[name])


def _quarter(period: str) -> str:
    month = period[5:]
    if month.startswith("Q"):
        return period
    return f"{period[:4]}-Q{(int(month) - 1) // 3 + 1}" if month else ""


def answer(small: SmallExchange, statistic: str, name: str = BRAND, **query: str) -> JsonObject:
    contract_id = query.pop("contract_id", CONTRACT)
    answered = small.ask(name, statistic, contract_id, **query)
    assert answered.status_code == 200, answered.get_json()
    return dict(answered.get_json())


def table(answered: JsonObject, figure: str | None = None) -> dict[Key, JsonObject]:
    """The rows of one figure by their key, in the order of `by`."""
    found = [row for row in answered["rows"] if figure in (None, row["figure"])]
    rows = {tuple(row["key"].values()): row for row in found}
    assert len(rows) == len(found), "two rows of one key"
    return rows


def values(answered: JsonObject, figure: str | None = None) -> dict[Key, Any]:
    return {key: row["value"] for key, row in table(answered, figure).items()}


def approximately(expected: Mapping[Key, float]) -> Any:
    """Equal as fitted values can be: least squares works in doubles."""
    return pytest.approx(dict(expected), rel=1e-9, abs=1e-9)
