"""What becomes of a contract after its first draft: amended, edited, discarded, suspended, resumed, terminated."""

import json
from pathlib import Path
from typing import Final

import click
import yaml

from adapters.client.exchange import ExchangeClient
from api.cli.calling import as_client
from api.cli.files import PUBLIC_MODE, read_document, write_new
from api.cli.output import Failure, say
from contracts.lifecycle import Status, Transition, require_legal
from contracts.parties import JsonObject
from contracts.refusals import TransitionIllegal
from contracts.succession import next_version

reason_option: Final = click.option(
    "--reason", required=True, metavar="TEXT", help="Why. Kept for ever, and read by all parties."
)
_population_option: Final = click.option(
    "--population", metavar="NAME", help="Instead of CONTRACT: every contract that draws on this population of yours."
)


@click.command(
    epilog="\b\nExample:\n  parley contract amend dsc-helixor-adherence --out helixor-2.yaml\n"
    "  parley contract draft helixor-2.yaml"
)
@click.argument("contract_id", metavar="CONTRACT")
@click.option(
    "--out",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A new file, .json, or YAML under any other name.",
)
@as_client
def amend(client: ExchangeClient, contract_id: str, out: Path) -> None:
    """Write the document of the next version, to be edited and drafted: as the newest one, without its plans.

    What you do not change goes on: its releases, its periods and its account. Terms that are null or the default are
    left out.
    """
    from api.cli.contract_file import in_order  # needs the schemas, which no other command here does

    newest = client.get_newest_proposed(contract_id)
    if newest is None:
        raise Failure(f"{contract_id} was never proposed: edit its draft instead.")
    _require_amendable(client, contract_id)
    document = in_order(next_version(newest["document"], newest["digest"]))
    as_json = out.suffix == ".json"
    as_yaml = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n" if as_json else as_yaml
    write_new(out, text, PUBLIC_MODE)
    say(f"{out} has version {document['version']} of {contract_id}. Edit it, then: parley contract draft {out}")


def _require_amendable(client: ExchangeClient, contract_id: str) -> None:
    """Before anybody edits a file for nothing. Raises Failure."""
    try:
        require_legal(Status(client.get_contract(contract_id)["status"]), Transition.AMEND)
    except TransitionIllegal as illegal:
        raise Failure(f"{illegal.detail} Go on under another id: parley contract new.") from None


@click.command(epilog="\b\nExample:\n  parley contract edit helixor.yaml")
@click.argument("file", type=click.Path(path_type=Path))
@as_client
def edit(client: ExchangeClient, file: Path) -> None:
    """Put the document in FILE in place of your draft of the contract that it names."""
    document = read_document(file)
    edited = client.edit(str(document.get("id", "")), document)
    say(f"Contract {edited['id']}, version {edited['version']}: the draft is what {file} says.")


@click.command(epilog="\b\nExample:\n  parley contract discard dsc-helixor-adherence")
@click.argument("contract_id", metavar="CONTRACT")
@as_client
def discard(client: ExchangeClient, contract_id: str) -> None:
    """Discard your draft; nothing of its document is kept. What was proposed stays."""
    client.discard(contract_id)
    say(f"The draft of {contract_id} is discarded.")


@click.command(
    epilog="\b\nExamples:\n  parley contract suspend dsc-helixor-adherence --reason 'a key was stolen'\n"
    "  parley contract suspend --population sierra-members --reason 'wrong cells since May'"
)
@click.argument("contract_id", metavar="[CONTRACT]", required=False)
@_population_option
@reason_option
@as_client
def suspend(client: ExchangeClient, contract_id: str | None, population: str | None, reason: str) -> None:
    """Suspend a contract, or every contract that draws on your population: from now on nothing is answered or taken."""
    _act(client, contract_id, population, "suspension", reason)


@click.command(
    epilog="\b\nExamples:\n  parley contract resume dsc-helixor-adherence --reason 'the key is revoked'\n"
    "  parley contract resume --population sierra-members --reason 'restated'"
)
@click.argument("contract_id", metavar="[CONTRACT]", required=False)
@_population_option
@reason_option
@as_client
def resume(client: ExchangeClient, contract_id: str | None, population: str | None, reason: str) -> None:
    """Agree to resume a contract, which takes all its parties; or lift your own suspension of your population."""
    _act(client, contract_id, population, "resumption", reason)


@click.command(epilog="\b\nExample:\n  parley contract terminate dsc-helixor-adherence --reason 'the study is over'")
@click.argument("contract_id", metavar="CONTRACT")
@reason_option
@as_client
def terminate(client: ExchangeClient, contract_id: str, reason: str) -> None:
    """Agree to terminate a contract, which takes all its parties and is for good."""
    _act(client, contract_id, None, "termination", reason)


COMMANDS: Final = (amend, edit, discard, suspend, resume, terminate)


def say_stands(stands: JsonObject) -> None:
    """Where a contract stands after what was done."""
    waiting = ", ".join(stands["waiting_for"])
    also = f"; still to agree: {waiting}" if waiting else ""
    say(f"Contract {stands['id']}, version {stands['version']}: {stands['status']}{also}.")


def say_population_stands(stands: JsonObject) -> None:
    holders = ", ".join(stands["suspended_by"])
    state = f"suspended everywhere, by {holders}" if holders else "not suspended"
    say(f"Population {stands['population']}: {state}.")


def _act(client: ExchangeClient, contract_id: str | None, population: str | None, what: str, reason: str) -> None:
    if (contract_id is None) == (population is None):
        raise click.UsageError("Name a CONTRACT or a --population.")
    if population is not None:
        say_population_stands(client.act_on_population(population, what, reason))
    else:
        say_stands(client.act_on_contract(str(contract_id), what, reason))
