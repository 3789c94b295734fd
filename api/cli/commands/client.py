"""`parley client`."""

from pathlib import Path

import click

from api.cli.jwks import read_public_key
from api.cli.operating import checked, registering
from api.cli.output import say
from api.schemas.organisations import ClientKeysSchema, ClientRevocationSchema, ClientSchema
from contracts.parties import JsonObject, Scope

_with_public_keys = click.option(
    "--public-key",
    "key_files",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A public key, a JWK, that it proves itself with; repeat it for more, as while keys rotate.",
)
_with_jwks_url = click.option(
    "--jwks-url", metavar="URL", help="Instead of keys: the https URL at which it publishes them."
)


def _read(key_files: tuple[Path, ...]) -> list[JsonObject] | None:
    return [read_public_key(path) for path in key_files] or None


@click.group()
def client() -> None:
    """Register and revoke clients, and rotate their keys, as the operator on the database of PARLEY_DATABASE_URL."""


@client.command(
    epilog="\b\nExample:\n  parley client add sierra-app --organisation sierra \\\n"
    "    --public-key sierra-client.pub.json \\\n"
    "    --scope contracts.read,contracts.sign,submissions.write,statistics.read,ledger.read,audit.read\n"
    "  parley client add helix-app --organisation helix --scope statistics.read \\\n"
    "    --jwks-url https://helix.example/.well-known/jwks.json"
)
@click.argument("client_id", metavar="ID")
@click.option("--organisation", required=True, metavar="ID", help="For whom it acts.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    metavar="SCOPE",
    help=f"What it may do; several by commas or by repeating. One of {', '.join(Scope)}.",
)
@_with_public_keys
@_with_jwks_url
@click.option("--issuer", metavar="URL", help="Instead of keys: the external issuer whose access tokens it comes with.")
@click.option("--subject", metavar="NAME", help="With --issuer: what that issuer calls the client.")
def add(
    client_id: str,
    organisation: str,
    scopes: tuple[str, ...],
    key_files: tuple[Path, ...],
    jwks_url: str | None,
    issuer: str | None,
    subject: str | None,
) -> None:
    """Register a program that asks for access tokens on behalf of an organisation."""
    named = [scope.strip() for listed in scopes for scope in listed.split(",")]
    proof = {"jwks_url": jwks_url, "issuer": issuer, "subject": subject}
    body = checked(ClientSchema(), id=client_id, scopes=named, public_keys=_read(key_files), **proof)
    allowed = frozenset(Scope(scope) for scope in body["scopes"])
    with registering() as operator:
        keys = tuple(body.get("public_keys", ()))
        operator.add_client(organisation, body["id"], allowed, keys, jwks_url=jwks_url, issuer=issuer, subject=subject)
    say(f"Client {client_id} of {organisation} is registered with the scopes {', '.join(sorted(allowed))}.")


@client.command(
    epilog="\b\nExample, both keys until the client has the new one, and then that alone:\n"
    "  parley client rotate sierra-app --public-key old.pub.json --public-key new.pub.json\n"
    "  parley client rotate sierra-app --public-key new.pub.json"
)
@click.argument("client_id", metavar="ID")
@_with_public_keys
@_with_jwks_url
def rotate(client_id: str, key_files: tuple[Path, ...], jwks_url: str | None) -> None:
    """Replace what a client proves itself with: from now on by these keys, or those at this URL, and no others. Tokens
    that are out stay good until they expire.
    """
    body = checked(ClientKeysSchema(), public_keys=_read(key_files), jwks_url=jwks_url)
    with registering() as operator:
        changed = operator.replace_client_keys(client_id, tuple(body.get("public_keys", ())), jwks_url=jwks_url)
    now = changed.jwks_url or ", ".join(key["kid"] for key in changed.public_keys)
    say(f"Client {client_id} of {changed.organisation} proves itself with {now}.")


@client.command(epilog="\b\nExample:\n  parley client revoke sierra-app --reason 'its key was stolen'")
@click.argument("client_id", metavar="ID")
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept for ever.")
def revoke(client_id: str, reason: str) -> None:
    """Revoke a client, for ever: it gets no token, its tokens that are out stop at once, and its id and keys are never
    registered again. What it did stays on record, and in force.
    """
    body = checked(ClientRevocationSchema(), reason=reason)
    with registering() as operator:
        revoked = operator.revoke_client(client_id, body["reason"])
    say(f"Client {client_id} of {revoked.organisation} is revoked: it gets in no more.")
