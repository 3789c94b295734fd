"""The manifest of prepared cells: by which contract, rules, code lists and programs they were made.

Nothing in it depends on a record: no count, no date of a claim, no name of a person. So it can be handed to anyone, and
says what a payer promises about its cells.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import duckdb

from adapters.claims.layouts.layout import Layout
from adapters.installation import source_sha256, version_of
from contracts.canonical import digest_of
from contracts.parties import JsonObject
from contracts.periods import Period
from contracts.preparation.definitions import CodeList, FeedDefinition
from contracts.preparation.rules import rules_in_words, sha256_by_name
from contracts.terms import FeedTerms, Terms

FORMAT_VERSION: Final = 1
NOTE: Final = "Nothing here depends on any person's records. It can be handed to anyone."


@dataclass(frozen=True, slots=True)
class Prepared:
    """What cells are made by, beside the period. digest: of the contract; None for a draft. off_limits: by name of the
    file."""

    terms: Terms
    digest: str | None
    feed: FeedTerms
    definition: FeedDefinition
    definitions_sha256: str | None
    layout: Layout
    off_limits: Mapping[str, CodeList]
    restatement: int = 0


def write_manifest(prepared: Prepared, period: Period, register_id: str | None, now: datetime) -> JsonObject:
    """register_id: of the register of who was in earlier periods; None where nobody was registered. now: when the tool
    was run, which is public."""
    definition = prepared.definition
    return {
        "format_version": FORMAT_VERSION,
        "note": NOTE,
        "contract": {
            "id": prepared.terms.id,
            "version": prepared.terms.version,
            "sha256": prepared.digest,
        },
        "feed": prepared.feed.name,
        "generation": prepared.feed.generation,
        "period": str(period),
        "restatement": prepared.restatement,
        "layout": {
            "name": prepared.layout.name,
            "version": prepared.layout.version,
            "mapping_sha256": prepared.layout.sha256,
        },
        "definitions_sha256": prepared.definitions_sha256,
        "code_lists": {
            "off_limits": sorted(codes.sha256 for codes in prepared.off_limits.values()),  # a file's name can tell
            "exclusions": sha256_by_name(definition.exclusions),
            "products": sha256_by_name(definition.products or {}),
        },
        "bounds": {"periods": prepared.feed.k, "per_person_and_period": prepared.feed.bounds},
        "rules": rules_in_words(prepared.feed, definition),
        "engine": {"name": "duckdb", "version": duckdb.__version__},
        "parley": {"version": version_of("parley-exchange"), "source_sha256": source_sha256()},
        "register_id": register_id,
        "prepared_at": now.isoformat(timespec="seconds"),
    }


def manifest_sha256(manifest: JsonObject) -> str:
    """Of its canonical form (RFC 8785)."""
    return digest_of(manifest)
