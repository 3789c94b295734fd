"""`parley client`."""

from pathlib import Path

import click

from api.cli.jwks import read_public_key
from api.cli.operating import checked, registering
from api.cli.output import say
from api.schemas.organisations import ClientRevocationSchema, ClientSchema
from contracts.parties import Scope


@click.group()
def client() -> None:
    """Register and revoke clients, as the operator on the database of PARLEY_DATABASE_URL."""


@client.command(
    epilog="\b\nExample:\n  parley client add sierra-app --organisation sierra \\\n"
    "    --public-key sierra-client.pub.json \\\n"
    "    --scope contracts.read,contracts.sign,submissions.write,statistics.read,ledger.read,audit.read"
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
@click.option(
    "--public-key",
    "key_files",
    multiple=True,
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The public key, a JWK, that it proves itself with; repeat it to rotate keys.",
)
def add(client_id: str, organisation: str, scopes: tuple[str, ...], key_files: tuple[Path, ...]) -> None:
    """Register a program that asks for access tokens on behalf of an organisation."""
    named = [scope.strip() for listed in scopes for scope in listed.split(",")]
    keys = [read_public_key(path) for path in key_files]
    body = checked(ClientSchema(), id=client_id, scopes=named, public_keys=keys)
    allowed = frozenset(Scope(scope) for scope in body["scopes"])
    with registering() as operator:
        operator.add_client(organisation, body["id"], allowed, tuple(body["public_keys"]))
    say(f"Client {client_id} of {organisation} is registered with the scopes {', '.join(sorted(allowed))}.")


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
