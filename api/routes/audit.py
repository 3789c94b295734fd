"""The audit: the book of a contract for its parties, and the caller's own."""

from typing import Any

from api.auth.guards import requires
from api.http import Blueprint
from api.schemas.audit import BookSchema, PageSchema, page_json
from api.wiring import wiring
from contracts.audit.books import Page
from contracts.parties import Caller, JsonObject, Scope
from contracts.receipts import audit_head_payload

blueprint = Blueprint("audit", __name__, description="Who did what, in books that can be verified.")


@blueprint.route("/v1/contracts/<string:contract_id>/audit", methods=["GET"])
@requires(Scope.AUDIT_READ)
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, BookSchema)
def get_contract_audit(query: dict[str, Any], contract_id: str, caller: Caller) -> JsonObject:
    """The book of a contract. Its submissions and answers are disclosed to whom they concern."""
    return _signed(wiring().audit_books.of_contract(caller, contract_id, query["after"], query["limit"]))


@blueprint.route("/v1/audit", methods=["GET"])
@requires(Scope.AUDIT_READ)
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, BookSchema)
def get_own_audit(query: dict[str, Any], caller: Caller) -> JsonObject:
    """Your organisation's own book: what was registered for it, and its submissions that were refused."""
    return _signed(wiring().audit_books.of_caller(caller, query["after"], query["limit"]))


def _signed(page: Page) -> JsonObject:
    parley, head = wiring(), page.head
    payload = audit_head_payload(parley.settings.issuer, parley.clock.now(), head.book, head.sequence, head.hash)
    return page_json(page, parley.receipt_keys.sign(payload))
