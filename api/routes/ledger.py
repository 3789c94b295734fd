"""The ledger of the caller's own population."""

from typing import Any, Final

from flask import Response

from api.auth.guards import requires
from api.http import Blueprint
from api.paging import LINK, cut, page_response
from api.schemas.ledger import StatementSchema, statement_json
from api.schemas.paging import page_query
from api.wiring import wiring
from contracts.parties import Caller, Scope

blueprint = Blueprint("ledger", __name__, description="Privacy loss, entry by entry.")

_ENTRIES: Final = "ledger_entries"


@blueprint.route("/v1/contracts/<string:contract_id>/ledger", methods=["GET"])
@requires(Scope.LEDGER_READ)
@blueprint.arguments(page_query(_ENTRIES, int), location="query")
@blueprint.response(200, StatementSchema, headers=LINK)
def get_ledger(query: dict[str, Any], contract_id: str, caller: Caller) -> Response:
    """What your population was granted, has spent, and has left, over all entries; the entries come in pages."""
    statement = statement_json(wiring().accounting.statement(caller, contract_id))
    (after,) = query["cursor"] or (0,)
    following = [entry for entry in statement["entries"] if entry["sequence"] > after]
    page, last = cut(following, query["limit"])
    position = None if last is None else (last["sequence"],)
    return page_response(_ENTRIES, StatementSchema, statement | {"entries": page}, position)
