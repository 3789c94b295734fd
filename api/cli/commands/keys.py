"""`parley keys`."""

import json
from pathlib import Path
from typing import Final
from urllib.parse import quote

import click

from adapters.client.exchange import ExchangeClient
from api.auth.jose import public_members
from api.auth.keys import new_private_jwk
from api.cli.calling import as_client
from api.cli.files import PRIVATE_MODE, PUBLIC_MODE, write_new
from api.cli.jwks import read_private_key, read_public_key
from api.cli.output import Failure, refusal_failure, say, say_json, say_table
from contracts.parties import JsonObject
from contracts.public_keys import signing_jwk
from contracts.refusals import RegistrationInvalid
from contracts.signing import KeyStatement, sign_key_statement

# SMART Backend Services asks clients for ES384, contracts take it too; what reads our tokens knows ES256.
_ALGORITHMS: Final = {"client": "ES384", "signing": "ES384", "token": "ES256", "receipt": "ES384"}
_NEXT: Final = {
    "client": ("The operator registers the public key: parley client add ID --public-key {}",),
    "signing": (
        "Your first: the operator registers it: parley keys add --organisation ID --public-key {}",
        "To replace one: parley keys rotate",
    ),
    "token": ("The exchange reads the private key from PARLEY_TOKEN_KEY_FILE and publishes the public one.",),
    "receipt": ("The exchange reads the private key from PARLEY_RECEIPT_KEY_FILE and publishes the public one.",),
}


@click.group()
def keys() -> None:
    """Make key pairs on your own machine; register, rotate and revoke the keys that sign contracts."""


@keys.command(epilog="\b\nExample:\n  parley keys new --use signing --out sierra-signing.json")
@click.option(
    "--use",
    type=click.Choice(list(_ALGORITHMS)),
    required=True,
    help="client: proves who calls. signing: signs contracts. token, receipt: what the exchange signs those with.",
)
@click.option(
    "--out",
    required=True,
    metavar="FILE.json",
    type=click.Path(path_type=Path),
    help="Where the private key goes; the public one goes to FILE.pub.json.",
)
def new(use: str, out: Path) -> None:
    """Make a key pair. The private key is readable by you alone, and neither shown nor sent anywhere."""
    public_file = out.with_suffix(".pub.json") if out.suffix == ".json" else out.with_name(f"{out.name}.pub.json")
    if public_file.exists():
        raise Failure(f"{public_file} exists and is not overwritten.")
    key = new_private_jwk(_ALGORITHMS[use])
    write_new(out, json.dumps(key, indent=2) + "\n", PRIVATE_MODE)
    write_new(public_file, json.dumps(public_members(key), indent=2) + "\n", PUBLIC_MODE)
    say(f"Private key: {out} (keep it)")
    say(f"Public key:  {public_file}")
    say(f"Key id:      {key['kid']}")
    for line in _NEXT[use]:
        say(line.format(public_file))


@keys.command(epilog="\b\nExample:\n  parley keys add --organisation sierra --public-key sierra-signing.pub.json")
@click.option("--organisation", required=True, metavar="ID", help="Who signs with it.")
@click.option(
    "--public-key",
    "key_file",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The public key, a JWK: EC P-384, Ed25519 or RSA.",
)
def add(organisation: str, key_file: Path) -> None:
    """Register a public key that an organisation signs contracts with, as the operator."""
    from api.cli.operating import registering  # it loads the database, which `keys new` does without

    public_key = read_public_key(key_file)
    with registering() as operator:
        registered = operator.add_signing_key(organisation, public_key)
    say(f"Signing key {registered.kid} of {organisation} is registered.")


@keys.command("list", epilog="\b\nExample:\n  parley keys list")
@click.option("--json", "as_json", is_flag=True, help="Print the whole answer, with the public keys.")
@as_client
def list_keys(client: ExchangeClient, as_json: bool) -> None:
    """List your organisation's signing keys, revoked ones too."""
    found = client.list_signing_keys()
    if as_json:
        say_json(found)
        return
    rows = [
        (key["kid"], key["created_at"][:10], key["endorsed_by"] or "the operator", _standing(key))
        for key in found["signing_keys"]
    ]
    if rows:
        say_table(("kid", "registered", "vouched for by", "standing"), rows)
    else:
        say("There are none.")


@keys.command(epilog="\b\nExample:\n  parley keys rotate --key sierra-signing.json --new-key sierra-signing-2.json")
@click.option(
    "--key",
    "key_file",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The private signing key in use, a JWK. It vouches for the new one, and stays on this machine.",
)
@click.option(
    "--new-key",
    "new_key_file",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The new private signing key, which `parley keys new` made. It stays on this machine too.",
)
@click.option("--keep-old", is_flag=True, help="Do not revoke the old key: both may sign from now on.")
@as_client
def rotate(client: ExchangeClient, key_file: Path, new_key_file: Path, keep_old: bool) -> None:
    """Register a new signing key for your organisation in the name of the old one, and revoke the old one.

    What the old key signed stays signed.
    """
    key, new_key = read_private_key(key_file), read_private_key(new_key_file)
    organisation = _organisation_of(client, key)
    registered = client.request("POST", "/v1/signing-keys", json=_further_key(organisation, key, new_key))
    say(f"Signing key {registered['kid']} of {organisation} is registered, in the name of {key['kid']}.")
    if keep_old:
        return
    _revoke(client, key["kid"], f"rotated: {registered['kid']} takes its place", compromised=False)
    say(f"Signing key {key['kid']} is revoked: it signs nothing more. What it signed stays signed.")


@keys.command(
    # A kid may begin with a hyphen.
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
    epilog="\b\nExample:\n  parley keys revoke v3kq0Zb1 --reason 'laptop of the privacy officer stolen' --compromised",
)
@click.argument("kid", metavar="KID")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stays on record.")
@click.option("--compromised", is_flag=True, help="Somebody else may have had it: contracts that it signed say so.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@as_client
def revoke(client: ExchangeClient, kid: str, reason: str, compromised: bool, yes: bool) -> None:
    """Revoke a signing key of your organisation, for ever: it signs nothing more, and is never registered again.

    What it signed before stays signed, and in force until a party suspends it. Without another current key, only the
    operator can register the next one.
    """
    if not yes and not click.confirm(f"Revoke {kid}? This is final."):
        raise Failure("Nothing is revoked.")
    _revoke(client, kid, reason, compromised=compromised)
    say(f"Signing key {kid} is revoked: it signs nothing more.")
    if compromised:
        say("Look at what it signed (parley contract list): contracts stay in force until a party suspends them.")


def _revoke(client: ExchangeClient, kid: str, reason: str, *, compromised: bool) -> None:
    body = {"reason": reason, "compromised": compromised}
    client.request("POST", f"/v1/signing-keys/{quote(kid, safe='')}/revocation", json=body)


def _organisation_of(client: ExchangeClient, key: JsonObject) -> str:
    """Whose the key is. Raises Failure."""
    for found in client.list_signing_keys()["signing_keys"]:
        if found["kid"] == key["kid"]:
            return str(found["organisation"])
    raise Failure(f"Your organisation has no signing key {key['kid']} that could vouch for another: parley keys list")


def _further_key(organisation: str, key: JsonObject, new_key: JsonObject) -> JsonObject:
    """What registers the new key: vouched for by the one, and proved by the other. Raises Failure."""
    try:
        jwk = signing_jwk(public_members(new_key), "")
    except RegistrationInvalid as refused:
        raise refusal_failure(refused) from None
    return {
        "public_key": jwk,
        "proof": sign_key_statement(KeyStatement.PROOF, organisation, jwk, new_key),
        "endorsement": sign_key_statement(KeyStatement.ENDORSEMENT, organisation, jwk, key),
    }


def _standing(key: JsonObject) -> str:
    if key["revoked_at"] is None:
        return "current"
    why = f"revoked {key['revoked_at'][:10]}: {key['revocation_reason']}"
    return f"{why} (compromised)" if key["compromised"] else why
