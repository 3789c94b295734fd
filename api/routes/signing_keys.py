"""An organisation registers, lists and revokes its own signing keys."""

from typing import Any

from api.auth.guards import requires
from api.http import Blueprint
from api.schemas.signing_keys import (
    NewSigningKeySchema,
    OwnSigningKeySchema,
    RevocationSchema,
    SigningKeyListSchema,
)
from api.wiring import wiring
from contracts.parties import Caller, JsonObject, Scope

blueprint = Blueprint("signing_keys", __name__, description="The keys with which your organisation signs contracts.")


@blueprint.route("/v1/signing-keys", methods=["POST"])
@requires(Scope.KEYS_WRITE)
@blueprint.arguments(NewSigningKeySchema)
@blueprint.response(201, OwnSigningKeySchema)
def add_own_signing_key(body: dict[str, Any], caller: Caller) -> Any:
    """Register a further signing key, which a current one endorses. The operator registers the first."""
    return wiring().signing_keys.add(caller, body["public_key"], body["proof"], body["endorsement"])


@blueprint.route("/v1/signing-keys", methods=["GET"])
@requires(Scope.KEYS_WRITE)
@blueprint.response(200, SigningKeyListSchema)
def list_own_signing_keys(caller: Caller) -> JsonObject:
    """List your organisation's signing keys, revoked ones too."""
    return {"signing_keys": wiring().signing_keys.list(caller)}


@blueprint.route("/v1/signing-keys/<string:kid>/revocation", methods=["POST"])
@requires(Scope.KEYS_WRITE)
@blueprint.arguments(RevocationSchema)
@blueprint.response(200, OwnSigningKeySchema)
def revoke_own_signing_key(body: dict[str, Any], kid: str, caller: Caller) -> Any:
    """Revoke a signing key: from now on it signs nothing. Final."""
    return wiring().signing_keys.revoke(caller, kid, body["reason"], compromised=body["compromised"])
