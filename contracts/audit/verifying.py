"""`parley audit verify`: do the books hold, and do they say what the other tables say?

Within a book every edit, deletion, insertion and exchange breaks the chain. What was cut off its end together with its
head shows where another table tells of it: each contract, signature, release, key and grant has its record, and each
such record its row. Whoever rewrites whole books, hashes and all, is found by a party that kept a head of before.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeVar

from contracts.audit import acts
from contracts.audit.acts import CONSOLE, By
from contracts.audit.chain import (
    Broken,
    check_chain,
    contract_book,
    first_hash,
    is_hash,
    link_of,
    organisation_book,
    read_links,
)
from contracts.audit.records import Act, Action, AuditRecord, Head
from contracts.canonical import canonical_bytes
from contracts.ledger.entries import EntryKind
from contracts.parties import Client, SigningKey
from contracts.ports import Database, Stores, Unreadable
from contracts.records import ContractRecord, PopulationEvent, Stage
from contracts.terms import ContractAltered, terms_of

T = TypeVar("T")
EXPORT_FORMAT: Final = "parley-audit-1"
# Every record of these is of a row that is still there.
_OF_ROWS: Final = frozenset(
    {
        Action.CONTRACT_PROPOSED,
        Action.CONTRACT_SIGNED,
        Action.CONTRACT_SUSPENDED,
        Action.RESUME_AGREED,
        Action.CONTRACT_RESUMED,
        Action.TERMINATION_AGREED,
        Action.CONTRACT_TERMINATED,
        Action.SUBMISSION_ACCEPTED,
        Action.ORGANISATION_REGISTERED,
        Action.POPULATION_REGISTERED,
        Action.BUDGET_GRANTED,
        Action.LEDGER_CORRECTED,
        Action.CLIENT_REGISTERED,
        Action.CLIENT_REVOKED,
        Action.SIGNING_KEY_REGISTERED,
    }
)
# These too, in the book of whose population it is; the books of contracts tell it once more.
_OF_POPULATIONS: Final = frozenset({Action.POPULATION_SUSPENDED, Action.POPULATION_RESUMED})
# Of these the row itself says who did it, by which client; of a signature, for whom.
_BY_CLIENTS: Final = frozenset(
    {
        Action.CONTRACT_SUSPENDED,
        Action.RESUME_AGREED,
        Action.CONTRACT_RESUMED,
        Action.TERMINATION_AGREED,
        Action.CONTRACT_TERMINATED,
        *_OF_POPULATIONS,
    }
)
# Recorded with the time of another row, or of none: the ledger's own times are for its witness to tell.
_UNTIMED: Final = frozenset({Action.POPULATION_REGISTERED, Action.BUDGET_GRANTED, Action.LEDGER_CORRECTED})
# A row, named for people, what must be on record of it, and when it was done.
_Due = tuple[str, Act, datetime | None]
_Key = tuple[str, str, str | None, int | None, bytes, tuple[str | None, str | None], datetime | None]


class ExportUnreadable(ValueError):
    """This is no export of a book. The text says why, and quotes nothing."""


@dataclass(frozen=True, slots=True)
class VerifiedBooks:
    """How much was looked at, and what is wrong."""

    books: int
    records: int
    broken: tuple[Broken, ...]


@dataclass(frozen=True, slots=True)
class VerifiedExport:
    """disclosed: how many of the records say what was done."""

    head: Head
    disclosed: int
    broken: tuple[Broken, ...]


def verify_export(export: Any, since: str | None = None) -> VerifiedExport:
    """An export by itself. since: the hash of a head that was kept; the book must have gone on from there.

    Raises ExportUnreadable.
    """
    head, records = _read_export(export)
    try:
        links = read_links(records)
    except ValueError as error:
        raise ExportUnreadable(str(error)) from None
    broken = [*check_chain(head.book, links, head)]
    if since is not None and since not in {first_hash(head.book), *(link.hash for link in links)}:
        broken.append(Broken(head.book, None, "it does not go on from the head that you kept"))
    return VerifiedExport(head, sum(link.act is not None for link in links), tuple(broken))


def verify_books(database: Database) -> VerifiedBooks:
    """Every book of the database, against itself and against the other tables."""
    with database.reading() as stores:
        broken: list[Broken] = []
        books: defaultdict[str, list[AuditRecord]] = defaultdict(list)
        for record in _readable(stores.stored.audit_records(), broken):
            books[record.act.book].append(record)
        heads = {head.book: head for head in stores.stored.heads()}
        for book in sorted({*books, *heads}):
            links = [link_of(record) for record in books[book]]
            head = heads.get(book, Head(book, 0, first_hash(book)))
            broken += check_chain(book, links, head)
        records = [record for book in books.values() for record in book]
        broken += _compare(records, [*_due(stores, broken)])
        broken += _told(records, stores)
        broken += _revocations(records, [*_readable(stores.stored.signing_keys(), [])])
        broken += _client_keys(records, [*_readable(stores.stored.clients(), [])])
        broken += _unknown_releases(records, {row.id for row in _readable(stores.stored.releases(), [])})
    return VerifiedBooks(len(heads), len(records), tuple(broken))


def _compare(records: Iterable[AuditRecord], due: Iterable[_Due]) -> Iterator[Broken]:
    """Each row has its record, and each record of a row has one."""
    rows = [(what, _key(act, at)) for what, act, at in due]
    unrecorded = Counter(key for _, key in rows)
    for record in records:
        if not _is_of_a_row(record.act):
            continue
        key = _key(record.act, record.recorded_at)
        if unrecorded[key] > 0:
            unrecorded[key] -= 1
        else:
            what = record.act.action.replace("_", " ")
            yield Broken(record.act.book, record.sequence, f"says {what}, and no other table bears that out")
    for what, key in rows:
        if unrecorded[key] > 0:
            unrecorded[key] -= 1
            yield Broken(key[0], None, f"{what} is not on record as it is stored")


def _is_of_a_row(act: Act) -> bool:
    return act.action in _OF_ROWS or (act.action in _OF_POPULATIONS and act.contract_id is None)


def _unknown_releases(records: Iterable[AuditRecord], known: set[str]) -> Iterator[Broken]:
    for record in records:
        answer = record.act.action == Action.ANSWER_GIVEN
        if answer and not known.issuperset(record.act.subject.get("release_ids", ())):
            yield Broken(record.act.book, record.sequence, "names a release that is not stored")


def _revocations(records: Iterable[AuditRecord], keys: Iterable[SigningKey]) -> Iterator[Broken]:
    """A key is revoked once, and found to be compromised perhaps later: the last record is what its row says."""
    last = {}
    for record in records:
        if record.act.action == Action.SIGNING_KEY_REVOKED:
            last[record.act.book, str(record.act.subject.get("kid"))] = record
    for key in keys:
        act = acts.signing_key_revoked(CONSOLE, key)
        found = last.pop((act.book, key.kid), None)
        if (found.act.subject if found else None) != (act.subject if key.revoked_at else None):
            yield Broken(act.book, None, f"the revocation of signing key {key.kid} is not on record as it is stored")
    for record in last.values():
        yield Broken(record.act.book, record.sequence, "says signing key revoked, and there is no such key")


def _client_keys(records: Iterable[AuditRecord], clients: Iterable[Client]) -> Iterator[Broken]:
    """The keys of a client are replaced from time to time: the last record is what its row says."""
    last = {}
    for record in records:
        if record.act.action in (Action.CLIENT_REGISTERED, Action.CLIENT_KEYS_REPLACED):
            last[record.act.book, str(record.act.subject.get("client"))] = record
    for client in clients:
        book = organisation_book(client.organisation)
        found = last.pop((book, client.id), None)
        if found is None or not acts.says_keys_of(found.act, client):
            yield Broken(book, None, f"the keys of client {client.id} are not on record as they are stored")
    for record in last.values():
        if record.act.action == Action.CLIENT_KEYS_REPLACED:
            yield Broken(record.act.book, record.sequence, "says client keys replaced, and there is no such client")


def _told(records: Iterable[AuditRecord], stores: Stores) -> Iterator[Broken]:
    """A population's suspension is on record in the book of each contract that a party had signed, and in no book of a
    contract without having happened. A mere proposal may have been made in the same instant, so it is not asked for."""
    told = {
        (record.act.contract_id, *_key(_anywhere(record.act), record.recorded_at)): record
        for record in records
        if record.act.action in _OF_POPULATIONS and record.act.contract_id is not None
    }
    contracts = [*_readable(stores.stored.contracts(), [])]
    borne_out = set()
    for event in _readable(stores.stored.population_events(), []):
        key = _key(_anywhere(acts.population_moved(event, "")), event.recorded_at)
        borne_out.add(key)
        for contract_id in sorted(_drawing_on(contracts, event)):
            if (contract_id, *key) not in told:
                what = f"event {event.sequence} of {event.population} is not on record as it is stored"
                yield Broken(contract_book(contract_id), None, what)
    for (_, *found), record in told.items():
        if tuple(found) not in borne_out:
            what = record.act.action.replace("_", " ")
            yield Broken(record.act.book, record.sequence, f"says {what}, and no other table bears that out")


def _anywhere(act: Act) -> Act:
    """What was done, whichever book tells of it."""
    return replace(act, book="", contract_id=None, contract_version=None)


def _drawing_on(contracts: Iterable[ContractRecord], event: PopulationEvent) -> set[str]:
    return {
        record.id
        for record in contracts
        if any(signature.signed_at <= event.recorded_at for signature in record.signatures)
        and _names(record, event.population)
    }


def _names(record: ContractRecord, population: str) -> bool:
    try:
        return any(party.population == population for party in terms_of(record).parties)
    except ContractAltered:
        return False  # which its own record tells


def _key(act: Act, at: datetime | None) -> _Key:
    who: tuple[str | None, str | None] = (None, None)
    if act.action in _BY_CLIENTS:
        who = act.organisation, act.client
    elif act.action == Action.CONTRACT_SIGNED:
        who = act.organisation, None
    when = None if act.action in _UNTIMED else at
    subject = acts.without_keys(act.subject) if act.action == Action.CLIENT_REGISTERED else act.subject
    return act.book, act.action, act.contract_id, act.contract_version, canonical_bytes(subject), who, when


def _due(stores: Stores, broken: list[Broken]) -> Iterator[_Due]:
    yield from _of_parties(stores, broken)
    contracts = {(row.id, row.version): row for row in _readable(stores.stored.contracts(), broken)}
    for contract in contracts.values():
        if contract.stage is Stage.PROPOSED:
            yield f"version {contract.version}", acts.proposed(CONSOLE, contract), contract.proposed_at
        for signature in contract.signatures:
            signed = acts.signed(By(signature.organisation), contract, signature)
            yield f"the signature of {signature.organisation}", signed, signature.signed_at
    for event in _readable(stores.stored.contract_events(), broken):
        yield f"event {event.sequence}", acts.happened(event), event.recorded_at
    for release in _readable(stores.stored.releases(), broken):
        under = contracts.get((release.contract_id, release.contract_version))
        if under is None:
            broken.append(Broken(contract_book(release.contract_id), None, f"release {release.id} has no contract"))
        else:
            yield f"release {release.id}", acts.accepted(CONSOLE, under, release), release.released_at


def _of_parties(stores: Stores, broken: list[Broken]) -> Iterator[_Due]:
    providers = {}
    for organisation in stores.parties.list_organisations():
        registered = acts.organisation_registered(CONSOLE, organisation)
        yield f"organisation {organisation.id}", registered, organisation.created_at
        for population in stores.parties.list_populations(organisation.id):
            providers[population.id] = organisation.id
            yield f"population {population.id}", acts.population_registered(CONSOLE, population), None
    for client in _readable(stores.stored.clients(), broken):
        yield f"client {client.id}", acts.client_registered(CONSOLE, client), client.created_at
        if client.revoked_at is not None:
            yield f"the revocation of client {client.id}", acts.client_revoked(CONSOLE, client), client.revoked_at
    for key in _readable(stores.stored.signing_keys(), broken):
        yield f"signing key {key.kid}", acts.signing_key_registered(CONSOLE, key), key.created_at
    for moved in _readable(stores.stored.population_events(), broken):
        if moved.population in providers:
            what = f"event {moved.sequence} of {moved.population}"
            yield what, acts.population_moved(moved, providers[moved.population]), moved.recorded_at
    recorded = {EntryKind.GRANT: acts.budget_granted, EntryKind.CORRECTION: acts.ledger_corrected}
    for entry in _readable(stores.stored.entries(), broken):
        if entry.kind in recorded and entry.population in providers:
            what = f"entry {entry.sequence} of {entry.population}"
            yield what, recorded[entry.kind](CONSOLE, providers[entry.population], entry), None


def _readable(rows: Iterable[T | Unreadable], broken: list[Broken]) -> Iterator[T]:
    for row in rows:
        if isinstance(row, Unreadable):
            broken.append(Broken("database", None, f"{row.what} cannot be read"))
        else:
            yield row


def _read_export(export: Any) -> tuple[Head, list[Any]]:
    if not isinstance(export, dict) or export.get("format") != EXPORT_FORMAT:
        raise ExportUnreadable(f"an export of a book is an object whose format is {EXPORT_FORMAT}")
    book, head, records = export.get("book"), export.get("head"), export.get("records")
    if not isinstance(book, str) or not isinstance(head, dict) or not isinstance(records, list):
        raise ExportUnreadable("an export has a book, a head and records")
    if type(head.get("sequence")) is not int or not is_hash(head.get("hash")):
        raise ExportUnreadable("the head of a book has a sequence and a hash")
    return Head(book, head["sequence"], head["hash"]), records
