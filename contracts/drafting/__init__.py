"""Does a draft make sense? The faults at once, each with a pointer, a reason and the nearest thing that works.

A term is only accepted if this exchange enforces it: what would be signed and then ignored is refused here.
The form of the document (names, types) was checked at the door.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import chain
from typing import Final

from contracts.canonical import canonical_size
from contracts.drafting.document import document_faults, party_faults, succession_faults
from contracts.drafting.feeds import feed_faults
from contracts.drafting.grant_terms import grant_faults, purpose_faults
from contracts.drafting.life_tables import life_table_faults
from contracts.drafting.linked import unlinked_faults
from contracts.drafting.losses import privacy_faults
from contracts.drafting.meanings import meaning_faults, signed_documents
from contracts.drafting.rollout import rollout_faults
from contracts.drafting.rollups import rollup_faults
from contracts.drafting.settlement import settlement_faults
from contracts.drafting.standards import standard_faults
from contracts.parties import JsonObject
from contracts.ports import Stores
from contracts.records import ContractRecord
from contracts.refusals import ContractInvalid, Fault, first_faults

__all__ = ["MAX_BYTES", "check_amendment", "check_draft", "check_terms"]

# Of a document in its RFC 8785 form, without its plans, which are bounded by themselves (`contracts.drafting.plans`).
MAX_BYTES: Final = 2**20


def check_draft(
    document: JsonObject,
    stores: Stores,
    *,
    drafted_by: str,
    statistics: frozenset[str],
    max_cells: int,
    today: date,
) -> None:
    """Raises ContractInvalid with the first faults.

    statistics: the names that a grant may hold. max_cells: the most numbers that one period of a feed may consist of.
    """
    _require_size(document)
    _refuse(chain(party_faults(document, stores, drafted_by), _term_faults(document, statistics, max_cells, today)))


def check_amendment(document: JsonObject, before: Sequence[ContractRecord], contract_id: str | None = None) -> None:
    """Raises ContractInvalid for a document that does not follow the versions before it, none for a first version.

    contract_id: what its id must be, if that is settled.
    """
    _require_size(document)
    settled = contract_id or (before[-1].id if before else None)
    signed = signed_documents(before)
    _refuse(
        chain(
            succession_faults(document, before, settled),
            dict.fromkeys(meaning_faults(document, before)),
            unlinked_faults(document, signed) if signed else (),
        )
    )


def check_terms(document: JsonObject, *, statistics: frozenset[str], max_cells: int, today: date) -> None:
    """The same without asking who is registered here, for previews: a contract can be weighed before anyone is."""
    _require_size(document)
    _refuse(_term_faults(document, statistics, max_cells, today))


def _require_size(document: JsonObject) -> None:
    """Before anything else is looked at: every version is read and compared again and again. Raises ContractInvalid."""
    size = canonical_size(document)
    if size > MAX_BYTES:
        message = f"{size} bytes in its canonical form; write {MAX_BYTES} or less: shorten the longest vocabularies"
        _refuse([Fault("", "contract_too_large", message)])


def _term_faults(document: JsonObject, statistics: frozenset[str], max_cells: int, today: date) -> Iterator[Fault]:
    yield from document_faults(document, today)
    yield from rollup_faults(document)
    yield from purpose_faults(document)
    yield from grant_faults(document, statistics)
    yield from feed_faults(document, max_cells)
    yield from unlinked_faults(document)
    yield from life_table_faults(document)
    yield from privacy_faults(document)
    yield from settlement_faults(document, statistics)
    yield from rollout_faults(document)
    yield from standard_faults(document)


def _refuse(faults: Iterable[Fault]) -> None:
    found = first_faults(faults)
    if found:
        raise ContractInvalid("The contract does not make sense as it stands.", faults=found)
