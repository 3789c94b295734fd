"""A contract with much in it, and what the packet of a privacy officer says of it."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from adapters.evidence import stored_tables
from adapters.installation import installation
from api.auth.keys import new_private_jwk
from contracts.agreeing import with_plans
from contracts.canonical import digest_of
from contracts.evidence.given import Given, Installation
from contracts.evidence.packet import evidence_page, gather
from contracts.parties import JsonObject
from contracts.records import ContractRecord, Signature, Stage
from contracts.rendering.pages import Bullets, Facts, Page, Paragraph, Section, Table
from contracts.signing import sign
from contracts.terms import terms_of
from tests.support.small_exchange import BRAND, PAYERS, adherence_feed, fills_feed, public, small_contract, support_feed

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
OFF_LIMITS = "ab" * 32


@cache
def document() -> JsonObject:
    """Restatements, k below all periods, a feed measured at source, reciprocity, and ceilings that differ."""
    whole = small_contract(
        feeds=[
            fills_feed(k=7, restatements=2, invariants=[]),
            adherence_feed(measured="source"),
            support_feed(),
        ],
        obligations={"incident_notice_hours": 36, "audit_rights": False},
    )
    for feed in whole["feeds"]:
        feed.setdefault("measured", "exchange")
        feed |= {name: feed.get(name, empty) for name, empty in EMPTY.items()}
    whole["privacy"]["ceilings"] |= {"sierra-members": "0.2"}
    whole["rules"] |= {"reciprocity": {"within_days": 30}, "off_limits": {"code_list_sha256": OFF_LIMITS}}
    return with_plans(whole)


EMPTY: JsonObject = {"restatements": 0, "expected": {}, "tables": []}


def given(whole: JsonObject | None = None, signers: tuple[str, ...] = (*PAYERS, BRAND), **changes: Any) -> Given:
    whole = whole or document()
    record = ContractRecord(
        whole["id"], 1, Stage.PROPOSED, whole, digest_of(whole), BRAND, NOW, NOW,
        tuple(signature(whole, name) for name in signers),
    )  # fmt: skip
    found = Given(record, None, (), NOW, here(), stored_tables(), None, "nobody was asked", None, None)
    return replace(found, **changes)


@cache
def here() -> Installation:
    return installation()


@cache
def signing_key(name: str) -> JsonObject:
    return new_private_jwk("ES384")


def signature(whole: JsonObject, name: str) -> Signature:
    key = signing_key(name)
    jws = sign(whole, key, f"Ann of {name}", "Privacy Officer")
    return Signature(name, key["kid"], public(key), jws, f"Ann of {name}", "Privacy Officer", NOW)


def page_of(found: Given) -> Page:
    return evidence_page(gather(found), terms_of(found.record), {"contract.json": "the contract"})


def texts(page: Page) -> list[str]:
    """All that stands in it."""
    return [page.title, page.lead, *(text for section in page.sections for text in section_texts(section))]


def section_texts(section: Section) -> list[str]:
    found = [section.title]
    for block in section.blocks:
        match block:
            case Paragraph(text):
                found.append(text)
            case Bullets(items):
                found += items
            case Facts(rows):
                found += [text for row in rows for text in row]
            case Table(caption, headings, rows):
                found += [caption, *headings, *(cell for row in rows for cell in row)]
    return found + [text for inner in section.sections for text in section_texts(inner)]


def section_of(page: Page, title: str) -> list[str]:
    (found,) = (section for section in page.sections if section.title == title)
    return section_texts(found)
