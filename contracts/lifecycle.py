"""Where a contract stands: what was written (its stage), who has signed, and what today's date makes of it."""

from datetime import datetime
from enum import StrEnum

from contracts.records import ContractRecord, Stage
from contracts.refusals import ContractNotInForce
from contracts.terms import Terms, terms_of


class Status(StrEnum):
    """The states a contract can be in."""

    DRAFT = "draft"
    PROPOSED = "proposed"
    SIGNED = "signed"
    IN_FORCE = "in_force"
    EXPIRED = "expired"


_WHY_NOT = {
    Status.DRAFT: "it is a draft; its drafter can propose it",
    Status.PROPOSED: "not every party has signed it",
    Status.SIGNED: "every party has signed it, and its effective date has not come",
    Status.EXPIRED: "its expiry date has passed",
}


def status_of(record: ContractRecord, now: datetime) -> Status:
    """In force from the first instant of the effective date to the last of the expiry date, in UTC."""
    if record.stage is Stage.DRAFT:
        return Status.DRAFT
    terms = terms_of(record)
    if now.date() > terms.expires:
        return Status.EXPIRED
    if waiting_for(record, terms):
        return Status.PROPOSED
    return Status.IN_FORCE if now.date() >= terms.effective else Status.SIGNED


def waiting_for(record: ContractRecord, terms: Terms) -> tuple[str, ...]:
    """The parties that have not signed this version."""
    signed = {signature.organisation for signature in record.signatures}
    return tuple(party.organisation for party in terms.parties if party.organisation not in signed)


def require_in_force(record: ContractRecord, now: datetime) -> Terms:
    """The terms, if they bind now. Raises ContractNotInForce."""
    status = status_of(record, now)
    if status is not Status.IN_FORCE:
        raise ContractNotInForce(f"The contract is not in force: {_WHY_NOT[status]}.", contract_status=status.value)
    return terms_of(record)
