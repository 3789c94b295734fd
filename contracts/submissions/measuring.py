"""Measured at source: the exchange's own draw, made on the provider's premises, so that exact cells never leave them.

    due = get_due_period(contract, "fills", "2025-01", trusted=digest, now=datetime.now(UTC))
    body = draw_at_source(due, from_rows(rows, due.feed), str(uuid4()))

`contract` is what the exchange answers about it, and so not believed: an exchange that wanted the cells could answer
with another plan, next to no noise in it, and keys and signatures of its own making. `digest` is what the provider
noted when it signed. Only the body is meant to leave the process: it is posted to the
contract's submissions. Draw a period once: what is drawn again is a second loss, and the ledger knows only of what is
posted.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from contracts.cells import Columns, exact_tables
from contracts.decisions import get_feed, get_period, require_own_plan, require_provider
from contracts.lifecycle import require_in_force
from contracts.parties import JsonObject
from contracts.periods import Period
from contracts.records import ContractRecord, History
from contracts.refusals import MeasuredInExchange, SignatureInvalid
from contracts.signing import verify
from contracts.submissions.restating import require_due
from contracts.submissions.source_releases import write_release
from contracts.terms import FeedTerms, Measured
from contracts.verifying_contract import NotAContract, read_contract, signature_faults
from privacy.mechanism import DiscreteGaussian, NoiseSource
from privacy.release import draw_release

PRODUCTION_NOISE: Final[NoiseSource] = DiscreteGaussian()


# What a provider knows of its contract by itself: the digest that it signed (64 hex digits), or its own public signing
# key, a JWK.
Pin = str | JsonObject


class NotWhatWasSigned(ValueError):
    """The contract is not the one that the provider knows to have signed."""


@dataclass(frozen=True, slots=True)
class DuePeriod:
    """What a signed contract has its provider measure: one period, or a restatement of it, by the feed's plan."""

    contract_id: str
    contract_digest: str
    feed: FeedTerms
    period: Period
    restatement: int


def get_due_period(
    contract: JsonObject, feed: str, period: str, restatement: int = 0, *, trusted: Pin, now: datetime
) -> DuePeriod:
    """Decide what the exchange will decide, before any cell is read, so that nothing is drawn which it would refuse.

    trusted: see `Pin`; with a key, the organisation that signed with it must be a provider of the feed. The signatures
    of the others are checked with the keys that the contract carries for them, which only shows that they fit.
    Raises NotAContract, NotWhatWasSigned, or a Refusal as the exchange would.
    """
    record = _read_record(contract)
    signer = _require_pinned(record, trusted)
    agreed = require_in_force(History((record,)), record, now)
    terms = get_feed(agreed, feed)
    if signer is not None and (party := agreed.find_party(signer)) is not None:
        require_provider(terms, party)
    if terms.measured is not Measured.SOURCE:
        raise MeasuredInExchange(f"The exchange itself measures {feed}: post its cells there.")
    due = get_period(terms, period, now.date())
    require_due(terms, due, restatement, now.date())
    require_own_plan(terms)
    return DuePeriod(agreed.id, str(record.digest), terms, due, restatement)


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
    record = read_contract(contract)
    for fault in signature_faults(record):
        raise NotAContract(fault)
    return record


def _require_pinned(record: ContractRecord, trusted: Pin) -> str | None:
    """The organisation that signed with the trusted key, or None for a digest. Raises NotWhatWasSigned."""
    if isinstance(trusted, str):
        if trusted.lower() != record.digest:
            raise NotWhatWasSigned(f"its digest is {record.digest}, and not the one that you signed")
        return None
    for signature in record.signatures:
        try:
            verify(record.document, signature.jws, trusted)
        except SignatureInvalid:
            continue
        return signature.organisation
    raise NotWhatWasSigned("none of its signatures was made with your key")
