"""Contracts: draft, amend, edit, read, propose, sign, and the schema of each feed's cells."""

from collections.abc import Collection
from dataclasses import astuple
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from flask import Response, jsonify, request

from api.auth.guards import requires
from api.http import Blueprint
from api.idempotency import tell_of
from api.paging import LINK, cut, page_response
from api.problems import ApiProblem
from api.schemas.contract_lists import ContractListSchema, summary_json
from api.schemas.contracts import (
    ContractDocumentSchema,
    ContractSchema,
    SignatureRequestSchema,
    VersionQuerySchema,
    contract_json,
)
from api.schemas.paging import page_query
from api.wiring import wiring
from contracts.agreeing import ContractView
from contracts.decisions import get_feed, require_in_details
from contracts.feed_schemas import feed_schema
from contracts.listing import Place
from contracts.parties import Caller, JsonObject, Scope
from contracts.terms import terms_of

blueprint = Blueprint("contracts", __name__, description="Data-sharing contracts.")

_CONTRACTS: Final = "contracts"
_IF_MATCH = {"name": "If-Match", "in": "header", "required": True, "schema": {"type": "string"},
             "description": "The ETag with which the draft was read."}  # fmt: skip
_IF_MATCH_OPTIONAL = {**_IF_MATCH, "required": False}
_LOCATION: Final = {"Location": {"description": "Where this version is read (RFC 9110 section 10.2.2).",
                                "schema": {"type": "string", "format": "uri"}}}  # fmt: skip
_JSON_SCHEMA = {"application/json": {"schema": {"type": "object", "title": "FeedSchema", "additionalProperties": {}}}}


@blueprint.route("/v1/contracts", methods=["POST"])
@requires(Scope.CONTRACTS_WRITE, keeps_to_contracts=True)
@blueprint.arguments(ContractDocumentSchema)
@blueprint.response(201, ContractSchema, headers=_LOCATION)
def draft_contract(document: JsonObject, caller: Caller) -> Response:
    """Draft a contract. Only you see it until you propose it."""
    require_in_details(caller, document["id"])
    return _created(wiring().agreeing.draft(caller, document))


@blueprint.route("/v1/contracts", methods=["GET"])
@requires(Scope.CONTRACTS_READ, keeps_to_contracts=True)
@blueprint.arguments(page_query(_CONTRACTS, datetime, str, int), location="query")
@blueprint.response(200, ContractListSchema, headers=LINK)
def list_contracts(query: dict[str, Any], caller: Caller) -> Response:
    """List the contracts you drafted or are a party to, every version."""
    after = None if query["cursor"] is None else Place(*query["cursor"])
    lines, last = cut(wiring().listing.contracts(caller, after, query["limit"]), query["limit"])
    body = {"contracts": [summary_json(line) for line in lines]}
    return page_response(_CONTRACTS, ContractListSchema, body, None if last is None else astuple(last.place))


@blueprint.route("/v1/contracts/<string:contract_id>", methods=["GET"])
@requires(Scope.CONTRACTS_READ)
@blueprint.arguments(VersionQuerySchema, location="query")
@blueprint.response(200, ContractSchema)
def get_contract(query: dict[str, Any], contract_id: str, caller: Caller) -> Response:
    """Read a contract with its plan and signatures: the version in force, unless you name another."""
    return _answer(wiring().agreeing.get(caller, contract_id, query["version"]))


@blueprint.route("/v1/contracts/<string:contract_id>/versions", methods=["POST"])
@requires(Scope.CONTRACTS_WRITE)
@blueprint.arguments(ContractDocumentSchema)
@blueprint.response(201, ContractSchema, headers=_LOCATION)
def amend_contract(document: JsonObject, contract_id: str, caller: Caller) -> Response:
    """Draft the next version. The one in force stays so until all have signed the new one."""
    return _created(wiring().agreeing.amend(caller, contract_id, document))


@blueprint.route("/v1/contracts/<string:contract_id>/draft", methods=["PUT"])
@requires(Scope.CONTRACTS_WRITE)
@blueprint.doc(parameters=[_IF_MATCH])
@blueprint.arguments(ContractDocumentSchema)
@blueprint.response(200, ContractSchema)
def edit_draft(document: JsonObject, contract_id: str, caller: Caller) -> Response:
    """Put another document in place of your draft."""
    return _answer(wiring().agreeing.edit(caller, contract_id, document, _required_tags()))


@blueprint.route("/v1/contracts/<string:contract_id>/draft", methods=["DELETE"])
@requires(Scope.CONTRACTS_WRITE)
@blueprint.doc(parameters=[_IF_MATCH])
@blueprint.response(204)
def discard_draft(contract_id: str, caller: Caller) -> None:
    """Discard your draft; nothing of it is kept."""
    wiring().agreeing.discard(caller, contract_id, _required_tags())


@blueprint.route("/v1/contracts/<string:contract_id>/proposal", methods=["POST"])
@requires(Scope.CONTRACTS_WRITE)
@blueprint.doc(parameters=[_IF_MATCH_OPTIONAL])
@blueprint.response(200, ContractSchema)
def propose_contract(contract_id: str, caller: Caller) -> Response:
    """Freeze a draft: the measurement plan of each feed is computed and becomes part of what is signed."""
    return _answer(wiring().agreeing.propose(caller, contract_id, _find_tags()))


@blueprint.route("/v1/contracts/<string:contract_id>/signatures", methods=["POST"])
@requires(Scope.CONTRACTS_SIGN)
@blueprint.arguments(SignatureRequestSchema)
@blueprint.response(201, ContractSchema)
def sign_contract(body: dict[str, Any], contract_id: str, caller: Caller) -> Response:
    """Sign the newest proposed version for your organisation."""
    return _answer(wiring().agreeing.sign(caller, contract_id, body["jws"]), 201)


@blueprint.route("/v1/contracts/<string:contract_id>/feeds/<string:feed_name>/schema", methods=["GET"])
@requires(Scope.CONTRACTS_READ)
@blueprint.doc(responses={"200": {"description": "A JSON Schema (2020-12).", "content": _JSON_SCHEMA}})
def get_feed_schema(contract_id: str, feed_name: str, caller: Caller) -> JsonObject:
    """The JSON Schema of one period of a feed's cells, as it is posted."""
    record = wiring().agreeing.get(caller, contract_id).record
    return feed_schema(record.id, record.version, get_feed(terms_of(record), feed_name))


def _created(view: ContractView) -> Response:
    """The new version, and where this exchange says it is, whatever a Host header does."""
    response = _answer(view, 201)
    path = f"/v1/contracts/{quote(view.record.id)}?version={view.record.version}"
    response.headers["Location"] = wiring().settings.issuer + path
    return response


def _answer(view: ContractView, status: int = 200) -> Response:
    """The contract; a draft with its ETag, for whoever edits it next (RFC 9110 section 8.8.3)."""
    tell_of(view.record.id, view.record.version)
    response = jsonify(ContractSchema().dump(contract_json(view)))
    response.status_code = status
    if view.draft_tag is not None:
        response.set_etag(view.draft_tag)
    return response


def _find_tags() -> Collection[str] | None:
    """The tags of If-Match; None without one, or for any (`*`). Weak ones match nothing (RFC 9110 section 13.1.1)."""
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return None
    return request.if_match.as_set()


def _required_tags() -> Collection[str] | None:
    if "If-Match" not in request.headers:
        raise ApiProblem(
            "if-match-missing", 428, "Send the ETag with which you read the draft as If-Match, so that no edit is lost."
        )
    return _find_tags()
