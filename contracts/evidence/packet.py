"""One packet: all facts, and the page that says them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from typing import Any, Final

from contracts.evidence.bounds import FeedBounds, bounds, bounds_section
from contracts.evidence.duties import Duties, duties, duties_section
from contracts.evidence.given import Given
from contracts.evidence.guarantee import Guarantee, guarantee, guarantee_section
from contracts.evidence.incidents import Incidents, incidents, incidents_section
from contracts.evidence.limits import Limits, limits, limits_section
from contracts.evidence.mechanism import Mechanism, mechanism, mechanism_section
from contracts.evidence.proofs import Proofs, proofs, proofs_section
from contracts.evidence.storage import Storage, storage, storage_section
from contracts.lifecycle import waiting_for
from contracts.parties import JsonObject
from contracts.records import History
from contracts.rendering.contract import STATUSES
from contracts.rendering.pages import Block, Bullets, Facts, Page, Paragraph, Section
from contracts.terms import Terms, terms_of
from contracts.verifying_contract import doubts, signature_faults
from privacy.plan import PlanNotSound

FORMAT: Final = "parley-evidence-1"
_KEYS: Final = (
    "Whether the keys are those of the parties, no packet can say: parley contract verify contract.json with --key "
    "compares them with keys that you have from the parties."
)


class EvidenceRefused(ValueError):
    """The contract was altered, or a signature or a plan of it does not hold: nothing is said of it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The contract that the packet is about. waiting_for: parties that have not signed. doubts: signatures that stand,
    and that somebody else may have made. status: None where no exchange told it."""

    contract: str
    version: int
    title: str
    digest: str
    status: str | None
    signed_by: tuple[str, ...]
    waiting_for: tuple[str, ...]
    doubts: tuple[str, ...]
    computed_at: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the packet says."""

    format: str
    subject: Subject
    guarantee: Guarantee
    bounds: tuple[FeedBounds, ...]
    mechanism: Mechanism
    proofs: Proofs
    storage: Storage
    incidents: Incidents
    duties: Duties
    limits: Limits


def gather(given: Given) -> Evidence:
    """Raises EvidenceRefused, with a reason that can be shown."""
    if faults := tuple(signature_faults(given.record)):
        raise EvidenceRefused("; ".join(faults))
    terms = terms_of(given.record)
    try:
        mechanisms = mechanism(terms)
    except PlanNotSound as unsound:
        raise EvidenceRefused(f"a measurement plan is not sound: {unsound}") from None
    return Evidence(
        format=FORMAT,
        subject=_subject(given, terms),
        guarantee=guarantee(given, terms),
        bounds=bounds(given, terms),
        mechanism=mechanisms,
        proofs=proofs(given),
        storage=storage(given, terms),
        incidents=incidents(given, terms),
        duties=duties(given, terms),
        limits=limits(terms),
    )


def _subject(given: Given, terms: Terms) -> Subject:
    record = given.record
    return Subject(
        contract=terms.id,
        version=terms.version,
        title=terms.title,
        digest=record.digest or "",
        status=given.status,
        signed_by=tuple(signature.organisation for signature in record.signatures),
        # A party that a new version leaves out signs it too, which this document alone does not tell.
        waiting_for=tuple(dict.fromkeys((*waiting_for(History((record,)), record), *given.told_waiting_for))),
        doubts=tuple(doubts(record)),
        computed_at=given.computed_at,
    )


def evidence_page(found: Evidence, terms: Terms, files: Mapping[str, str]) -> Page:
    """files: what else lies in the packet, and what each is."""
    sections = (
        _about(found.subject, files),
        guarantee_section(found.guarantee, terms),
        bounds_section(found.bounds),
        mechanism_section(found.mechanism),
        proofs_section(found.proofs),
        storage_section(found.storage),
        incidents_section(found.incidents),
        duties_section(found.duties),
        limits_section(found.limits),
    )
    lead = f"Evidence for a privacy officer: data-sharing contract {terms.id}, version {terms.version}"
    return Page(found.subject.title, lead, sections)


def _about(subject: Subject, files: Mapping[str, str]) -> Section:
    blocks: list[Block] = [
        Paragraph(
            "Every number in this packet was computed from the contract that lies beside it, by the program that "
            "made the packet; what others said (an exchange, a test report, the checks of a machine) is marked as "
            "theirs."
        ),
        Facts(
            (
                ("contract", f"{subject.contract}, version {subject.version}"),
                ("digest (SHA-256 of the document in the form of RFC 8785), computed here", subject.digest),
                ("status, as the exchange told it", STATUSES.get(subject.status or "", subject.status or "not asked")),
                ("signed by, with signatures that hold", ", ".join(subject.signed_by) or "nobody yet"),
                ("signatures that are missing", ", ".join(subject.waiting_for) or "none"),
                ("computed", f"{subject.computed_at:%Y-%m-%d %H:%M:%S} UTC"),
            )
        ),
    ]
    if subject.waiting_for:
        blocks.append(Paragraph("Not everybody has signed, so nothing of this binds anybody yet."))
    if subject.doubts:
        blocks.append(Bullets(subject.doubts))
    blocks += [Paragraph(_KEYS), Facts(tuple(files.items()))]
    return Section("About this packet", tuple(blocks))


def as_json(found: Any) -> Any:
    """Facts as JSON: names as they are in the code, dates as in ISO 8601."""
    if is_dataclass(found):
        return {field.name: as_json(getattr(found, field.name)) for field in fields(found)}
    if isinstance(found, Mapping):
        return {str(name): as_json(value) for name, value in found.items()}
    if isinstance(found, tuple | list):
        return [as_json(value) for value in found]
    return found.isoformat() if isinstance(found, date) else found


def evidence_json(found: Evidence) -> JsonObject:
    whole: JsonObject = as_json(found)
    return whole
