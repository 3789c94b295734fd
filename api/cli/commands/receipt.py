"""`parley receipt`."""

import json
from collections.abc import Iterator
from pathlib import Path

import click

from adapters.client.exchange import fetch_receipt_keys
from api.cli.calling import WHO_CALLS, calling, client_options, reaching, url_option
from api.cli.files import PUBLIC_MODE, read_json, write_new
from api.cli.output import Failure, say, say_json
from api.cli.receipts import (
    Found,
    check_answer,
    check_around,
    check_contract,
    read_receipt_file,
    require_keys,
    say_verified,
    verify_signed,
)
from contracts.ledger.reading import read_entries
from contracts.parties import JsonObject
from contracts.receipts import ReceiptKind, missing_from_ledger

EPILOG = """\b
Examples:
  parley receipt verify receipt.json --keys receipt-keys.json
  parley receipt verify receipt.json --keys receipt-keys.json --contract contract.json --ledger
  parley receipt verify answer.json --keys receipt-keys.json"""


@click.group()
def receipt() -> None:
    """Save the keys that verify receipts, and verify receipts without asking anybody."""


@receipt.command(epilog="\b\nExample:\n  parley receipt keys --out receipt-keys.json")
@click.option(
    "--out",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A new file for the keys and their issuer. Receipts can be verified with it for ever.",
)
@url_option
def keys(out: Path, url: str) -> None:
    """Save the public keys of an exchange's receipts. Needs no client; do it while you trust the connection."""
    with reaching(url):
        published = require_keys(fetch_receipt_keys(url), url)
    write_new(out, json.dumps(published, indent=2) + "\n", PUBLIC_MODE)
    say(f"The receipt keys of {published['issuer']} are in {out}:")
    for key in published["keys"]:
        say(f"  {key['kid']}")


@receipt.command(epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--keys",
    "keys_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Keys that `parley receipt keys` saved. Without it they are asked of the exchange now.",
)
@click.option(
    "--answer",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="For a bare receipt of an answer: the answer, whose digest must fit.",
)
@click.option(
    "--contract",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="What `parley contract show --json` printed: its digest and version must fit.",
)
@click.option(
    "--ledger",
    "with_ledger",
    is_flag=True,
    help="As the provider: read your own ledger, which must still hold the entry of the receipt.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was verified, or why not, as JSON.")
@client_options(required=False)
def verify(
    file: Path,
    keys_file: Path | None,
    answer: Path | None,
    contract: Path | None,
    with_ledger: bool,
    as_json: bool,
    url: str,
    client_id: str | None,
    client_key: Path | None,
) -> None:
    """Verify a receipt, and say what it proves. FILE is what `parley submit --json` printed or `parley ask --receipt`
    wrote, or the bare JWS. With --keys and without --ledger it asks nobody.

    Exit code 1 when it is not genuine, or does not fit.
    """
    if with_ledger and (client_id is None or client_key is None):
        raise click.UsageError(f"--ledger reads your own ledger. {WHO_CALLS}")
    try:
        found = read_receipt_file(file)
        kid, payload = verify_signed(found.signed, _published(keys_file, url))
        checked = [*_compared(found, payload, answer, contract)]
        if with_ledger and client_id is not None and client_key is not None:
            checked.append(_check_ledger(payload, url, client_id, client_key))
    except Failure as failure:
        if as_json:
            say_json({"verified": False, "why": failure.message})
        raise
    if as_json:
        say_json({"verified": True, "kid": kid, "receipt": payload, "checked": ["the signature", *checked]})
    else:
        say_verified(kid, payload, checked)


def _published(keys_file: Path | None, url: str) -> JsonObject:
    if keys_file is not None:
        return require_keys(read_json(keys_file), str(keys_file))
    with reaching(url):
        return require_keys(fetch_receipt_keys(url), url)


def _compared(found: Found, payload: JsonObject, answer: Path | None, contract: Path | None) -> Iterator[str]:
    if found.around is not None and payload["kind"] == ReceiptKind.AUDIT_HEAD:
        raise Failure(
            "This is an export of a book, of which the receipt signs the head alone. Verify the whole of it: "
            "parley audit verify FILE --keys RECEIPT_KEYS"
        )
    if (around := check_around(found, payload)) is not None:
        yield around
    if answer is not None:
        yield check_answer(read_json(answer, fractions=True), payload)
    if contract is not None:
        yield check_contract(read_json(contract), payload)


def _check_ledger(payload: JsonObject, url: str, client_id: str, client_key: Path) -> str:
    if payload["kind"] != ReceiptKind.SUBMISSION:
        raise Failure("Only the receipt of a submission can be compared with a ledger.")
    with calling(url, client_id, client_key) as client:
        statement = client.ledger(payload["contract_id"])
    differences = missing_from_ledger(payload, statement["population"], read_entries(statement))
    if differences:
        wrong = "The ledger is not the one that the receipt was written from: it was cut, rewound or rewritten."
        raise Failure(wrong, differences)
    return f"the ledger still charges for entry {payload['ledger']['sequence']}"
