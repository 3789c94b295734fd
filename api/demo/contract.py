"""The demo's contracts: the one that the story is about, and a small second one that nobody can pay for."""

from datetime import date, timedelta
from importlib.resources import files
from string import Template
from typing import Final

import yaml

from contracts.parties import JsonObject

YEARS: Final = 2
RUN_OUT_DAYS: Final = 90  # the longest of the feeds in contract.yaml


def demo_contract(today: date) -> JsonObject:
    """The contract as drafted today: in force for two years, about the last two years that are final."""
    last_year = last_final_year(today)
    dates = {
        "effective": today.isoformat(),
        "expires": _years_later(today, YEARS).isoformat(),
        "first_year": str(last_year - YEARS + 1),
        "last_year": str(last_year),
    }
    template = Template(files("api.demo").joinpath("contract.yaml").read_text(encoding="utf-8"))
    document: JsonObject = yaml.safe_load(template.substitute(dates))
    return document


def follow_up_contract(first: JsonObject, payer: str) -> JsonObject:
    """A brand and one payer want one more feed about the population of `first`, with its own small budget."""
    parties = [p for p in first["parties"] if p["role"] == "brand" or p["organisation"] == payer]
    population = next(party["population"] for party in parties if party["organisation"] == payer)
    adherence = next(feed for feed in first["feeds"] if feed["name"] == "adherence")
    feed = {
        **adherence,
        "name": "starts",
        "dimensions": ["region"],
        "measures": {"new_starts": {"unit": "persons", "bound": 1}},
        "invariants": [],
        "expected": {"new_starts": 8000},
        "tables": [{"by": ["region"]}],
        "rho": "0.01",
    }
    return {
        **first,
        "id": "dsc-helixor-starts",
        "title": "New starts by region: a follow-up with one payer",
        "parties": parties,
        "feeds": [feed],
        "privacy": {**first["privacy"], "ceilings": {population: "0.01"}},
        "grants": [{"role": "brand", "statistics": ["counts"], "by_at_most": 1}],
        "rules": {**first["rules"], "min_payers": 1},
        "settlement": None,
    }


def last_final_year(today: date) -> int:
    """The last calendar year whose run-out is over, so that nothing of it is provisional."""
    return (today - timedelta(days=RUN_OUT_DAYS)).year - 1


def _years_later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return day.replace(year=day.year + years, day=28)
