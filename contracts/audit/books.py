"""Use cases of the audit: to record what leaves no other trace, and to read one's books."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from contracts.asking import Answered
from contracts.audit import acts
from contracts.audit.acts import By
from contracts.audit.chain import Link, append, concerns, contract_book, link_of, organisation_book
from contracts.audit.records import AuditRecord, Head
from contracts.decisions import get_readable_contract, is_visible, names
from contracts.lifecycle import is_signed
from contracts.parties import Caller
from contracts.ports import Clock, Database, Stores
from contracts.records import History
from contracts.refusals import ContractNotFound
from contracts.statistics.questions import Question

MAX_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a book, and how far the book had come when it was read."""

    head: Head
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class AuditBooks:
    """Books of contracts for their parties, and of each organisation for itself."""

    database: Database
    clock: Clock

    def record_answer(self, caller: Caller, question: Question, answered: Answered, digest: str) -> None:
        """Before the answer is given: no answer without its record. digest: SHA-256 of the answer."""
        release_ids = answered.answer.releases
        act = acts.answered(By.caller(caller), answered.record, answered.purpose, question, release_ids, digest)
        with self.database.writing() as stores:
            append(stores, self.clock.now(), act)

    def record_refusal(
        self, caller: Caller, contract_id: str | None, problem: str, asked: Mapping[str, str | int]
    ) -> None:
        """A submission that was refused, for its provider alone. asked: what could be read of what it was."""
        act = acts.refused(By.caller(caller), caller.organisation, contract_id, problem, asked)
        with self.database.writing() as stores:
            append(stores, self.clock.now(), act)

    def of_contract(self, caller: Caller, contract_id: str, after: int, limit: int) -> Page:
        """Whatever the contract's status: what was done under it stays on record. Raises ContractNotFound."""
        with self.database.reading() as stores:
            history = get_readable_contract(stores, caller, contract_id, self.clock.now()).history
            _require_bound(history, caller)
            visible = {v.version for v in history.versions if is_visible(history, v, caller.organisation)}
            head, records = _page(stores, contract_book(contract_id), after, limit)
        links = (link_of(r, shown=concerns(r.act, caller.organisation, visible)) for r in records)
        return Page(head, tuple(links))

    def of_caller(self, caller: Caller, after: int, limit: int) -> Page:
        with self.database.reading() as stores:
            head, records = _page(stores, organisation_book(caller.organisation), after, limit)
        return Page(head, tuple(link_of(record) for record in records))


def _require_bound(history: History, caller: Caller) -> None:
    """Even without its acts a book shows that something is done, which is nothing to whom the others only invited.

    Raises ContractNotFound for who is a party of no version that all signed, once there is one.
    """
    signed = [record for record in history.versions if is_signed(history, record)]
    if signed and not any(names(record, caller.organisation) for record in signed):
        raise ContractNotFound("There is no such contract among those whose audit you may read.")


def _page(stores: Stores, book: str, after: int, limit: int) -> tuple[Head, list[AuditRecord]]:
    return stores.audit.head(book), stores.audit.records(book, after, min(limit, MAX_PAGE))
