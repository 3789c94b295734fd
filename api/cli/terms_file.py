"""The terms of a contract in a file, for commands that run without the server: no schema of the API is at hand.

What `parley contract show ID --json` printed is complete. A draft as people write it gets the defaults that the
exchange would add, and what it would refuse of a feed is refused here; whether the draft makes sense as a whole is for
`parley contract preview` to say.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.cli.files import read_document
from api.cli.output import Failure, fault_lines
from contracts.canonical import digest_of
from contracts.drafting.feeds import MAX_BOUND, MAX_CELLS_DEFAULT, feed_faults
from contracts.parties import JsonObject
from contracts.terms import Measured, Terms, read_terms

_FEED_DEFAULTS: Final[JsonObject] = {
    "restatements": 0,
    "link": "none",
    "measured": Measured.EXCHANGE.value,
    "invariants": [],
    "expected": {},
    "tables": [],
}
_RULE_DEFAULTS: Final[JsonObject] = {"min_payers": 1}  # of no account where nothing is asked


@dataclass(frozen=True, slots=True)
class TermsFile:
    """digest: of what was proposed, recomputed; None for a draft. off_limits_sha256: the code list that the contract
    has claims dropped by, if it names one."""

    terms: Terms
    digest: str | None
    off_limits_sha256: str | None


def read_terms_file(path: Path) -> TermsFile:
    """Raises Failure."""
    found = read_document(path)
    try:
        file = _read(found)
        faults = [] if file.digest else _draft_faults(found)
    except _Altered:
        raise Failure(f"{path}: the digest is not that of the document; something of it was changed.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Failure(
            f"{path} cannot be read as a contract. Take what `parley contract show ID --json` prints; parley contract "
            "preview says what is wrong with a draft (it needs Parley with its part `server`)."
        ) from None
    if faults:
        raise Failure(f"{path}: no exchange would take this draft.", faults)
    return file


class _Altered(Exception):
    """The document is not the one that its digest names."""


def _read(found: JsonObject) -> TermsFile:
    document = _document(found)
    is_proposed = all("plan" in feed for feed in document["feeds"])
    digest = digest_of(document) if is_proposed else None
    if "document" in found and found["digest"] != digest:
        raise _Altered
    rules = document["rules"]
    terms = read_terms(_completed(document) | {"rules": _RULE_DEFAULTS | rules})
    return TermsFile(terms, digest, (rules.get("off_limits") or {}).get("code_list_sha256"))


def _document(found: JsonObject) -> JsonObject:
    document: JsonObject = found.get("document", found)
    return document


def _completed(document: JsonObject) -> JsonObject:
    return document | {"feeds": [_FEED_DEFAULTS | feed for feed in document["feeds"]]}


def _draft_faults(found: JsonObject) -> list[str]:
    """In words, a line each."""
    document = _completed(_document(found))
    bounds = [
        f"/feeds/{index}/measures/{name}/bound: a whole number from 1 to {MAX_BOUND}"
        for index, feed in enumerate(document["feeds"])
        for name, measure in feed["measures"].items()
        if type(measure["bound"]) is not int or not 1 <= measure["bound"] <= MAX_BOUND
    ]
    return bounds or fault_lines(list(feed_faults(document, MAX_CELLS_DEFAULT)))
