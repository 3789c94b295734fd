"""What is kept: submissions and receipts, the ledger, and the audit."""

from typing import Final

_NULL_FOR_OTHERS: Final = "null where it is of none."

MEANINGS: Final[dict[str, dict[str, str]]] = {
    "Submission": {
        "release": "Of a feed that is measured at source: the release, as `parley measure` writes it.",
    },
    "SourceRelease": {
        "draws": "Every draw of the frozen plan, in its order.",
    },
    "Drawn": {"l2_squared": "Squared sensitivity: the most that one person changes the vector."},
    "Receipt": {
        "measured": "Who drew the noise.",
        "linked": "What it cost the brand that its feed is linked to; null where it is not linked.",
        "attempts": "How often noise may have been drawn for it; each attempt was paid for.",
        "replayed": "True if the submission was posted before: nothing was drawn or paid for again.",
    },
    "LinkedCharge": {"population": "Whose persons lose it."},
    "Statement": {
        "unit": "Whose loss is stated, in words.",
        "granted": "The lifetime ceiling: all that the operator granted.",
        "under_contract": "What was lost under this contract, all versions.",
        "contract_ceiling": "What this contract may cost the population.",
        "balance": "What is left of the lifetime ceiling.",
        "derivation": "How the lifetime loss comes about, feed by feed.",
        "entries": "This page of the entries, in sequence.",
    },
    "Entry": {
        "id": "The id of the entry.",
        "sequence": "Its place in the population's ledger, from 1.",
        "kind": "A grant raises the ceiling, a debit pays for a release, a correction restores a lost entry.",
        "charge": "The loss of the release by itself.",
        "increment": "By how much the population's loss rose.",
        "balance": "What was left then.",
        "contract_id": f"The id of the contract; {_NULL_FOR_OTHERS}",
        "contract_version": f"The version of the contract; {_NULL_FOR_OTHERS}",
        "feed": f"The name of the feed; {_NULL_FOR_OTHERS}",
        "period": f"The period that was released; {_NULL_FOR_OTHERS}",
        "generation": f"Digest of what the loss of the feed rests on; {_NULL_FOR_OTHERS}",
        "restatement": f"0 for the first measurement; {_NULL_FOR_OTHERS}",
        "submission_id": f"The submission that it pays for; {_NULL_FOR_OTHERS}",
        "attempt": f"Which attempt at the submission it pays for; {_NULL_FOR_OTHERS}",
        "recorded_at": "When it was entered.",
    },
    "Subtotal": {
        "linked_by": "The payer that posts it, linked to the records of this population; null for its own feeds.",
        "first_measurements": "How many periods were measured for the first time.",
        "further_measurements": "How many measurements there were besides.",
        "loss": "The two sums together.",
        "explanation": "The same in words.",
    },
    "Book": {
        "book": "Whose book it is.",
        "head": "Its last record.",
        "records": "The records asked for.",
    },
    "Head": {"sequence": "How many records the book has.", "hash": "The hash of the last one."},
    "AuditRecord": {
        "sequence": "Its place in the book, from 1.",
        "previous_hash": "The hash of the record before it.",
        "hash": "Its own: the next record names it.",
    },
    "Act": {
        "recorded_at": "When it was done, in UTC.",
        "client": "The client that did it; null where none did.",
        "action": "What was done.",
        "contract_id": f"The id of the contract; {_NULL_FOR_OTHERS}",
        "contract_version": f"The version of the contract; {_NULL_FOR_OTHERS}",
    },
}
