"""What a contract comes to: its settlement statement."""

from typing import Any

from flask import Response, jsonify

from api.auth.guards import requires
from api.http import Blueprint
from api.schemas.settlements import SettlementQuerySchema, SettlementStatementSchema
from api.wiring import wiring
from contracts.parties import Caller, JsonObject, Scope
from contracts.receipts import SIGNED, answer_digest

blueprint = Blueprint("settlements", __name__, description="What a contract comes to.")


@blueprint.route("/v1/contracts/<string:contract_id>/settlement", methods=["GET"])
@requires(Scope.STATISTICS_READ)
@blueprint.arguments(SettlementQuerySchema, location="query")
@blueprint.response(200, SettlementStatementSchema)
def get_settlement(query: dict[str, Any], contract_id: str, caller: Caller) -> Response:
    """The settlement statement, signed: met, not met, or undecided, and then what the contract says.

    Once its releases are there it is the same to the last byte, whoever of the parties asks and whenever, as long as
    the contract's version stays in force.
    """
    parley = wiring()
    settled = parley.settling.state(caller, contract_id, query.get("purpose"))
    payload = settled.payload(parley.settings.issuer)
    statement: JsonObject = {name: value for name, value in payload.items() if name not in ("iss", "iat", "kind")}
    parley.audit_books.record_answer(caller, settled.question, settled.answered, answer_digest(statement))
    response = jsonify(statement | {SIGNED: parley.receipt_keys.sign(payload)})
    response.set_etag(answer_digest(statement))
    response.headers["Cache-Control"] = "private, no-cache"
    response.vary.add("Authorization")
    return response
