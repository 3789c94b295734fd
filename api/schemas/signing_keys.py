"""An organisation's own signing keys."""

from marshmallow import Schema, fields, validate

from api.schemas.fields import SHORT, Form, text
from api.schemas.paging import PageSchema
from contracts.signing import MAX_JWS_LENGTH

_JWS = validate.Length(1, MAX_JWS_LENGTH)


class NewSigningKeySchema(Form):
    """A further signing key. Both statements are detached JWS over the RFC 8785 form of
    `{"organisation": ..., "public_key": ...}`, with the key as it is registered: its plain members and its `kid`."""

    public_key = fields.Dict(required=True)
    proof = fields.String(
        required=True,
        validate=_JWS,
        metadata={"description": "By the new key itself; `typ` is `parley-key-proof+jws`."},
    )
    endorsement = fields.String(
        load_default=None,
        validate=_JWS,
        metadata={"description": "By a current key; `typ` is `parley-key-endorsement+jws`. Needed."},
    )


class RevocationSchema(Form):
    """That a key signs nothing more, and why."""

    reason = text(SHORT, required=True)
    compromised = fields.Boolean(truthy={True}, falsy={False}, required=True)


class OwnSigningKeySchema(Schema):
    """A signing key, current or revoked."""

    kid = fields.String(required=True)
    organisation = fields.String(required=True)
    public_key = fields.Dict(required=True)
    created_at = fields.AwareDateTime(format="iso", required=True)
    endorsed_by = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Kid of the key that vouched for it; null: the operator."},
    )
    revoked_at = fields.AwareDateTime(format="iso", required=True, allow_none=True)
    revocation_reason = fields.String(required=True, allow_none=True)
    compromised = fields.Boolean(required=True)


class SigningKeyListSchema(PageSchema):
    signing_keys = fields.List(fields.Nested(OwnSigningKeySchema), required=True)
