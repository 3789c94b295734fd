"""Registration of organisations and what belongs to them."""

from marshmallow import Schema, fields, validate

from api.schemas.fields import DECIMAL, SHORT, SLUG, Form, one_of, text
from contracts.drafting.losses import DEFAULT_CEILING_RHO
from contracts.parties import Role, Scope


class OrganisationSchema(Form):
    """An organisation."""

    id = text(SLUG, required=True)
    name = text(SHORT, required=True)
    role = one_of(*Role, required=True)


class OrganisationListSchema(Schema):
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


class ClientSchema(Form):
    """A client of the organisation, with its public keys."""

    id = text(SLUG, required=True)
    scopes = fields.List(one_of(*Scope), required=True, validate=validate.Length(1, 20))
    public_keys = fields.List(fields.Dict(), required=True, validate=validate.Length(1, 10))


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
