"""An organisation registers, lists and revokes its own signing keys."""

from datetime import datetime
from typing import Any, Final

from flask import Response

from api.auth.guards import requires
from api.http import Blueprint
from api.paging import LINK, cut, page_response
from api.schemas.paging import page_query
from api.schemas.signing_keys import (
    NewSigningKeySchema,
    OwnSigningKeySchema,
    RevocationSchema,
    SigningKeyListSchema,
)
from api.wiring import wiring
from contracts.parties import Caller, Scope

blueprint = Blueprint("signing_keys", __name__, description="The keys with which your organisation signs contracts.")

_KEYS: Final = "signing_keys"


@blueprint.route("/v1/signing-keys", methods=["POST"])
@requires(Scope.KEYS_WRITE)
@blueprint.arguments(NewSigningKeySchema)
@blueprint.response(201, OwnSigningKeySchema)
def add_own_signing_key(body: dict[str, Any], caller: Caller) -> Any:
    """Register a further signing key, which a current one endorses. The operator registers the first."""
    return wiring().signing_keys.add(caller, body["public_key"], body["proof"], body["endorsement"])


@blueprint.route("/v1/signing-keys", methods=["GET"])
@requires(Scope.KEYS_WRITE)
@blueprint.arguments(page_query(_KEYS, datetime, str), location="query")
@blueprint.response(200, SigningKeyListSchema, headers=LINK)
def list_own_signing_keys(query: dict[str, Any], caller: Caller) -> Response:
    """List your organisation's signing keys, revoked ones too."""
    page, last = cut(wiring().signing_keys.list(caller, query["cursor"], query["limit"]), query["limit"])
    position = None if last is None else (last.created_at, last.kid)
    return page_response(_KEYS, SigningKeyListSchema, {"signing_keys": page}, position)


@blueprint.route("/v1/signing-keys/<string:kid>/revocation", methods=["POST"])
@requires(Scope.KEYS_WRITE)
@blueprint.arguments(RevocationSchema)
@blueprint.response(200, OwnSigningKeySchema)
def revoke_own_signing_key(body: dict[str, Any], kid: str, caller: Caller) -> Any:
    """Revoke a signing key: from now on it signs nothing. Final."""
    return wiring().signing_keys.revoke(caller, kid, body["reason"], compromised=body["compromised"])
