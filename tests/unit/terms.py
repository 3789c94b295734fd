"""A contract's terms and feeds, small enough to enumerate. Each test changes what it is about."""

from collections.abc import Sequence
from copy import deepcopy
from datetime import UTC, datetime

from contracts.agreeing import with_plans
from contracts.parties import JsonObject
from contracts.records import ReleaseRecord
from contracts.terms import FeedTerms, Terms, read_terms

NOW = datetime(2026, 3, 1, tzinfo=UTC)

FILLS: JsonObject = {
    "name": "fills",
    "provider": "payer",
    "grain": "month",
    "first_period": "2025-01",
    "last_period": "2026-12",
    "k": 24,
    "run_out_days": 90,
    "restatements": 0,
    "link": "none",
    "measured": "exchange",
    "dimensions": ["region", "sex"],
    "measures": {
        "members": {"unit": "persons", "bound": 1},
        "days_covered": {"unit": "days", "bound": 31},
        "treatment_days": {"unit": "days", "bound": 31},
    },
    "invariants": ["days_covered <= treatment_days", "treatment_days <= 31 * members"],
    "expected": {"members": 1000},
    "tables": [{"by": ["region"]}],
    "rho": "0.05",
}
SUPPORT: JsonObject = FILLS | {
    "name": "support",
    "provider": "brand",
    "dimensions": ["region", "coverage"],
    "measures": {"enrolled": {"unit": "persons", "bound": 1}},
    "invariants": [],
    "expected": {},
}
ADHERENCE: JsonObject = FILLS | {
    "name": "adherence",
    "grain": "year",
    "first_period": "2025",
    "last_period": "2026",
    "k": 2,
    "dimensions": ["region", "adherence_band"],
    "measures": {"members": {"unit": "persons", "bound": 1}},
    "invariants": [],
}
DOCUMENT: JsonObject = {
    "id": "dsc-example",
    "version": 1,
    "title": "An example",
    "purpose": "outcomes_research",
    "effective": "2025-01-01",
    "expires": "2027-12-31",
    "parties": [
        *({"organisation": name, "role": "payer", "population": f"{name}-members"} for name in "abcdefg"),
        {"organisation": "helix", "role": "brand", "population": "helix-patients"},
    ],
    "vocabularies": {
        "region": ["northeast", "south", "west"],
        "sex": ["F", "M"],
        "coverage": ["in_network", "other"],
        "adherence_band": ["p00_80", "p80_100"],
    },
    "rollups": {"period": {"quarter": "month", "year": "month"}},
    "feeds": [FILLS, SUPPORT, ADHERENCE],
    "privacy": {
        "unit": "person_within_provider",
        "delta": "0.000001",
        "ceilings": {f"{name}-members": "0.1" for name in "abcdefg"},
    },
    "grants": [{"role": "brand", "statistics": ["counts"], "by_at_most": 3}],
    "rules": {"min_payers": 3, "small_cells": {"mask_below": 11}, "payer_dimension": False},
}


def some_terms(*, payers: int = 7, min_payers: int = 3, rollups: Sequence[str] = ("quarter", "year")) -> Terms:
    """The example's terms with plans, for so many payers a, b, c and the brand helix."""
    document = deepcopy(DOCUMENT)
    document["parties"] = [*document["parties"][:payers], document["parties"][-1]]
    document["rules"]["min_payers"] = min_payers
    document["rollups"]["period"] = dict.fromkeys(rollups, "month")
    return read_terms(with_plans(document))


def some_feed(name: str = "fills") -> FeedTerms:
    feed = some_terms().find_feed(name)
    assert feed is not None
    return feed


def a_release(provider: str, period: str = "2025-01", feed: str = "fills") -> ReleaseRecord:
    """A stored release of one provider; its id tells whose and when."""
    name = f"{feed}/{period}/{provider}"
    return ReleaseRecord(
        id=name,
        submission_id=f"submission of {name}",
        debit_id=f"debit of {name}",
        contract_id="dsc-example",
        contract_version=1,
        feed=feed,
        provider=provider,
        population=f"{provider}-members",
        period=period,
        restatement=0,
        measured="exchange",
        block_sha256="00" * 32,
        provisional=False,
        released_at=NOW,
    )
