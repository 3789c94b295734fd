"""`parley operator`."""

import click

from api.cli.commands.lifecycle import reason_option, say_stands
from api.cli.operating import checked, suspending
from api.cli.output import say
from api.schemas.contracts import ReasonSchema, StandsSchema
from contracts.suspending import OPERATOR


@click.group()
def operator() -> None:
    """Suspend, resume and terminate contracts, discard drafts: the operator, on the database of PARLEY_DATABASE_URL."""


@operator.command(epilog="\b\nExample:\n  parley operator suspend dsc-helixor-adherence --reason 'a court order'")
@click.argument("contract_id", metavar="CONTRACT")
@reason_option
def suspend(contract_id: str, reason: str) -> None:
    """Suspend a contract: from the next request on nothing is answered or taken under it."""
    body = checked(ReasonSchema(), reason=reason)
    with suspending() as use:
        say_stands(StandsSchema().dump(use.suspend_as_operator(OPERATOR, contract_id, body["reason"])))


@operator.command(epilog="\b\nExample:\n  parley operator resume dsc-helixor-adherence --reason 'the order is lifted'")
@click.argument("contract_id", metavar="CONTRACT")
@reason_option
def resume(contract_id: str, reason: str) -> None:
    """Resume a suspended contract in place of the agreement of all parties."""
    body = checked(ReasonSchema(), reason=reason)
    with suspending() as use:
        say_stands(StandsSchema().dump(use.resume_as_operator(OPERATOR, contract_id, body["reason"])))


@operator.command(
    epilog="\b\nExample:\n  parley operator terminate dsc-helixor-adherence --reason 'a party is dissolved'"
)
@click.argument("contract_id", metavar="CONTRACT")
@reason_option
def terminate(contract_id: str, reason: str) -> None:
    """Terminate a contract, for good, in place of the agreement of all parties."""
    body = checked(ReasonSchema(), reason=reason)
    with suspending() as use:
        say_stands(StandsSchema().dump(use.terminate_as_operator(OPERATOR, contract_id, body["reason"])))


@operator.command(epilog="\b\nExample:\n  parley operator discard dsc-helixor-adherence --reason 'its drafter left'")
@click.argument("contract_id", metavar="CONTRACT")
@click.option("--reason", required=True, metavar="TEXT", help="Why. Kept for ever, and read by the drafter.")
def discard(contract_id: str, reason: str) -> None:
    """Discard a contract's draft, whoever wrote it; its drafter reads why in its audit. What was proposed stays."""
    body = checked(ReasonSchema(), reason=reason)
    with suspending() as use:
        draft = use.discard_as_operator(contract_id, body["reason"])
    say(f"The draft of {contract_id}, version {draft.version} by {draft.drafted_by}, is discarded.")
