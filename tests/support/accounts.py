"""What must hold of every account, whatever happened to the exchange before."""

from collections import Counter

from contracts.ledger.entries import Entry, EntryKind
from contracts.ports import Database
from contracts.records import ReleaseRecord
from tests.support.small_exchange import CONTRACT


def check_account(database: Database, population: str) -> tuple[list[Entry], list[ReleaseRecord]]:
    """The population's debits and releases, after everything that must be true of them was found true."""
    with database.reading() as stores:
        entries = stores.ledger.entries(population)
        releases = [r for r in stores.releases.list_for_contract(CONTRACT) if r.population == population]
        blocks = stores.releases.get_blocks([release.id for release in releases])
        debits = [entry for entry in entries if entry.kind is EntryKind.DEBIT]
        attempts = {entry.submission_id: stores.submissions.find(entry.submission_id or "") for entry in debits}

    _check_sums(entries)
    paid = Counter(entry.submission_id for entry in debits)
    # One debit an attempt, one attempt a debit.
    assert {name: known and known.attempt for name, known in attempts.items()} == paid
    assert len({(entry.submission_id, entry.attempt) for entry in debits}) == len(debits)
    # One committed debit a release, of the same submission; at most one release a debit and a submission.
    paid_for = {entry.id: entry.submission_id for entry in debits}
    assert all(paid_for[release.debit_id] == release.submission_id for release in releases)
    assert len({release.debit_id for release in releases}) == len(releases)
    assert len({release.submission_id for release in releases}) == len(releases)
    assert all(blocks.values())
    return debits, releases


def _check_sums(entries: list[Entry]) -> None:
    """No entry lost or doubled, no balance that does not follow from the entries, never overdrawn."""
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    assert len({entry.id for entry in entries}) == len(entries)
    granted = spent = 0
    for entry in entries:
        granted += entry.event.get("granted_nano", (entry.restores or {}).get("grant_nano", 0))
        spent += entry.increment_nano
        assert (entry.granted_nano, entry.spent_nano) == (granted, spent)
        assert spent <= granted
