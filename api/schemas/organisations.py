"""Registration of organisations and what belongs to them."""

from marshmallow import Schema, fields, validate

from api.schemas.fields import DECIMAL, SHORT, SLUG, Form, one_of, text
from api.schemas.paging import PageSchema
from contracts.drafting.budgets import DEFAULT_CEILING_RHO
from contracts.parties import Client, JsonObject, Role, Scope
from contracts.public_keys import URL_LENGTH_MAX


class OrganisationSchema(Form):
    """An organisation."""

    id = text(SLUG, required=True)
    name = text(SHORT, required=True)
    role = one_of(*Role, required=True)


class OrganisationListSchema(PageSchema):
    organisations = fields.List(fields.Nested(OrganisationSchema), required=True)


class PopulationSchema(Form):
    """A population with its lifetime ceiling. A provider's second one needs an attestation."""

    id = text(SLUG, required=True)
    rho = text(DECIMAL, load_default=DEFAULT_CEILING_RHO)
    attestation = text(SHORT, load_default=None, allow_none=True)


class GrantSchema(Form):
    """New budget for a population."""

    rho = text(DECIMAL, required=True)
    reason = text(SHORT, required=True)


class ClientKeysSchema(Form):
    """What a client proves itself with: either its public keys, or the URL at which it publishes them."""

    public_keys = fields.List(
        fields.Dict(),
        validate=validate.Length(1, 10),
        metadata={"description": "Public JWKs (RFC 7517), each with a kid of its own."},
    )
    jwks_url = text(
        validate.Length(1, URL_LENGTH_MAX),
        metadata={"description": "https URL of its JWK set, of at most 20 keys."},
    )


class OAuthClientSchema(ClientKeysSchema):
    """A client of the organisation, and what it proves itself with: its keys, or tokens of an external issuer."""

    id = text(SLUG, required=True)
    scopes = fields.List(one_of(*Scope), required=True, validate=validate.Length(1, 20))
    issuer = text(SHORT, metadata={"description": "https URL of the external issuer: the `iss` of its tokens."})
    subject = text(SHORT, metadata={"description": "What that issuer calls the client."})


class ListedClientSchema(Schema):
    """A client as it is registered. It proves itself with its `public_keys`, those at its `jwks_url`, or tokens of its
    `issuer` for its `subject`."""

    id = fields.String(required=True)
    organisation = fields.String(required=True)
    scopes = fields.List(fields.String(), required=True)
    public_keys = fields.List(fields.Dict())
    jwks_url = fields.String()
    issuer = fields.String()
    subject = fields.String()
    created_at = fields.AwareDateTime(format="iso", required=True)
    revoked_at = fields.AwareDateTime(format="iso", required=True, allow_none=True)
    revocation_reason = fields.String(required=True, allow_none=True)


class ClientListSchema(PageSchema):
    clients = fields.List(fields.Nested(ListedClientSchema), required=True)


class ClientRevocationSchema(Form):
    """Why a client is revoked; kept for ever."""

    reason = text(SHORT, required=True)


class RevokedClientSchema(Schema):
    id = fields.String(required=True)
    organisation = fields.String(required=True)
    revoked_at = fields.AwareDateTime(required=True)
    revocation_reason = fields.String(required=True)


class SigningKeySchema(Form):
    """A public key with which the organisation signs contracts."""

    public_key = fields.Dict(required=True)


class RegisteredKeySchema(Schema):
    kid = fields.String(required=True)
    organisation = fields.String(required=True)


def proof_of(client: Client) -> JsonObject:
    """What it proves itself with."""
    if client.issuer is not None:
        return {"issuer": client.issuer, "subject": client.subject}
    if client.jwks_url is not None:
        return {"jwks_url": client.jwks_url}
    return {"public_keys": [*client.public_keys]}


def listed_client(client: Client) -> JsonObject:
    """For `ListedClientSchema`."""
    registered = ("id", "organisation", "created_at", "revoked_at", "revocation_reason")
    named = {name: getattr(client, name) for name in registered}
    return {**named, "scopes": sorted(client.scopes), **proof_of(client)}
