"""`parley audit`."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from adapters.client.exchange import ExchangeClient
from api.cli.calling import as_client, chosen_contract, contract_argument
from api.cli.files import PRIVATE_MODE, read_json, write_new
from api.cli.output import Failure, say, say_json, say_table, tell
from api.cli.receipts import require_keys, verify_signed
from contracts.audit.chain import Broken, is_hash
from contracts.audit.records import Head
from contracts.audit.verifying import (
    EXPORT_FORMAT,
    ExportUnreadable,
    VerifiedExport,
    verify_books,
    verify_export,
)
from contracts.parties import JsonObject
from contracts.receipts import SIGNED, ReceiptKind

_PAGE: Final = 1000
_SAID_AT_MOST: Final = 20


@click.group()
def audit() -> None:
    """Read who did what, keep it, and verify that nothing of it was changed."""


def _of_book(command: Callable[..., None]) -> Callable[..., None]:
    """Which book: a contract's, or the caller's own."""

    @contract_argument
    @click.option("--own", is_flag=True, help="Your organisation's own book: registrations and refused submissions.")
    @as_client
    @wraps(command)
    def with_book(client: ExchangeClient, contract_id: str | None, own: bool, **options: Any) -> None:
        if own and contract_id is not None:
            raise click.UsageError("Name a contract, or --own.")
        command(client, None if own else chosen_contract(contract_id, otherwise=", or --own"), **options)

    return with_book


@audit.command(epilog="\b\nExamples:\n  parley audit show dsc-helixor-adherence\n  parley audit show --own")
@click.option("--json", "as_json", is_flag=True, help="Print the whole book, with hashes and commitments.")
@_of_book
def show(client: ExchangeClient, contract_id: str | None, as_json: bool) -> None:
    """Show a book: every record, and what was done where that concerns you."""
    book = _read_book(client, contract_id)
    if as_json:
        say_json(book)
        return
    say(f"Book {book['book']}, up to record {book['head']['sequence']} ({book['head']['hash']})")
    say()
    say_table(("record", "recorded", "who", "action", "subject"), map(_line, book["records"]), right=("record",))


@audit.command(epilog="\b\nExample:\n  parley audit export dsc-helixor-adherence --out audit-2026-03.json")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="A new file; standard output unless given."
)
@_of_book
def export(client: ExchangeClient, contract_id: str | None, out: Path | None) -> None:
    """Write a book to a file that `parley audit verify` takes. Keep it, or at least the hash of its head."""
    book = _read_book(client, contract_id)
    _require_sound(verify_export(book), "The exchange answered a book that does not hold.")
    if out is None:
        say_json(book)
    else:
        write_new(out, json.dumps(book, indent=2) + "\n", PRIVATE_MODE)
        tell(f"{out}: {book['book']}, up to record {book['head']['sequence']} ({book['head']['hash']})")


@audit.command(epilog="\b\nExamples:\n  parley audit verify audit-2026-03.json --since 5f1c...\n  parley audit verify")
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option("--since", metavar="HASH", help="The head that you kept of an earlier export: the book goes on from it.")
@click.option(
    "--keys",
    "keys_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Keys that `parley receipt keys` saved: the exchange signed the head of the export.",
)
def verify(file: Path | None, since: str | None, keys_file: Path | None) -> None:
    """Verify a book: no record was changed, removed, added or moved.

    With FILE, an export by itself, without any exchange. Without, it is the operator's command: every book in the
    database of PARLEY_DATABASE_URL, and whether the other tables say the same. Exit code 1 when anything is wrong.
    """
    if file is None:
        if since is not None or keys_file is not None:
            raise click.UsageError("--since and --keys go with FILE")
        _verify_database()
        return
    if since is not None and not is_hash(since):
        raise click.BadParameter("64 hexadecimal digits, the hash of a head", param_hint="--since")
    export = read_json(file, fractions=True)
    try:
        found = verify_export(export, since)
    except ExportUnreadable as error:
        raise Failure(f"{file} cannot be verified: {error}.") from None
    _require_sound(found, f"{file} does not hold.")
    if keys_file is not None:
        _require_signed(export, found.head, require_keys(read_json(keys_file), str(keys_file)))
        say("The exchange signed its head.")
    kept = ", and goes on from the head that you kept" if since else ""
    say(f"{found.head.book}: whole up to record {found.head.sequence} ({found.head.hash}){kept}")
    say(f"What was done is disclosed in {found.disclosed} of them, and is what was committed to.")


def _verify_database() -> None:
    from api.cli.operating import operating  # the server's, which a party does without

    with operating() as database:
        found = verify_books(database)
    if found.broken:
        raise Failure("The audit does not hold.", _named(found.broken))
    say(f"{found.records} records in {found.books} books: all whole, and what the other tables say.")
    say(
        "Not to be seen from here: books written anew as a whole, and last refusals or answers cut off together with "
        "their head. Whoever kept an export, or the hash of a head, sees it with --since."
    )


def _read_book(client: ExchangeClient, contract_id: str | None) -> JsonObject:
    """All of it. It may grow while it is read: then the head is that of the last page."""
    page = client.audit(contract_id, after=0, limit=_PAGE)
    records = [*page["records"]]
    while page["records"] and page["records"][-1]["sequence"] < page["head"]["sequence"]:
        page = client.audit(contract_id, after=records[-1]["sequence"], limit=_PAGE)
        records += page["records"]
    last = {name: page[name] for name in ("book", "head", SIGNED)}
    return {"format": EXPORT_FORMAT, **last, "records": records}


def _require_sound(found: VerifiedExport, message: str) -> None:
    if found.broken:
        raise Failure(message, _named(found.broken))


def _require_signed(export: JsonObject, head: Head, published: JsonObject) -> None:
    signed = export.get(SIGNED)
    if not isinstance(signed, str):
        raise Failure(f"The export has no {SIGNED}, which would prove that the exchange answered it.")
    _, payload = verify_signed(signed, published)
    if payload["kind"] != ReceiptKind.AUDIT_HEAD or any(payload[name] != value for name, value in asdict(head).items()):
        raise Failure("The exchange signed another head than that of the export.")


def _named(broken: Iterable[Broken]) -> Iterator[str]:
    """The first ones: after one record that was cut out, all that follow are wrong."""
    found = [*broken]
    for one in found[:_SAID_AT_MOST]:
        place = f", record {one.sequence}" if one.sequence is not None else ""
        yield f"{one.book}{place}: {one.what}"
    if len(found) > _SAID_AT_MOST:
        yield f"and {len(found) - _SAID_AT_MOST} more"


def _line(record: JsonObject) -> tuple[str, ...]:
    act = record["act"]
    if act is None:
        return (str(record["sequence"]), "", "another party", "not disclosed to you", "")
    who = act["organisation"] or "the operator"
    if act["client"]:
        who += f" ({act['client']})"
    recorded = act["recorded_at"][:19].replace("T", " ")
    return (str(record["sequence"]), recorded, who, act["action"].replace("_", " "), _subject(act))


def _subject(act: JsonObject) -> str:
    """Names and values; of digests and ids as much as tells them apart."""
    subject = {**act["subject"]}
    if act["contract_version"] is not None:
        subject = {"version": act["contract_version"], **subject}
    return ", ".join(f"{name} {_short(value)}" for name, value in subject.items() if value not in (None, [], {}))


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{text[:12]}..." if is_hash(text) else text
