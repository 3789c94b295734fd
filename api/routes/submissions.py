"""Submissions: one whole period of one feed."""

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Response, jsonify

from adapters.cells.rows import from_columns, from_rows
from api.auth.guards import requires
from api.http import Blueprint
from api.schemas.submissions import ReceiptSchema, SubmissionSchema, receipt_json
from api.wiring import wiring
from contracts.cells import Columns
from contracts.parties import Caller, Scope
from contracts.source_releases import SourceRelease
from contracts.submitting import Submission
from contracts.terms import FeedTerms

blueprint = Blueprint("submissions", __name__, description="Posting periods of feeds.")


@blueprint.route("/v1/contracts/<string:contract_id>/submissions", methods=["POST"])
@requires(Scope.SUBMISSIONS_WRITE)
@blueprint.arguments(SubmissionSchema)
@blueprint.alt_response(200, schema=ReceiptSchema, description="Replayed: the receipt of the stored release.")
@blueprint.response(201, ReceiptSchema)
def submit(body: dict[str, Any], contract_id: str, caller: Caller) -> Response:
    """Post one period: it is debited, noised once, stored, and forgotten.

    A release measured at source is debited and stored as it was drawn.
    """
    submission_id = str(body["submission_id"])
    submission = Submission(submission_id, body["feed"], body["period"], body["restatement"], _posted(body))
    receipt = wiring().submitting.submit(caller, contract_id, submission)
    response = jsonify(ReceiptSchema().dump(receipt_json(receipt)))
    response.status_code = 200 if receipt.replayed else 201
    return response


def _posted(body: dict[str, Any]) -> Callable[[FeedTerms], Columns] | SourceRelease:
    if "release" in body:
        return SourceRelease(**body["release"])
    return partial(from_rows, body["rows"]) if "rows" in body else partial(from_columns, body["columns"])
