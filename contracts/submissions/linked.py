"""The second debit of a release of a linked feed: in the account of the brand's population, in the same transaction.

Either both are committed and witnessed, or neither. The payer, which posts, is not to learn how much the brand's
population has lost or may lose by other feeds, payers and contracts.
"""

from datetime import datetime

from contracts.ledger.entries import Entry, Purchase
from contracts.ledger.witnessing import Writing
from contracts.refusals import BudgetExhausted, LinkedBudgetExhausted
from contracts.submissions.decided import Decided, linked_purchase_of
from privacy.units import rho_text


def debit_linked(writing: Writing, decided: Decided, own: Purchase, now: datetime) -> None:
    """Append it, of a linked feed. Raises LedgerSealed, or LinkedBudgetExhausted, the same whichever ceiling forbids
    it: needed_rho is the charge, which follows from the contract, and never what is left."""
    party, purchase = decided.linked_party, linked_purchase_of(decided, own)
    if party is None or purchase is None:
        return
    debit = _find_affordable(writing, party.population, purchase, now)
    if debit is None:
        needed = rho_text(purchase.plan.charge_nano)
        raise LinkedBudgetExhausted(
            f"{purchase.feed} is linked to the records of {party.organisation}, and the contract charges each release "
            f"to its population too, by up to rho {needed}. There is no room for it. Nothing was debited; the accounts "
            f"of {party.organisation} are for it to read.",
            organisation=party.organisation,
            population=party.population,
            needed_rho=needed,
        )
    writing.append(debit)


def _find_affordable(writing: Writing, population: str, purchase: Purchase, now: datetime) -> Entry | None:
    """Not raised from within: what the account says of its balance must not travel with the refusal."""
    account = writing.open_account(population)
    try:
        return account.debit(purchase, now)
    except BudgetExhausted:
        return None
