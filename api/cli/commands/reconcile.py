"""`parley ledger reconcile` and `parley ledger witness`: for the operator, after a backup was restored."""

import click

from api.cli.output import Failure, say
from contracts.ledger.entries import Entry
from contracts.ledger.reconciling import Gap, Reconciling, Survey
from contracts.ledger.witnessing import Head
from contracts.parties import JsonObject
from privacy.units import rho_text


@click.command(
    epilog="\b\nExamples:\n  parley ledger reconcile\n"
    "  parley ledger reconcile --yes --reason 'backup of 3 May restored after a disk failure'"
)
@click.option("--population", metavar="ID", help="Only this one; all that are sealed unless given.")
@click.option("--organisation", metavar="ID", help="Whose --population is, where the database has lost it.")
@click.option("--reason", metavar="TEXT", help="What happened and who decided it; it stays in the ledger.")
@click.option("--yes", is_flag=True, help="Do it. Without this, only what would be done is shown.")
def reconcile(population: str | None, organisation: str | None, reason: str | None, yes: bool) -> None:
    """Restore what a sealed ledger lost, from its witness, so that submissions may go on.

    The operator's command, on the database of PARLEY_DATABASE_URL and the witness of PARLEY_WITNESS. Everything that
    was ever debited and that the database lost is charged again by a correction; budgets never refill.
    """
    if yes and not reason:
        raise click.UsageError("--yes needs --reason: it stays in the ledger.")
    if organisation and not population:
        raise click.UsageError("--organisation goes with --population.")
    from api.cli.operating import reconciling  # the server's, which a party reads its ledger without

    reason = _checked(reason)
    with reconciling() as operator:
        found = operator.survey(population)
        _say_survey(found)
        if yes and reason:
            for gap in found.gaps:
                _say_corrected(gap, operator.reconcile(gap.population, reason, organisation))
        elif found.gaps:
            say("Nothing was changed. With --yes and --reason, this is reconciled.")


@click.command(
    epilog="\b\nExamples:\n  parley ledger witness\n  parley ledger witness --begin\n"
    "  parley ledger witness --begin --reason 'the upgrade ran without PARLEY_WITNESS; decided by A. Ruiz'"
)
@click.option("--begin", is_flag=True, help="Begin it with what the ledger holds now, where there is none yet.")
@click.option("--reason", metavar="TEXT", help="Why a ledger with entries has no witness; it stays in the ledger.")
def witness(begin: bool, reason: str | None) -> None:
    """Say whether the ledgers end where their witness says. Exit code 1 when one is sealed.

    The operator's command, on the database of PARLEY_DATABASE_URL and the witness of PARLEY_WITNESS.
    """
    if reason is not None and not begin:
        raise click.UsageError("--reason goes with --begin.")
    from api.cli.operating import reconciling  # the server's, which a party reads its ledger without

    reason = _checked(reason)
    with reconciling() as operator:
        if begin:
            say_begun(operator, reason)
        found = operator.survey()
    if found.gaps or found.damaged:
        _say_survey(found)
        raise Failure("Submissions wait for `parley ledger reconcile`.")
    say("Every ledger ends where its witness says.")


def say_begun(operator: Reconciling, reason: str | None) -> None:
    names = operator.begin(reason)
    say(f"The ledger's witness is begun with {', '.join(names) if names else 'no population yet'}.")


def _checked(reason: str | None) -> str | None:
    """As the API takes reasons. Raises Failure."""
    from api.cli.operating import checked
    from api.schemas.contracts import ReasonSchema

    return None if reason is None else str(checked(ReasonSchema(), reason=reason)["reason"])


def _say_survey(found: Survey) -> None:
    if found.damaged:
        say(f"The witness is damaged: {found.unreadable} of its lines cannot be read. What they said is lost: ask the")
        say("providers for receipts of releases that neither the ledger nor the witness shows.")
    for gap in found.gaps:
        witnessed = "cannot tell how it ended" if gap.unknown else f"ends with {_head(gap.witness)}"
        say(f"{gap.population}: the ledger ends with {_head(gap.ledger)}, and its witness {witnessed}.")
        if not gap.registered:
            say("  The database does not know this population: say whose it is with --population and --organisation.")
        for lost in gap.lost:
            say(f"  lost: {_lost(lost)}")
        for entry in gap.unwitnessed:
            say(f"  not witnessed: entry {entry.sequence}, a {entry.kind}")
    if not found.gaps:
        say("Every ledger ends where its witness says; there is nothing to reconcile.")


def _say_corrected(gap: Gap, corrections: list[Entry]) -> None:
    if not corrections:
        say(f"{gap.population}: nothing was left to reconcile.")
        return
    last = corrections[-1]
    raised = sum(entry.increment_nano for entry in corrections)
    say(
        f"{gap.population} is reconciled by entries {corrections[0].sequence} to {last.sequence}: its loss rose by rho "
        f"{rho_text(raised)} to {rho_text(last.spent_nano)}, of {rho_text(last.granted_nano)} granted."
    )


def _head(head: Head | None) -> str:
    return f"entry {head.sequence}, rho {rho_text(head.spent_nano)} lost" if head else "no entry"


def _lost(lost: JsonObject) -> str:
    if "grant_nano" in lost:
        return f"a grant of rho {rho_text(lost['grant_nano'])}, of {lost['recorded_at'][:19]}"
    what = f"restatement {lost['restatement']} of {lost['feed']}" if lost["restatement"] else lost["feed"]
    return (
        f"a debit of rho {rho_text(lost['charge_nano'])} for {what} {lost['period']} under {lost['contract_id']}, of "
        f"{lost['recorded_at'][:19]}"
    )
