"""The operator registers organisations and what belongs to them."""

from typing import Any, Final

from flask import Response

from api.auth.guards import requires
from api.http import Blueprint
from api.paging import LINK, cut, page_response
from api.schemas.organisations import (
    ClientKeysSchema,
    ClientListSchema,
    ClientRevocationSchema,
    OAuthClientSchema,
    OrganisationListSchema,
    OrganisationSchema,
    PopulationSchema,
    RegisteredKeySchema,
    RevokedClientSchema,
    SigningKeySchema,
    listed_client,
    proof_of,
)
from api.schemas.paging import page_query
from api.wiring import wiring
from contracts.audit.acts import By
from contracts.parties import Caller, Client, JsonObject, Role, Scope
from contracts.refusals import OrganisationNotFound
from contracts.registering import require_operator

blueprint = Blueprint("organisations", __name__, description="Registration, by the operator.")

_ORGANISATIONS: Final = "organisations"
_CLIENTS: Final = "clients"
_ID: Final = "<string:organisation_id>"


@blueprint.route("/v1/organisations", methods=["POST"])
@requires(Scope.ORG_ADMIN)
@blueprint.arguments(OrganisationSchema)
@blueprint.response(201, OrganisationSchema)
def add_organisation(body: dict[str, Any], caller: Caller) -> Any:
    """Register an organisation."""
    require_operator(caller)
    return wiring().registering.add_organisation(body["id"], body["name"], Role(body["role"]), By.caller(caller))


@blueprint.route("/v1/organisations", methods=["GET"])
@requires(Scope.ORG_ADMIN)
@blueprint.arguments(page_query(_ORGANISATIONS, str), location="query")
@blueprint.response(200, OrganisationListSchema, headers=LINK)
def list_organisations(query: dict[str, Any], caller: Caller) -> Response:
    """List the organisations registered here."""
    require_operator(caller)
    (after,) = query["cursor"] or ("",)
    with wiring().database.reading() as stores:
        found = stores.parties.list_organisations(after=after, limit=query["limit"] + 1)
    page, last = cut(found, query["limit"])
    position = None if last is None else (last.id,)
    return page_response(_ORGANISATIONS, OrganisationListSchema, {"organisations": page}, position)


@blueprint.route(f"/v1/organisations/{_ID}/populations", methods=["POST"])
@requires(Scope.ORG_ADMIN)
@blueprint.arguments(PopulationSchema)
@blueprint.response(201, PopulationSchema)
def add_population(body: dict[str, Any], organisation_id: str, caller: Caller) -> JsonObject:
    """Register a population and grant it its lifetime ceiling."""
    require_operator(caller)
    wiring().registering.add_population(
        organisation_id, body["id"], body["rho"], body["attestation"], By.caller(caller)
    )
    return body


@blueprint.route(f"/v1/organisations/{_ID}/clients", methods=["POST"])
@requires(Scope.ORG_ADMIN)
@blueprint.arguments(OAuthClientSchema)
@blueprint.response(201, OAuthClientSchema)
def add_client(body: dict[str, Any], organisation_id: str, caller: Caller) -> JsonObject:
    """Register a client, with its public keys, the URL at which it publishes them, or what an external issuer calls
    it."""
    require_operator(caller)
    scopes = frozenset(Scope(scope) for scope in body["scopes"])
    client = wiring().registering.add_client(
        organisation_id,
        body["id"],
        scopes,
        tuple(body.get("public_keys", ())),
        By.caller(caller),
        jwks_url=body.get("jwks_url"),
        issuer=body.get("issuer"),
        subject=body.get("subject"),
    )
    return _client_body(client)


@blueprint.route(f"/v1/organisations/{_ID}/clients", methods=["GET"])
@requires(Scope.ORG_ADMIN)
@blueprint.arguments(page_query(_CLIENTS, str), location="query")
@blueprint.response(200, ClientListSchema, headers=LINK)
def list_clients(query: dict[str, Any], organisation_id: str, caller: Caller) -> Response:
    """List the clients of an organisation, revoked ones too: who gets in for it, how, and to do what."""
    require_operator(caller)
    (after,) = query["cursor"] or ("",)
    with wiring().database.reading() as stores:
        if stores.parties.find_organisation(organisation_id) is None:
            raise OrganisationNotFound("There is no organisation of this name.")
        found = stores.parties.list_clients(organisation_id, after=after, limit=query["limit"] + 1)
    page, last = cut(found, query["limit"])
    position = None if last is None else (last.id,)
    return page_response(_CLIENTS, ClientListSchema, {"clients": [*map(listed_client, page)]}, position)


@blueprint.route(f"/v1/organisations/{_ID}/clients/<string:client_id>/keys", methods=["PUT"])
@requires(Scope.ORG_ADMIN)
@blueprint.arguments(ClientKeysSchema)
@blueprint.response(200, OAuthClientSchema)
def replace_client_keys(body: dict[str, Any], organisation_id: str, client_id: str, caller: Caller) -> JsonObject:
    """Replace what a client proves itself with. To rotate without a pause, keep the old key beside the new one for a
    while."""
    require_operator(caller)
    client = wiring().registering.replace_client_keys(
        client_id,
        tuple(body.get("public_keys", ())),
        By.caller(caller),
        jwks_url=body.get("jwks_url"),
        organisation_id=organisation_id,
    )
    return _client_body(client)


@blueprint.route(f"/v1/organisations/{_ID}/clients/<string:client_id>/revocation", methods=["POST"])
@requires(Scope.ORG_ADMIN)
@blueprint.arguments(ClientRevocationSchema)
@blueprint.response(200, RevokedClientSchema)
def revoke_client(body: dict[str, Any], organisation_id: str, client_id: str, caller: Caller) -> Any:
    """Revoke a client, for ever: it gets no token, and those that are out open nothing."""
    require_operator(caller)
    return wiring().registering.revoke_client(client_id, body["reason"], organisation_id, By.caller(caller))


@blueprint.route(f"/v1/organisations/{_ID}/signing-keys", methods=["POST"])
@requires(Scope.ORG_ADMIN)
@blueprint.arguments(SigningKeySchema)
@blueprint.response(201, RegisteredKeySchema)
def add_signing_key(body: dict[str, Any], organisation_id: str, caller: Caller) -> Any:
    """Register a public key with which the organisation signs contracts."""
    require_operator(caller)
    return wiring().registering.add_signing_key(organisation_id, body["public_key"], By.caller(caller))


def _client_body(client: Client) -> JsonObject:
    return {"id": client.id, "scopes": sorted(client.scopes), **proof_of(client)}
