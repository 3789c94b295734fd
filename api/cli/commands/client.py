"""`parley client`."""

from pathlib import Path

import click

from api.cli.jwks import read_public_key
from api.cli.operating import checked, operating, registering
from api.cli.output import say, say_json, say_table
from api.cli.proof_warnings import warn_of_proof
from api.schemas.organisations import (
    ClientKeysSchema,
    ClientListSchema,
    ClientRevocationSchema,
    OAuthClientSchema,
    listed_client,
)
from contracts.parties import Client, JsonObject, Scope
from contracts.ports import Stores
from contracts.refusals import OrganisationNotFound

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
    """Register, list and revoke clients, rotate their keys: the operator, on the database of PARLEY_DATABASE_URL."""


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
    body = checked(OAuthClientSchema(), id=client_id, scopes=named, public_keys=_read(key_files), **proof)
    allowed = frozenset(Scope(scope) for scope in body["scopes"])
    with registering() as operator:
        keys = tuple(body.get("public_keys", ()))
        operator.add_client(organisation, body["id"], allowed, keys, jwks_url=jwks_url, issuer=issuer, subject=subject)
    say(f"Client {client_id} of {organisation} is registered with the scopes {', '.join(sorted(allowed))}.")
    warn_of_proof(jwks_url, issuer)


@client.command("list", epilog="\b\nExamples:\n  parley client list\n  parley client list --organisation sierra --json")
@click.option("--organisation", metavar="ID", help="Only its clients; those of all unless given.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON, with the public keys.")
def list_clients(organisation: str | None, as_json: bool) -> None:
    """List who gets in: each client, for whom, how it proves itself, and what it may do; revoked ones too."""
    with operating() as database, database.reading() as stores:
        found = [each for name in _organisations(stores, organisation) for each in stores.parties.list_clients(name)]
    if as_json:
        listed = {"clients": [*map(listed_client, found)]}
        say_json({"clients": ClientListSchema().dump(listed)["clients"]})
    elif found:
        headings = ("client", "organisation", "registered", "standing", "proves itself with", "scopes")
        say_table(headings, map(_line, found))
    else:
        say("There are none.")


@client.command(
    epilog="\b\nExample:\n"
    "  parley client rotate sierra-app --public-key old.pub.json --public-key new.pub.json\n"
    "  parley client rotate sierra-app --public-key new.pub.json"
)
@click.argument("client_id", metavar="ID")
@_with_public_keys
@_with_jwks_url
def rotate(client_id: str, key_files: tuple[Path, ...], jwks_url: str | None) -> None:
    """Replace what a client proves itself with: from now on these keys, or those at this URL, and no others. So name
    the old key beside the new one until the client has that. Tokens that are out stay good until they expire.
    """
    body = checked(ClientKeysSchema(), public_keys=_read(key_files), jwks_url=jwks_url)
    with registering() as operator:
        changed = operator.replace_client_keys(client_id, tuple(body.get("public_keys", ())), jwks_url=jwks_url)
    say(f"Client {client_id} of {changed.organisation} proves itself with {_proof(changed)}.")
    warn_of_proof(jwks_url, None)


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


def _organisations(stores: Stores, named: str | None) -> list[str]:
    """Whose clients are asked for. Raises OrganisationNotFound."""
    if named is None:
        return [organisation.id for organisation in stores.parties.list_organisations()]
    if stores.parties.find_organisation(named) is None:
        raise OrganisationNotFound("There is no organisation of this name.")
    return [named]


def _line(client: Client) -> tuple[str, ...]:
    registered = client.created_at.date().isoformat()
    scopes = ", ".join(sorted(client.scopes))
    return (client.id, client.organisation, registered, _standing(client), _proof(client), scopes)


def _proof(client: Client) -> str:
    if client.issuer is not None:
        return f"tokens of {client.issuer} for {client.subject}"
    return client.jwks_url or ", ".join(key["kid"] for key in client.public_keys)


def _standing(client: Client) -> str:
    if client.revoked_at is None:
        return "current"
    return f"revoked {client.revoked_at.date().isoformat()}: {client.revocation_reason}"
