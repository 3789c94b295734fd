"""A payer's machine: claims, a contract, and `parley prepare`, with or without an exchange to post to."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from contracts.parties import JsonObject
from tests.http.test_cli import Console
from tests.support.claims_folder import Row, fill, span, write_claims
from tests.support.small_exchange import BRAND, fills_feed, small_contract

PAYER = "blueridge"
CONTRACT = "dsc-prepared"
BANDS = ["p00_20", "p20_40", "p40_60", "p60_80", "p80_100"]
YEARS = {"first_period": "2023", "last_period": "2025"}


def contract_terms(**changes: Any) -> JsonObject:
    """One payer, and a feed of each kind: measured by the exchange, at source, and posted by the brand."""
    adherence: JsonObject = {
        "name": "adherence",
        "provider": "payer",
        "grain": "year",
        **YEARS,
        "k": 3,
        "run_out_days": 90,
        "dimensions": ["sex", "adherence_band"],
        "measures": {"members": {"unit": "persons", "bound": 1}},
        "invariants": [],
        "rho": "0.04",
    }
    covered = fills_feed(
        name="covered", measured="source", **(YEARS | {"grain": "year", "k": 3, "dimensions": ["sex"]}), rho="0.04",
        measures={
            "members": {"unit": "persons", "bound": 1},
            "days_covered": {"unit": "days", "bound": 300},
            "treatment_days": {"unit": "days", "bound": 366},
        },
        invariants=["days_covered <= treatment_days"],
    )  # fmt: skip
    support = adherence | {"name": "support", "provider": "brand", "dimensions": ["sex"]}
    return small_contract(
        id=CONTRACT,
        expires="2099-12-31",
        parties=[
            {"organisation": PAYER, "role": "payer", "population": f"{PAYER}-members"},
            {"organisation": BRAND, "role": "brand", "population": f"{BRAND}-members"},
        ],
        vocabularies={"sex": ["F", "M"], "adherence_band": BANDS},
        rollups={},
        feeds=[adherence, covered, support],
        privacy={
            "definition": "zCDP",
            "relation": "add_or_remove",
            "unit": "person_within_provider",
            "delta": "0.000001",
            "ceilings": {f"{name}-members": "0.1" for name in (PAYER, BRAND)},
        },
        grants=[{"role": "brand", "statistics": ["counts", "adherence_rate"], "by_at_most": 2}],
        rules={"min_payers": 1, "small_cells": None},
        **changes,
    )


def refills(member: str, *days: str) -> list[Row]:
    """90 days of one drug from each of these days on."""
    return [fill(member, day, "ndc|00093505698", 90) for day in days]


def some_claims(folder: Path) -> Path:
    """Four women and three men: who is treated in 2024 and 2025, and how much of it was covered, is reckoned below."""
    women = ["w1", "w2", "w3", "w4"]
    members: list[Row] = [
        {"member": member, "birth_date": "1950-06-15", "sex": "F" if member in women else "M"}
        for member in (*women, "m1", "m2", "m3")
    ]
    enrolment = [span(str(row["member"]), "2020-01-01", "2025-12-31") for row in members]
    fills = [
        *(row for year in (2024, 2025) for row in refills("w1", *_quarters(year))),
        *refills("w2", "2024-01-10", "2024-03-01", "2025-02-01", "2025-11-01"),
        *refills("w3", "2025-03-01", "2025-06-01", "2025-09-01", "2025-12-01"),
        *refills("w4", "2024-05-05"),  # one fill alone is no treatment
        *(row for year in (2024, 2025) for row in refills("m1", *_quarters(year))),
        *refills("m2", "2024-01-01", "2024-07-01"),
        *refills("m3", "2025-01-01", "2025-08-01"),
    ]
    return write_claims(folder, members=members, enrolment=enrolment, fills=fills)


def _quarters(year: int) -> list[str]:
    return [f"{year}-{month:02d}-01" for month in (1, 4, 7, 10)]


def shares_covered(folder: Path, year: int) -> dict[str, float]:
    """By member, PQA's PDC of a year by sets of days: no SQL, and nothing of ours."""
    fills: dict[str, list[tuple[date, int]]] = {}
    for line in (folder / "fills.csv").read_text().splitlines()[1:]:
        member, day, _, supply = line.split(",")
        if day.startswith(str(year)):
            fills.setdefault(member, []).append((date.fromisoformat(day), int(supply)))
    last = date(year, 12, 31)
    found = {}
    for member, of_member in fills.items():
        index = min(day for day, _ in of_member)
        days = (last - index).days + 1
        if len({day for day, _ in of_member}) < 2 or days < 91:
            continue
        covered: set[date] = set()
        free = index
        for day, supply in sorted(of_member):
            begin = max(day, free)
            free = begin + timedelta(days=supply)
            covered |= {begin + timedelta(days=n) for n in range(supply) if begin + timedelta(days=n) <= last}
        found[member] = len(covered) / days
    return found


def words(machine: Console, period: str = "2024", feed: str = "adherence", **changes: object) -> list[object]:
    """The command but for where the cells go."""
    options: Mapping[str, object] = {
        "contract": machine.folder / "contract.json",
        "feed": feed,
        "periods": period,
        "claims": machine.folder / "claims",
        "layout": "canonical",
        **changes,
    }
    return ["prepare", *(part for name, value in options.items() for part in (f"--{name}", value))]
