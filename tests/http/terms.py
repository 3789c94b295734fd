"""Contracts of narrow terms, and what a refusal by one of their clauses looks like."""

from typing import Any

from werkzeug.test import TestResponse

from contracts.parties import JsonObject
from tests.http.answers import Posted
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    SmallExchange,
    fills_feed,
    small_contract,
    support_feed,
)


def grant(role: str = "brand", **narrowed: Any) -> JsonObject:
    statistics = ["counts", "pdc_pooled", "joint_table", "threshold_assessment"]
    return {"role": role, "statistics": statistics, "by_at_most": 3, **narrowed}


def contract(*grants: JsonObject, **changes: Any) -> JsonObject:
    """Fills of the payers and support of the brand, 2025 by the month; pools of two."""
    terms = {"grants": list(grants), "rules": {"min_payers": 2, "small_cells": None}}
    return small_contract(**terms | {"feeds": [fills_feed(), support_feed()]} | changes)


def only(posted: Posted, *periods: str) -> Posted:
    return {key: rows for key, rows in posted.items() if key[1] in periods}


def resolve(document: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


def assert_term(small: SmallExchange, refused: TestResponse, status: int, code: str, term: str) -> None:
    """The refusal names its clause, and the clause is in the contract."""
    assert_problem(refused, status, code)
    assert refused.get_json()["term"] == term
    resolve(small.get(BRAND, f"/v1/contracts/{CONTRACT}").get_json()["document"], term)
