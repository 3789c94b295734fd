"""`parley contract verify`."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import click

from api.cli.files import read_json
from api.cli.jwks import read_public_key
from api.cli.output import Failure, say, say_json, say_paragraph
from contracts.parties import JsonObject
from contracts.records import ContractRecord, Signature
from contracts.terms import terms_of
from contracts.verifying_contract import NotAContract, Pins, VerifiedContract, verify_contract

EPILOG = """\b
Examples:
  parley contract show dsc-helixor-adherence --json > contract.json
  parley contract verify contract.json
  parley contract verify contract.json --key sierra=sierra-signing.pub.json --key helix=helix-signing.pub.json"""


@click.command(epilog=EPILOG)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--key",
    "pins",
    multiple=True,
    metavar="ORG=FILE",
    help="The public signing key (JWK) of an organisation, as you have it from itself; repeat it for several.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def verify(files: tuple[Path, ...], pins: tuple[str, ...], as_json: bool) -> None:
    """Check a contract with its signatures, without asking anybody.

    FILE is what `parley contract show --json` printed; several are versions of one contract. Exit code 1 when a
    document, a signature or a signer was changed, a signature is missing, or a version does not follow the one before.
    """
    try:
        found = verify_contract([read_json(file) for file in files], _read_pins(pins))
    except NotAContract as error:
        if as_json:
            say_json({"verified": False, "faults": [str(error)]})
        raise Failure(f"{', '.join(map(str, files))}: {error}.") from None
    if as_json:
        say_json(_json(found))
    else:
        _say(found)
    if found.faults:
        raise Failure("The contract is not verified:", (f"{fault}." for fault in found.faults))


def _read_pins(pins: Iterable[str]) -> Pins:
    """Several keys of one organisation, too: it may have rotated them between versions."""
    found: defaultdict[str, list[JsonObject]] = defaultdict(list)
    for pin in pins:
        organisation, equals, file = pin.partition("=")
        if not (organisation and equals and file):
            raise click.BadParameter("a key is given as ORG=FILE", param_hint="--key")
        found[organisation].append(read_public_key(Path(file)))
    return found


def _say(found: VerifiedContract) -> None:
    for record in found.versions:
        terms = terms_of(record)
        say(f"{terms.title} ({record.id}, version {record.version})")
        say(f"Digest: {record.digest} (SHA-256 of the document, computed here)")
        say(f"Term:   {terms.effective} to {terms.expires}, for {terms.purpose}")
        for signature in record.signatures:
            fault = found.failing.get((record.version, signature.organisation))
            say(_signed_text(signature, fault, pinned=signature.organisation in found.pinned))
        say()
    for warning in found.warnings:
        say_paragraph(f"Warning: {warning}.")
    if found.faults:
        return
    say("Every signature fits its document, signer and key, and nobody's is missing.")
    for unknown in found.unknown:
        say_paragraph(f"Not known from here: {unknown}.")


def _signed_text(signature: Signature, fault: str | None, *, pinned: bool) -> str:
    """A signature that fails is told as one, and first, so that nobody reads past it."""
    who = f"{signature.organisation}, by {signature.signer_name}, {signature.signer_title}"
    if fault is not None:
        return f"NOT VERIFIED: {who}: {fault}"
    whose = "the key that you gave" if pinned else f"key {signature.kid}"
    return f"Signed: {who}, on {signature.signed_at.date()}, with {whose}"


def _json(found: VerifiedContract) -> JsonObject:
    return {
        "verified": not found.faults,
        "versions": [_version_json(record, found) for record in found.versions],
        "faults": found.faults,
        "warnings": found.warnings,
        "unknown": found.unknown,
    }


def _version_json(record: ContractRecord, found: VerifiedContract) -> JsonObject:
    return {
        "id": record.id,
        "version": record.version,
        "title": terms_of(record).title,
        "digest": record.digest,
        "previous_digest": record.document.get("previous_digest"),
        "signatures": [
            {
                "organisation": signature.organisation,
                "signer_name": signature.signer_name,
                "signer_title": signature.signer_title,
                "signed_at": signature.signed_at.isoformat(),
                "kid": signature.kid,
                "key_known": signature.organisation in found.pinned,
                "key_compromised": signature.key_compromised,
            }
            for signature in record.signatures
        ],
    }
