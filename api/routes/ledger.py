"""The ledger of the caller's own population."""

from api.auth.guards import requires
from api.http import Blueprint
from api.schemas.ledger import StatementSchema, statement_json
from api.wiring import wiring
from contracts.parties import Caller, JsonObject, Scope

blueprint = Blueprint("ledger", __name__, description="Privacy loss, entry by entry.")


@blueprint.route("/v1/contracts/<string:contract_id>/ledger", methods=["GET"])
@requires(Scope.LEDGER_READ)
@blueprint.response(200, StatementSchema)
def get_ledger(contract_id: str, caller: Caller) -> JsonObject:
    """What your population was granted, has spent, and has left."""
    return statement_json(wiring().accounting.statement(caller, contract_id))
