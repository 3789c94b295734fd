"""`parley keys`."""

import json
from pathlib import Path
from typing import Final

import click

from api.auth.jose import public_members
from api.auth.keys import new_private_jwk
from api.cli.files import PRIVATE_MODE, PUBLIC_MODE, write_new
from api.cli.jwks import read_public_key
from api.cli.output import Failure, say

# SMART Backend Services asks clients for ES384, contracts take it too; what reads our tokens knows ES256.
_ALGORITHMS: Final = {"client": "ES384", "signing": "ES384", "token": "ES256"}
_NEXT: Final = {
    "client": "The operator registers the public key: parley client add ID --public-key {}",
    "signing": "The operator registers the public key: parley keys add --organisation ID --public-key {}",
    "token": "The exchange reads the private key from PARLEY_TOKEN_KEY_FILE and publishes the public one.",
}


@click.group()
def keys() -> None:
    """Make key pairs on your own machine; as the operator, register the keys that sign contracts."""


@keys.command(epilog="\b\nExample:\n  parley keys new --use signing --out sierra-signing.json")
@click.option(
    "--use",
    type=click.Choice(list(_ALGORITHMS)),
    required=True,
    help="client: proves who calls. signing: signs contracts. token: the exchange signs access tokens.",
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
    say(_NEXT[use].format(public_file))


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
