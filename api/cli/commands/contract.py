"""`parley contract`."""

from pathlib import Path

import click

from adapters.client.exchange import ExchangeClient
from api.cli.calling import as_client, chosen_contract, contract_argument
from api.cli.commands.lifecycle import COMMANDS
from api.cli.contract_text import say_contract, say_what_is_signed
from api.cli.files import read_document
from api.cli.jwks import read_private_key
from api.cli.lazy import LazyGroup
from api.cli.output import Failure, say, say_json, say_table
from contracts.canonical import digest_of
from contracts.parties import JsonObject
from contracts.signing import sign as sign_document


@click.group(
    cls=LazyGroup,
    package="api.cli.commands",
    # They need the schemas, the plans, the pictures or the pages, which the commands below do not.
    summaries={
        "new": "Write a contract to start from.",
        "preview": "Show what a contract would give and cost, without data.",
        "render": "Write a contract in plain words, from a file.",
        "diff": "Say what differs between two contracts or versions.",
        "verify": "Check a contract with its signatures, from files.",
        "evidence": "Write one packet of evidence for a privacy officer.",
    },
)
def contract() -> None:
    """Preview, draft, sign, amend, suspend and read data-sharing contracts, most of it as a client of an exchange."""


for _command in COMMANDS:
    contract.add_command(_command)


@contract.command(epilog="\b\nExample:\n  parley contract draft helixor.yaml")
@click.argument("file", type=click.Path(path_type=Path))
@as_client
def draft(client: ExchangeClient, file: Path) -> None:
    """Draft the contract in FILE, YAML or .json. Only your organisation sees it until you propose it.

    In YAML, dates and decimals are read as text, with or without quotes.
    """
    drafted = client.draft(read_document(file))
    which = f", version {drafted['version']}," if drafted["version"] > 1 else ""
    say(f"Contract {drafted['id']}{which} is drafted. Next: parley contract propose {drafted['id']}")


@contract.command(epilog="\b\nExample:\n  parley contract propose dsc-helixor-adherence")
@click.argument("contract_id", metavar="CONTRACT")
@as_client
def propose(client: ExchangeClient, contract_id: str) -> None:
    """Freeze a draft. The measurement plan of each feed is computed and becomes part of what is signed."""
    proposed = client.propose(contract_id)
    say(f"Contract {contract_id} is proposed; its document no longer changes. Digest: {proposed['digest']}")
    say(f"Each party signs it: parley contract sign {contract_id} --key FILE --name NAME --title TITLE")


@contract.command(
    epilog="\b\nExamples:\n  parley contract show dsc-helixor-adherence\n"
    "  parley contract show dsc-helixor-adherence --format html > helixor.html"
)
@contract_argument
@click.option("--version", type=int, metavar="N", help="The one in force, or else the newest, unless given.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole answer: document, plans and signatures.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("markdown", "html")),
    help="Print all of it in plain words, written here from the document, whose digest is checked.",
)
@as_client
def show(client: ExchangeClient, contract_id: str | None, version: int | None, as_json: bool, form: str | None) -> None:
    """Show a contract: where it stands, its versions, parties, feeds and ceilings, who has signed, what was done."""
    found = client.get_contract(chosen_contract(contract_id), version)
    if form is not None:
        say_page(found, form)
    else:
        (say_json if as_json else say_contract)(found)


def say_page(found: JsonObject, form: str) -> None:
    """The whole contract in plain words."""
    from api.cli.pages import answered_contract, write_page  # needs what no other command here does

    write_page(answered_contract(found), form)


@contract.command("list", epilog="\b\nExample:\n  parley contract list")
@as_client
def list_contracts(client: ExchangeClient) -> None:
    """List the contracts that you drafted or are a party to."""
    found = client.list_contracts()["contracts"]
    rows = [(line["id"], str(line["version"]), line["status"], line["title"]) for line in found]
    if not rows:
        say("There are none.")
        return
    say_table(("contract", "version", "status", "title"), rows)


@contract.command(
    epilog="\b\nExample:\n  parley contract sign dsc-helixor-adherence --key sierra-signing.json \\\n"
    "    --name 'Ann Example' --title 'Chief Privacy Officer'"
)
@click.argument("contract_id", metavar="CONTRACT")
@click.option(
    "--key",
    "key_file",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Your organisation's private signing key, a JWK. It stays on this machine.",
)
@click.option("--name", required=True, help="Who signs. Becomes part of the signature.")
@click.option("--title", required=True, help="The signer's title. Becomes part of the signature.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@as_client
def sign(client: ExchangeClient, contract_id: str, key_file: Path, name: str, title: str, yes: bool) -> None:
    """Sign a proposed contract for your organisation, after showing what is signed and asking."""
    key = read_private_key(key_file)
    proposed = client.get_newest_proposed(contract_id) or client.get_contract(contract_id)
    document = proposed["document"]
    if proposed["digest"] != digest_of(document):
        raise Failure("The contract is not proposed, or its digest is not that of its document: nothing is signed.")
    say_what_is_signed(proposed, name, title)
    if not yes and not click.confirm("Sign it?"):
        raise Failure("Nothing is signed.")
    try:
        jws = sign_document(document, key, name, title)  # the very document shown, not one read again
    except ValueError as error:
        raise Failure(f"{key_file}: {error}.") from None
    signed = client.request("POST", f"/v1/contracts/{contract_id}/signatures", json={"jws": jws})
    waiting = ", ".join(signed["waiting_for"])
    say(f"Signed. The contract is {signed['status']}" + (f", waiting for {waiting}." if waiting else "."))
