"""The OAuth routes: how to get a token, and how to find out how."""

from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import Schema, fields
from marshmallow.validate import Equal

from adapters.client.tokens import ASSERTION_TYPE
from api.auth.details import AuthorizationDetailSchema
from api.auth.guards import public
from api.auth.metadata import (
    GRANT_TYPE,
    JWKS_PATH,
    METADATA_PATH,
    REVOCATION_PATH,
    SMART_PATH,
    TOKEN_PATH,
    server_metadata,
    smart_configuration,
)
from api.auth.revocation import RevocationEndpoint
from api.auth.token_endpoint import LIFETIME_SECONDS, TokenEndpoint
from api.auth.token_requests import FORM_TYPE
from api.wiring import wiring
from contracts.parties import JsonObject

blueprint = Blueprint("oauth", __name__, description="Access tokens: OAuth 2.0 with private_key_jwt.")

PUBLISHED_HEADERS = {"Cache-Control": "public, max-age=300"}


class TokenRequestSchema(Schema):
    """A token request (RFC 6749 4.4.2 and RFC 7523 2.2)."""

    grant_type = fields.String(required=True, validate=Equal(GRANT_TYPE))
    client_assertion_type = fields.String(required=True, validate=Equal(ASSERTION_TYPE))
    client_assertion = fields.String(
        required=True,
        metadata={"description": "Signed JWT: iss, sub, aud, exp (at most 300 s ahead), new jti."},
    )
    scope = fields.String(metadata={"description": "Scopes, by spaces; all of the client's when left out."})
    client_id = fields.String(metadata={"description": "May be left out; the assertion names the client."})
    resource = fields.String(metadata={"description": "May be left out; this API's audience (RFC 8707)."})
    authorization_details = fields.String(
        metadata={
            "description": "A JSON array of contracts to which the token is narrowed (RFC 9396).",
            "contentMediaType": "application/json",
        }
    )


class RevocationRequestSchema(Schema):
    """A revocation request (RFC 7009 2.1), authenticated as at the token endpoint."""

    token = fields.String(required=True, metadata={"description": "An access token of the client."})
    token_type_hint = fields.String(metadata={"description": "Not needed; there are only access tokens."})
    client_assertion_type = fields.String(required=True, validate=Equal(ASSERTION_TYPE))
    client_assertion = fields.String(
        required=True,
        metadata={"description": "Signed JWT, new for each request; aud may be the revocation endpoint."},
    )
    client_id = fields.String(metadata={"description": "May be left out; the assertion names the client."})


class TokenSchema(Schema):
    """An access token (RFC 6749 5.1)."""

    access_token = fields.String(required=True)
    token_type = fields.String(required=True, validate=Equal("Bearer"))
    expires_in = fields.Integer(required=True, metadata={"description": f"Seconds: {LIFETIME_SECONDS}."})
    scope = fields.String(required=True)
    authorization_details = fields.List(
        fields.Nested(AuthorizationDetailSchema), metadata={"description": "As asked for, when asked for."}
    )


class TokenProblemSchema(Schema):
    """Why a client is refused: an OAuth error (RFC 6749 5.2) and a problem document (RFC 9457) in one."""

    error = fields.String(required=True)
    error_description = fields.String(required=True)
    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)


class ServerMetadataSchema(Schema):
    """Authorization server metadata (RFC 8414)."""

    issuer = fields.String(required=True)
    token_endpoint = fields.String(required=True)
    jwks_uri = fields.String(required=True)
    scopes_supported = fields.List(fields.String(), required=True)
    response_types_supported = fields.List(fields.String(), required=True)
    grant_types_supported = fields.List(fields.String(), required=True)
    token_endpoint_auth_methods_supported = fields.List(fields.String(), required=True)
    token_endpoint_auth_signing_alg_values_supported = fields.List(fields.String(), required=True)
    revocation_endpoint = fields.String(required=True)
    revocation_endpoint_auth_methods_supported = fields.List(fields.String(), required=True)
    revocation_endpoint_auth_signing_alg_values_supported = fields.List(fields.String(), required=True)
    authorization_details_types_supported = fields.List(fields.String(), required=True)


class SmartConfigurationSchema(Schema):
    """What SMART Backend Services clients look for (SMART App Launch 2.2)."""

    token_endpoint = fields.String(required=True)
    jwks_uri = fields.String(required=True)
    scopes_supported = fields.List(fields.String(), required=True)
    response_types_supported = fields.List(fields.String(), required=True)
    grant_types_supported = fields.List(fields.String(), required=True)
    token_endpoint_auth_methods_supported = fields.List(fields.String(), required=True)
    token_endpoint_auth_signing_alg_values_supported = fields.List(fields.String(), required=True)
    revocation_endpoint = fields.String(required=True)
    capabilities = fields.List(fields.String(), required=True)
    code_challenge_methods_supported = fields.List(fields.String(), required=True)


class JwkSetSchema(Schema):
    """The public keys that sign access tokens (RFC 7517)."""

    keys = fields.List(fields.Dict(keys=fields.String()), required=True)


@blueprint.route(TOKEN_PATH, methods=["POST"])
@blueprint.doc(
    operationId="requestToken",
    requestBody={"required": True, "content": {FORM_TYPE: {"schema": TokenRequestSchema}}},
)
@blueprint.response(200, TokenSchema)
@blueprint.alt_response(400, schema=TokenProblemSchema, description="The request is refused.")
@blueprint.alt_response(401, schema=TokenProblemSchema, description="The client is not authenticated.")
@public("Clients prove who they are by a signed assertion in the request.")
def request_token() -> Response:
    """Ask for an access token of 300 seconds."""
    return TokenEndpoint(wiring()).respond(request)


@blueprint.route(REVOCATION_PATH, methods=["POST"])
@blueprint.doc(
    operationId="revokeToken",
    requestBody={"required": True, "content": {FORM_TYPE: {"schema": RevocationRequestSchema}}},
)
@blueprint.response(200, description="The token opens nothing, or never did; no body.")
@blueprint.alt_response(400, schema=TokenProblemSchema, description="The request is refused.")
@blueprint.alt_response(401, schema=TokenProblemSchema, description="The client is not authenticated.")
@public("Clients prove who they are by a signed assertion in the request.")
def revoke_token() -> Response:
    """Revoke an access token of your own, from the next request on."""
    return RevocationEndpoint(wiring()).respond(request)


@blueprint.route(METADATA_PATH)
@blueprint.doc(operationId="getServerMetadata")
@blueprint.response(200, ServerMetadataSchema)
@public("RFC 8414: clients read it before they can authenticate.")
def get_server_metadata() -> tuple[JsonObject, dict[str, str]]:
    """What this authorization server offers."""
    return server_metadata(wiring().settings.issuer), PUBLISHED_HEADERS


@blueprint.route(SMART_PATH)
@blueprint.doc(operationId="getSmartConfiguration")
@blueprint.response(200, SmartConfigurationSchema)
@public("SMART App Launch: clients read it before they can authenticate.")
def get_smart_configuration() -> tuple[JsonObject, dict[str, str]]:
    """The same for clients of SMART Backend Services."""
    return smart_configuration(wiring().settings.issuer), PUBLISHED_HEADERS


@blueprint.route(JWKS_PATH)
@blueprint.doc(operationId="getTokenKeys")
@blueprint.response(200, JwkSetSchema)
@public("The keys are public; whoever checks an access token needs them.")
def get_token_keys() -> tuple[JsonObject, dict[str, str]]:
    """The public keys that sign access tokens."""
    return wiring().token_keys.public_jwks(), PUBLISHED_HEADERS
