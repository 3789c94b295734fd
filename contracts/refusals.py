"""Why the exchange says no: typed values in the domain, problem documents (RFC 9457) only at the edge.

A refusal never depends on exact data, and its text never quotes a posted number. `code` is stable; what each
means is listed in docs/reference/problems.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an input: a JSON pointer (RFC 6901), a stable code, and what to do."""

    pointer: str
    code: str
    message: str


# Whoever has so many corrects them first; a small request could else have megabytes of them for an answer.
MAX_FAULTS: Final = 50


def first_faults(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """As many as a refusal lists and one more, if there is one, so that it can say so. The rest are not looked for."""
    return tuple(islice(faults, MAX_FAULTS + 1))


class Refusal(Exception):
    """The request is understood and refused. Subclasses name the state of the world that caused it.

    extra: further members of the problem document, such as the balance of an exhausted budget.
    """

    code = "refused"

    def __init__(self, detail: str, *, faults: tuple[Fault, ...] = (), **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = faults
        self.extra = extra


class NotFound(Refusal):
    """There is no such thing, or the caller is not to know of it."""


class ContractNotFound(NotFound):
    code = "contract-not-found"


class FeedNotFound(NotFound):
    code = "feed-not-found"


class OrganisationNotFound(NotFound):
    code = "organisation-not-found"


class PopulationNotFound(NotFound):
    code = "population-not-found"


class ClientNotFound(NotFound):
    code = "client-not-found"


class SigningKeyNotFound(NotFound):
    code = "signing-key-not-found"


class StatisticNotFound(NotFound):
    code = "statistic-not-found"


class SettlementNotAgreed(NotFound):
    code = "settlement-not-agreed"


class NotAllowed(Refusal):
    """The caller is a party, and its part in the contract does not include this."""


class TokenNarrowed(NotAllowed):
    """The `authorization_details` of the access token (RFC 9396) do not allow this for this contract."""

    code = "authorization-details-insufficient"


class NotTheProvider(NotAllowed):
    code = "not-the-provider"


class NotTheDrafter(NotAllowed):
    code = "not-the-drafter"


class NotGranted(NotAllowed):
    """term: the clause that does not allow it, as a JSON pointer into the contract document; so in those below."""

    code = "not-granted"


class PurposeProhibited(NotAllowed):
    code = "purpose-prohibited"


class PurposeNotGranted(NotAllowed):
    code = "purpose-not-granted"


class ReciprocityUnmet(NotAllowed):
    """The contract answers about a pool only whoever has posted its own share. to_post: what is missing."""

    code = "reciprocity-unmet"


class OperatorOnly(NotAllowed):
    code = "operator-only"


class Invalid(Refusal):
    """The input has faults; each names its field."""


class ContractInvalid(Invalid):
    code = "contract-invalid"


class AccuracyInvalid(Invalid):
    code = "accuracy-invalid"


class CellsInvalid(Invalid):
    code = "cells-invalid"


class MeasuredAtSource(Invalid):
    code = "measured-at-source"


class MeasuredInExchange(Invalid):
    code = "measured-in-exchange"


class ReleaseInvalid(Invalid):
    code = "release-invalid"


class QuestionInvalid(Invalid):
    code = "question-invalid"


class SignatureInvalid(Invalid):
    code = "signature-invalid"


class PeriodOutsideContract(Invalid):
    code = "period-outside-contract"


class RestatementNotPlanned(Invalid):
    code = "restatement-not-planned"


class RegistrationInvalid(Invalid):
    code = "registration-invalid"


class Conflict(Refusal):
    """The world is in another state than the request needs."""


class AlreadyExists(Conflict):
    code = "already-exists"


class NoSigningKey(Conflict):
    code = "no-signing-key"


class ClientRevoked(Conflict):
    code = "client-revoked"


class SigningKeyRevoked(Conflict):
    code = "signing-key-revoked"


class NotADraft(Conflict):
    code = "contract-not-a-draft"


class NotProposed(Conflict):
    code = "contract-not-proposed"


class ProposalsTooMany(Conflict):
    code = "proposals-too-many"


class ContractNotInForce(Conflict):
    code = "contract-not-in-force"


class TransitionIllegal(Conflict):
    """legal_now: what can be done to a contract that stands as this one does."""

    code = "transition-illegal"


class AlreadyAgreed(Conflict):
    code = "already-agreed"


class DraftChanged(Refusal):
    """If-Match names another draft than the one there is (RFC 9110 section 13.1.1)."""

    code = "draft-changed"


class ContractVersionOther(Conflict):
    """contract_version: the one that is in force."""

    code = "contract-version-other"


class PlanNotOfContract(Conflict):
    """A measurement plan that does not follow from the terms it is stored with: never draw by it."""

    code = "plan-not-of-contract"


class PeriodNotOver(Conflict):
    code = "period-not-over"


class PeriodTaken(Conflict):
    code = "period-taken"


class CohortReposted(Conflict):
    """A life table is made of increments: to post a period again would measure the same persons again."""

    code = "cohort-reposted"


class RestatementNotDue(Conflict):
    """due: the first day on which it may be posted."""

    code = "restatement-not-due"


class RestatementOutOfOrder(Conflict):
    """missing: the measurement of the period, 0 for the first, that has to be released before."""

    code = "restatement-out-of-order"


class SubmissionIdReused(Conflict):
    code = "submission-id-reused"


class SubmissionInProgress(Conflict):
    """retry_after_seconds: when the running attempt will be taken for dead."""

    code = "submission-in-progress"


class BudgetExhausted(Conflict):
    code = "budget-exhausted"


class LinkedBudgetExhausted(Conflict):
    """No room in the population of the brand that a feed is linked to. How much there is, the payer is not told."""

    code = "linked-budget-exhausted"


class LedgerSealed(Conflict):
    """The ledger is not the one that its witness knows: nothing may be appended until the operator reconciles them."""

    code = "ledger-sealed"


class WitnessMovedOn(Conflict):
    """Somebody who holds no lock on the account any more, or never did, wrote of it."""

    code = "witness-moved-on"


class NothingReleased(Conflict):
    code = "nothing-released"


class NoiseUnavailable(Refusal):
    """No noise could be drawn, so nothing was released. The debit stands; the same submission may resume."""

    code = "noise-unavailable"


class WitnessUnavailable(Refusal):
    """The witness of the ledger cannot be read or written, so nothing may be debited."""

    code = "witness-unavailable"
