"""The entries of a statement as an exchange answered it, so that whoever reads it can account for them anew."""

from datetime import datetime
from typing import Final

from contracts.ledger.entries import Entry, EntryKind
from contracts.parties import JsonObject

# What a statement says of an entry as the ledger has it; losses it says in more than one unit.
AS_THEY_ARE: Final = (
    "id",
    "sequence",
    "contract_id",
    "contract_version",
    "feed",
    "period",
    "generation",
    "restatement",
    "submission_id",
    "attempt",
    "event",
)


def read_entries(statement: JsonObject) -> list[Entry]:
    return [
        Entry(
            **{name: entry[name] for name in AS_THEY_ARE},
            population=statement["population"],
            kind=EntryKind(entry["kind"]),
            **{f"{name}_nano": entry[name]["rho_nano"] for name in ("charge", "increment", "granted", "spent")},
            recorded_at=datetime.fromisoformat(entry["recorded_at"]),
        )
        for entry in statement["entries"]
    ]
