"""Where exact numbers are and for how long; what is stored, until when; what is never stored."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from contracts.evidence.given import Finding, Given, StoredTable
from contracts.rendering.pages import Block, Bullets, Paragraph, Section, Table
from contracts.terms import Measured, Terms

IN_CODE: Final = (
    "Cells are read from the request into memory, and only once the contract allows them; they are gone when the "
    "request is answered, whether it was accepted or refused.",
    "Bodies in forms that the web library would spool to a file are refused before they are read.",
    "Core dumps of the exchange are turned off; error messages and tracebacks carry no values.",
    "Logs and metrics hold no body, no length of one, no number of cells and no duration of a submission.",
    "Noise is drawn, and only the noisy vectors are written to the database, after the debit that pays for them.",
)
IN_DEPLOYMENT: Final = (
    "no swap, or encrypted swap",
    "no core dumps by other means, and no agent that copies memory or local variables",
    "no proxy in front that writes bodies to a disk, or logs bodies or their lengths",
    "a database whose commits have reached the disk when they return, and a witness of the ledger outside it",
    "secrets readable by the exchange alone, and a clock that is kept right",
)
NEVER: Final = (
    "a record of a person, or anything that names one: only aggregates are ever posted",
    "an exact cell, total, or number of rows",
    "a digest or length of what was posted, or how long it took: each could tell small counts apart",
    "a private key of any party",
    "the figures of an answer: they are computed anew from stored releases, and are the same every time",
)
_RELEASES: Final = (
    "for ever: they are what every answer is made of; their loss has been incurred and does not come back by deleting "
    "them, and whoever has read an answer has it"
)
_RETENTION: Final = {
    "releases": _RELEASES,
    "ledger_entries": "for ever: what a population has lost must stay known, or budget would come back",
    "audit_records": "for ever: a chain of hashes, in which nothing can be left out",
    "signatures": "for ever: they prove what was agreed to",
    "submissions": "for ever: a submission id is never accepted for a second draw",
    "contracts": "for ever once proposed; a draft until its drafter changes or discards it",
    "contract_parties": "as long as the contract",
    "client_proofs": "for ever: nothing that a revoked client proved itself with is taken again",
    "used_assertions": "until the assertion would have expired by itself, a few minutes",
    "revoked_tokens": "until the token would have expired by itself, a few minutes",
    "idempotent_requests": "for a day; of a submission nothing is ever kept there",
}
_APPEND_ONLY: Final = "for ever: the database refuses to change or delete a row"
_OTHERWISE: Final = "as long as the exchange: no function of Parley deletes a row"


@dataclass(frozen=True, slots=True)
class ExactNumbers:
    """Of one feed. held_by: who ever has its exact numbers."""

    feed: str
    held_by: str
    how_long: str


@dataclass(frozen=True, slots=True)
class Stored:
    """One table. append_only: by triggers of the database, or by the program where it is a file."""

    table: str
    holds: str
    kept: str
    append_only: bool


_WITNESS: Final = Stored(
    "the ledger's witness, a file outside the database",
    "One line for every entry of the ledger, written before the entry is.",
    "for ever, in its own place: it tells when a restored backup has forgotten losses",
    append_only=True,
)


@dataclass(frozen=True, slots=True)
class Storage:
    """findings: of `parley doctor` on the exchange's machine; None where none were given."""

    exact_numbers: tuple[ExactNumbers, ...]
    measures_in_code: tuple[str, ...]
    measures_of_deployment: tuple[str, ...]
    findings: tuple[Finding, ...] | None
    stored: tuple[Stored, ...]
    never_stored: tuple[str, ...]


def storage(given: Given, terms: Terms) -> Storage:
    return Storage(
        exact_numbers=tuple(_exact(terms)),
        measures_in_code=IN_CODE,
        measures_of_deployment=IN_DEPLOYMENT,
        findings=given.findings,
        stored=(*(_stored(table) for table in given.tables), _WITNESS),
        never_stored=NEVER,
    )


def _stored(table: StoredTable) -> Stored:
    kept = _RETENTION.get(table.name, _APPEND_ONLY if table.append_only else _OTHERWISE)
    return Stored(table.name, table.holds, kept, table.append_only)


def _exact(terms: Terms) -> Iterator[ExactNumbers]:
    for feed in terms.feeds:
        providers = ", ".join(terms.providers_of(feed))
        if feed.measured is Measured.SOURCE:
            yield ExactNumbers(feed.name, providers, "never in the exchange: the provider draws the noise itself")
        else:
            held_by = f"{providers}; and the exchange"
            yield ExactNumbers(feed.name, held_by, "in the exchange: in memory, for the one request that posts it")


def storage_section(found: Storage) -> Section:
    exact = Table(
        "Exact numbers, feed by feed",
        ("feed", "who ever has them", "how long"),
        tuple((each.feed, each.held_by, each.how_long) for each in found.exact_numbers),
    )
    kept = Table(
        "What is stored",
        ("table", "what it holds", "kept", "append-only"),
        tuple((each.table, each.holds, each.kept, "yes" if each.append_only else "") for each in found.stored),
    )
    backups = Paragraph("Backups hold the same as the database. How long they are kept is the operator's to say.")
    return Section(
        "Where exact numbers are, and what is kept",
        (exact, Paragraph("By the program itself:"), Bullets(found.measures_in_code)),
        (
            Section("What the operator's machine must see to", tuple(_deployment(found))),
            Section("What is stored, and until when", (kept, backups)),
            Section("What is never stored", (Bullets(found.never_stored),)),
        ),
    )


def _deployment(found: Storage) -> Iterator[Block]:
    yield Bullets(found.measures_of_deployment)
    if found.findings is None:
        yield Paragraph(
            "Whether they hold on the exchange's machine is not known to this packet. The operator finds out with "
            "parley doctor --json, whose output goes into a packet with --doctor."
        )
        return
    yield Table(
        "What parley doctor found, by the file that was given",
        ("check", "status", "why", "what to do"),
        tuple((each.check, each.status, each.why, each.what_to_do) for each in found.findings),
    )
