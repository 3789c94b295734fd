"""Contracts: draft, read, propose, sign, and the schema of each feed's cells."""

from typing import Any

from api.auth.guards import requires
from api.http import Blueprint
from api.schemas.contracts import (
    ContractDocumentSchema,
    ContractListSchema,
    ContractSchema,
    SignatureRequestSchema,
    contract_json,
    summary_json,
)
from api.wiring import wiring
from contracts.decisions import get_feed
from contracts.feed_schemas import feed_schema
from contracts.parties import Caller, JsonObject, Scope
from contracts.terms import terms_of

blueprint = Blueprint("contracts", __name__, description="Data-sharing contracts.")


@blueprint.route("/v1/contracts", methods=["POST"])
@requires(Scope.CONTRACTS_WRITE)
@blueprint.arguments(ContractDocumentSchema)
@blueprint.response(201, ContractSchema)
def draft_contract(document: JsonObject, caller: Caller) -> JsonObject:
    """Draft a contract. Only you see it until you propose it."""
    return contract_json(wiring().agreeing.draft(caller, document))


@blueprint.route("/v1/contracts", methods=["GET"])
@requires(Scope.CONTRACTS_READ)
@blueprint.response(200, ContractListSchema)
def list_contracts(caller: Caller) -> JsonObject:
    """List the contracts you drafted or are a party to."""
    return {"contracts": [summary_json(view) for view in wiring().agreeing.list(caller)]}


@blueprint.route("/v1/contracts/<string:contract_id>", methods=["GET"])
@requires(Scope.CONTRACTS_READ)
@blueprint.response(200, ContractSchema)
def get_contract(contract_id: str, caller: Caller) -> JsonObject:
    """Read a contract with its plan and signatures."""
    return contract_json(wiring().agreeing.get(caller, contract_id))


@blueprint.route("/v1/contracts/<string:contract_id>/proposal", methods=["POST"])
@requires(Scope.CONTRACTS_WRITE)
@blueprint.response(200, ContractSchema)
def propose_contract(contract_id: str, caller: Caller) -> JsonObject:
    """Freeze a draft: the measurement plan of each feed is computed and becomes part of what is signed."""
    return contract_json(wiring().agreeing.propose(caller, contract_id))


@blueprint.route("/v1/contracts/<string:contract_id>/signatures", methods=["POST"])
@requires(Scope.CONTRACTS_SIGN)
@blueprint.arguments(SignatureRequestSchema)
@blueprint.response(201, ContractSchema)
def sign_contract(body: dict[str, Any], contract_id: str, caller: Caller) -> JsonObject:
    """Sign a proposed contract for your organisation."""
    return contract_json(wiring().agreeing.sign(caller, contract_id, body["jws"]))


@blueprint.route("/v1/contracts/<string:contract_id>/feeds/<string:feed_name>/schema", methods=["GET"])
@requires(Scope.CONTRACTS_READ)
@blueprint.response(200, description="JSON Schema (2020-12)")
def get_feed_schema(contract_id: str, feed_name: str, caller: Caller) -> JsonObject:
    """The JSON Schema of one period of a feed's cells, as it is posted."""
    record = wiring().agreeing.get(caller, contract_id).record
    return feed_schema(record.id, record.version, get_feed(terms_of(record), feed_name))
