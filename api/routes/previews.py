"""Previews of contracts: computed from the document alone, and forgotten."""

from typing import Any

from api.auth.guards import requires
from api.http import Blueprint
from api.schemas.previews import PreviewRequestSchema, PreviewSchema, preview_json
from api.wiring import wiring
from contracts.decisions import require_in_details
from contracts.parties import Caller, JsonObject, Scope
from contracts.refusals import ContractInvalid, Fault

blueprint = Blueprint("previews", __name__, description="What a contract would give and cost.")


@blueprint.route("/v1/contract-previews", methods=["POST"])
@requires(Scope.CONTRACTS_WRITE, keeps_to_contracts=True)
@blueprint.arguments(PreviewRequestSchema)
@blueprint.response(200, PreviewSchema)
def preview_contract(body: dict[str, Any], caller: Caller) -> JsonObject:
    """Preview a contract: half-widths, losses, and the smallest budget for a wanted accuracy. Nothing is stored.

    Neither organisations nor populations need be registered, and the caller need not be a party.
    """
    require_in_details(caller, body["document"]["id"])
    try:
        return preview_json(wiring().previewing.preview(body["document"], body["accuracy"]))
    except ContractInvalid as refusal:
        inside = (Fault(f"/document{f.pointer}", f.code, f.message) for f in refusal.faults)
        raise ContractInvalid(refusal.detail, faults=tuple(inside)) from None
