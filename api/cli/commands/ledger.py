"""`parley ledger`."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from adapters.client.exchange import ExchangeClient, ProblemAnswered
from api.cli.calling import WHO_CALLS, as_client, calling, chosen_contract, client_options, contract_argument
from api.cli.commands.reconcile import reconcile, witness
from api.cli.output import Failure, loss_text, say, say_json, say_paragraph, say_table
from contracts.ledger.entries import EntryKind
from contracts.ledger.reading import read_entries
from contracts.ledger.recomputing import ContractKey, Difference, recompute
from contracts.ledger.verifying import Verification, Verified, VerifiedRows, verify_ledgers
from contracts.parties import JsonObject
from contracts.refusals import ContractNotFound
from contracts.terms import Terms, read_terms
from privacy.units import rho_text

# What `recompute` calls it where it has no contract to compare an entry with.
_CONTRACT: Final = "contract"


@click.group()
def ledger() -> None:
    """Read what your population was granted, has spent and has left, and reckon it up again."""


ledger.add_command(reconcile)
ledger.add_command(witness)


@ledger.command(epilog="\b\nExample:\n  parley ledger show dsc-helixor-adherence")
@contract_argument
@click.option("--json", "as_json", is_flag=True, help="Print the whole statement, with the event of every entry.")
@as_client
def show(client: ExchangeClient, contract_id: str | None, as_json: bool) -> None:
    """Show the entries of your own population, over all its contracts, and what they add up to."""
    statement = client.ledger(chosen_contract(contract_id))
    (say_json if as_json else _say_statement)(statement)


@ledger.command(epilog="\b\nExamples:\n  parley ledger verify\n  parley ledger verify --contract dsc-helixor-adherence")
@click.option("--population", metavar="ID", help="Only this population's entries; all unless given.")
@click.option("--contract", metavar="CONTRACT", help="As a party: your own population, from what the exchange answers.")
@click.option("--json", "as_json", is_flag=True, help="Print what was recomputed, and every difference, as JSON.")
@client_options(required=False)
def verify(
    population: str | None,
    contract: str | None,
    as_json: bool,
    url: str,
    client_id: str | None,
    client_key: Path | None,
) -> None:
    """Recompute every loss from the recorded events, and compare it with what the ledger says.

    The operator's command, on the database of PARLEY_DATABASE_URL, with all contracts, signatures, submissions and
    releases, whosever they are. With --contract it is a party's: it reads its ledger and contracts over HTTP, and
    reckons here, so that it need not believe the exchange's arithmetic. Exit code 1 when anything differs.
    """
    unread: list[ContractKey] = []
    if contract is None:
        from api.cli.operating import operating  # the server's, which a party does without

        with operating() as database:
            found = verify_ledgers(database, population)
    elif population is not None:
        raise click.UsageError("--contract goes without --population: it is of your own.")
    elif client_id is None or client_key is None:
        raise click.UsageError(WHO_CALLS)
    else:
        with calling(url, client_id, client_key) as client:
            verified, unread = _verify_own(client, contract)
            found = Verification((verified,), rows=None)
    if as_json:
        say_json(_verification_json(found) | {"unread": [_key_text(key) for key in unread]})
    else:
        _say_verified(found.populations)
        _say_unread(unread)
        _say_looked_at(found.rows)
    if found.differences:
        raise Failure(f"The ledger does not follow from its events: {_times(len(found.differences), 'difference')}.",
                      map(_difference, found.differences))  # fmt: skip
    if unread:
        raise Failure("The ledger is not wholly verified: ask the operator why a version is not shown.")


def _verify_own(client: ExchangeClient, contract_id: str) -> tuple[Verified, list[ContractKey]]:
    """What was found, and the versions that could not be read and that debits name."""
    statement = client.ledger(contract_id)
    entries = read_entries(statement)
    keys = sorted({(e.contract[0], e.contract[1]) for e in entries if e.contract[0] and e.contract[1]})
    found = {key: _find_terms(client, *key) for key in keys}
    contracts = {key: terms for key, terms in found.items() if terms is not None}
    recomputed = recompute(statement["population"], entries, contracts)
    # A correction may restore what was measured under a contract that was lost; then its witness is all there is.
    unread = [e for e in entries if e.kind is EntryKind.DEBIT and e.contract in found and e.contract not in contracts]
    unknown = {(entry.sequence, _CONTRACT) for entry in unread}
    differences = (each for each in recomputed.differences if (each.sequence, each.what) not in unknown)
    verified = Verified(
        statement["population"],
        entries=len(entries),
        releases=None,
        unreleased=None,
        loss_nano=recomputed.loss_nano,
        differences=tuple(differences),
    )
    return verified, [key for key in keys if key in {entry.contract for entry in unread}]


def _find_terms(client: ExchangeClient, contract_id: str, version: int) -> Terms | None:
    try:
        return read_terms(client.get_contract(contract_id, version)["document"])
    except ProblemAnswered as answered:
        if answered.code != ContractNotFound.code:
            raise
        return None


def _say_verified(found: Iterable[Verified]) -> None:
    for verified in found:
        counted = _times(verified.entries, "entry", "entries")
        if verified.releases is not None:
            counted += f", {_times(verified.releases, 'release')}"
        if verified.unreleased:
            counted += f", {_times(verified.unreleased, 'submission')} debited and not released"
        outcome = _times(len(verified.differences), "difference") if verified.differences else "as recorded"
        say(f"{verified.population}: {counted}; loss rho {rho_text(verified.loss_nano)}, {outcome}")


def _say_unread(unread: Iterable[ContractKey]) -> None:
    for key in unread:
        say_paragraph(
            f"Not compared: {_key_text(key)}, which the exchange does not show you. Whether what was measured under it "
            "was measured as it says, is not known here."
        )


def _key_text(key: ContractKey) -> str:
    return f"{key[0]} version {key[1]}"


def _say_looked_at(rows: VerifiedRows | None) -> None:
    if rows is not None:
        counted = (_times(rows.contracts, "contract"), _times(rows.submissions, "submission"))
        outcome = _times(len(rows.differences), "difference") if rows.differences else "as they should be"
        say(f"All {', '.join(counted)} and {_times(rows.releases, 'release')} of the database: {outcome}")
        for warning in rows.warnings:
            say(f"Warning: {warning}.")
    say(
        "Not to be seen from here: last entries of a ledger that were taken out together with their submissions and "
        "releases. `parley ledger witness` compares its end with the witness, `parley receipt verify --ledger` a "
        "provider's receipt with its ledger."
    )


def _verification_json(found: Verification) -> JsonObject:
    return {
        "populations": [_verified_json(verified) for verified in found.populations],
        "rows": asdict(found.rows) if found.rows else None,
    }


def _verified_json(verified: Verified) -> JsonObject:
    return {
        "population": verified.population,
        "entries": verified.entries,
        "releases": verified.releases,
        "unreleased_submissions": verified.unreleased,
        "loss": {"rho_nano": verified.loss_nano, "rho": rho_text(verified.loss_nano)},
        "differences": [asdict(difference) for difference in verified.differences],
    }


def _difference(difference: Difference) -> str:
    where = f"{difference.population}: " if difference.population is not None else ""
    if difference.sequence is not None:
        where = f"{difference.population}, entry {difference.sequence}: "
    return f"{where}{difference.what} is recorded as {difference.recorded}, and should be {difference.expected}"


def _times(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _say_statement(statement: JsonObject) -> None:
    say(f"Population {statement['population']}: {statement['unit']}")
    say()
    headings = ("entry", "recorded", "contract", "rho", "balance", "why")
    rows = [entry_line(entry) for entry in statement["entries"]]
    say_table(headings, rows, right=("entry", "rho", "balance"))
    say()
    for subtotal in statement["derivation"]:
        say(f"{subtotal['contract_id']}: {subtotal['explanation']}")
    say()
    say(f"Granted:                  {loss_text(statement['granted'])}")
    say(f"Lost so far, for ever:    {loss_text(statement['lifetime'])}")
    say(f"  under this contract:    {loss_text(statement['under_contract'])}")
    say(f"Ceiling of this contract: {loss_text(statement['contract_ceiling'])}")
    say(f"Balance:                  rho {statement['balance']['rho']}")
    if statement["sealed"]:
        say("The ledger is sealed: nothing is debited until the operator has reconciled it with its witness.")
    if statement["providers_at_most"] > 1:
        say(f"One of your persons who is in the data of {statement['providers_at_most']} providers, at most:")
        say(f"  under this contract:    {loss_text(statement['unit_under_contract'])}")
        say(f"  at the ceilings:        {loss_text(statement['unit_ceiling'])}")
    say(f"One person in everything: {loss_text(statement['one_person_in_everything'])}")
    say(statement["several_providers"])


def entry_line(entry: JsonObject) -> Sequence[str]:
    """A grant raises the balance, a debit lowers it by the increment, which is nothing where a person can be in fewer
    periods than were released; a correction does what it restores."""
    granted = entry["event"].get("granted_nano", (entry["event"].get("restores") or {}).get("grant_nano"))
    change = f"+{rho_text(granted)}" if granted is not None else _less(entry["increment"])
    recorded = entry["recorded_at"][:19].replace("T", " ")
    contract = entry["contract_id"] or ""
    return (str(entry["sequence"]), recorded, contract, change, entry["balance"]["rho"], entry["explanation"])


def _less(increment: JsonObject) -> str:
    return f"-{increment['rho']}" if increment["rho_nano"] else "0"
