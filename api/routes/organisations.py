"""The operator registers organisations and what belongs to them."""

from typing import Any, Final

from api.auth.guards import requires
from api.http import Blueprint
from api.schemas.organisations import (
    ClientRevocationSchema,
    ClientSchema,
    OrganisationListSchema,
    OrganisationSchema,
    PopulationSchema,
    RegisteredKeySchema,
    RevokedClientSchema,
    SigningKeySchema,
)
from api.wiring import wiring
from contracts.audit.acts import By
from contracts.parties import Caller, JsonObject, Role, Scope
from contracts.registering import require_operator

blueprint = Blueprint("organisations", __name__, description="Registration, by the operator.")

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
@blueprint.response(200, OrganisationListSchema)
def list_organisations(caller: Caller) -> JsonObject:
    """List the organisations registered here."""
    require_operator(caller)
    with wiring().database.reading() as stores:
        return {"organisations": stores.parties.list_organisations()}


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
@blueprint.arguments(ClientSchema)
@blueprint.response(201, ClientSchema)
def add_client(body: dict[str, Any], organisation_id: str, caller: Caller) -> JsonObject:
    """Register a client with its public keys."""
    require_operator(caller)
    scopes = frozenset(Scope(scope) for scope in body["scopes"])
    client = wiring().registering.add_client(
        organisation_id, body["id"], scopes, tuple(body["public_keys"]), By.caller(caller)
    )
    return {"id": client.id, "scopes": sorted(client.scopes), "public_keys": list(client.public_keys)}


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
