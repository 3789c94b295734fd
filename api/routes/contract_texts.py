"""Contracts for people: the readable text of a version, and what differs between two."""

from typing import Any, Final

from flask import Response, request

from adapters.rendering import WRITERS
from adapters.rendering.html import content_security_policy
from api.auth.guards import requires
from api.http import Blueprint
from api.problems import ApiProblem
from api.schemas.contracts import ContractSchema, VersionQuerySchema, contract_json
from api.schemas.differences import DifferencesQuerySchema, DifferencesSchema, differences_json
from api.wiring import wiring
from contracts.differences.comparing import compare
from contracts.parties import Caller, JsonObject, Scope
from contracts.rendering.contract import contract_page
from contracts.rendering.standing import read_standing

blueprint = Blueprint("contract_texts", __name__, description="Contracts in plain words.")

# The first is what whoever accepts anything gets.
_MEDIA_TYPES: Final = {"text/markdown": "markdown", "text/html": "html"}
_CONTENT: Final = {media_type: {"schema": {"type": "string"}} for media_type in _MEDIA_TYPES}


@blueprint.route("/v1/contracts/<string:contract_id>/text", methods=["GET"])
@requires(Scope.CONTRACTS_READ)
@blueprint.arguments(VersionQuerySchema, location="query")
@blueprint.doc(responses={"200": {"description": "The whole contract in plain words.", "content": _CONTENT}})
def get_contract_text(query: dict[str, Any], contract_id: str, caller: Caller) -> Response:
    """Read a contract in plain words, as Markdown or as one HTML page. Nothing of its document is left out."""
    view = wiring().agreeing.get(caller, contract_id, query["version"])
    accepted = request.accept_mimetypes
    media_type = accepted.best_match(list(_MEDIA_TYPES)) if accepted else next(iter(_MEDIA_TYPES))
    if media_type is None:
        raise ApiProblem("not-acceptable", 406, f"A contract's text is {' or '.join(_MEDIA_TYPES)}.")
    page = contract_page(view.record.document, read_standing(ContractSchema().dump(contract_json(view))))
    response = Response(WRITERS[_MEDIA_TYPES[media_type]](page), content_type=f"{media_type}; charset=utf-8")
    response.vary.add("Accept")
    if media_type == "text/html":
        response.headers["Content-Security-Policy"] = f"{content_security_policy()}; frame-ancestors 'none'"
    return response


@blueprint.route("/v1/contracts/<string:contract_id>/differences", methods=["GET"])
@requires(Scope.CONTRACTS_READ)
@blueprint.arguments(DifferencesQuerySchema, location="query")
@blueprint.response(200, DifferencesSchema)
def get_differences(query: dict[str, Any], contract_id: str, caller: Caller) -> JsonObject:
    """What differs between two versions of a contract, term by term, what bears on privacy first.

    A first version differs from none before it, and is compared with itself.
    """
    agreeing = wiring().agreeing
    newest = max(number for number, _ in agreeing.get(caller, contract_id).versions)
    newer = query.get("newer", newest)
    older = query.get("older", max(newer - 1, 1))
    before, after = (agreeing.get(caller, contract_id, number).record.document for number in (older, newer))
    return differences_json(compare(before, after), before, after)
