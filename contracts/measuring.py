"""Measured at source: the exchange's own draw, made on the provider's premises, so that exact cells never leave them.

    due = get_due_period(contract, "fills", "2025-01", now=datetime.now(UTC))
    body = draw_at_source(due, from_rows(rows, due.feed), str(uuid4()))

`contract` is what the exchange answers about it. Only the body is meant to leave the process: it is posted to the
contract's submissions. Draw a period once: what is drawn again is a second loss, and the ledger knows only of what is
posted.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from contracts.canonical import digest_of
from contracts.cells import Columns, exact_tables
from contracts.decisions import get_feed, get_period, require_own_plan
from contracts.lifecycle import require_in_force
from contracts.parties import JsonObject
from contracts.periods import Period
from contracts.records import ContractRecord, Signature, Stage
from contracts.refusals import MeasuredInExchange, SignatureInvalid
from contracts.restating import require_due
from contracts.signing import verify
from contracts.source_releases import write_release
from contracts.terms import FeedTerms, Measured, terms_of
from privacy.mechanism import DiscreteGaussian, NoiseSource
from privacy.release import draw_release

PRODUCTION_NOISE: Final[NoiseSource] = DiscreteGaussian()


class NotAContract(ValueError):
    """What was given is not a proposed contract as an exchange answers it, or not the one that its digest names."""


@dataclass(frozen=True, slots=True)
class DuePeriod:
    """What a signed contract has its provider measure: one period, or a restatement of it, by the feed's plan."""

    contract_id: str
    contract_digest: str
    feed: FeedTerms
    period: Period
    restatement: int


def get_due_period(contract: JsonObject, feed: str, period: str, restatement: int = 0, *, now: datetime) -> DuePeriod:
    """Decide what the exchange will decide, before any cell is read, so that nothing is drawn which it would refuse.

    Every signature is checked with the key that the contract carries for it; that the digest is the one which your own
    organisation signed is for you to see. Raises NotAContract, or a Refusal as the exchange would.
    """
    record = _read_record(contract)
    terms = get_feed(require_in_force(record, now), feed)
    if terms.measured is not Measured.SOURCE:
        raise MeasuredInExchange(f"The exchange itself measures {feed}: post its cells there.")
    due = get_period(terms, period, now.date())
    require_due(terms, due, restatement, now.date())
    require_own_plan(terms)
    return DuePeriod(record.id, str(record.digest), terms, due, restatement)


def draw_at_source(
    due: DuePeriod, columns: Columns, submission_id: str, *, noise: NoiseSource = PRODUCTION_NOISE
) -> JsonObject:
    """Draw the release of one period by the frozen plan: the body of a submission. noise: tests may bring another.

    Raises CellsInvalid, or DrawFailed when noise could not be drawn; neither says a word of the cells.
    """
    tables = exact_tables(due.feed, columns)
    vectors = draw_release(due.feed.get_plan(), due.feed.dimensions, tables, noise)
    return {
        "submission_id": submission_id,
        "feed": due.feed.name,
        "period": str(due.period),
        "restatement": due.restatement,
        "release": write_release(due.contract_digest, due.feed, vectors),
    }


def _read_record(contract: JsonObject) -> ContractRecord:
    """The contract as the exchange keeps it; its digest and every signature are checked. Raises NotAContract."""
    try:
        record = ContractRecord(
            contract["id"],
            contract["version"],
            Stage.PROPOSED,
            contract["document"],
            contract["digest"],
            contract["drafted_by"],
            datetime.fromisoformat(contract["drafted_at"]),
            signatures=tuple(map(_read_signature, contract["signatures"])),
        )
        altered = digest_of(record.document) != record.digest
        if not altered:
            terms_of(record)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise NotAContract("this is not a contract as the exchange answers it") from None
    if altered:
        raise NotAContract("its digest is not that of its document: it is a draft, or was altered")
    for signature in record.signatures:
        _require_fit(record.document, signature)
    return record


def _read_signature(found: JsonObject) -> Signature:
    names = ("organisation", "kid", "public_key", "jws", "signer_name", "signer_title")
    return Signature(**{name: found[name] for name in names}, signed_at=datetime.fromisoformat(found["signed_at"]))


def _require_fit(document: JsonObject, signature: Signature) -> None:
    try:
        verify(document, signature.jws, signature.public_key)
    except SignatureInvalid:
        raise NotAContract(f"the signature of {signature.organisation} does not fit its document") from None
