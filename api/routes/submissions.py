"""Submissions: one whole period of one feed."""

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Response, jsonify, request

from adapters.cells.rows import from_columns, from_rows
from api.auth.guards import requires
from api.http import SUBMISSIONS_PATH
from api.posted_tables import is_table, read_table
from api.refused_submissions import SubmissionsBlueprint, recording_refusals
from api.schemas.submissions import ReceiptSchema, SubmissionSchema, receipt_json
from api.wiring import wiring
from contracts.cells import Columns
from contracts.parties import Caller, Scope
from contracts.receipts import submission_payload
from contracts.submissions.source_releases import SourceRelease
from contracts.submissions.submitting import Submission
from contracts.terms import FeedTerms

blueprint = SubmissionsBlueprint("submissions", __name__, description="Posting periods of feeds.")


@blueprint.route(SUBMISSIONS_PATH, methods=["POST"])
@requires(Scope.SUBMISSIONS_WRITE)
@recording_refusals
@blueprint.arguments(SubmissionSchema)
@blueprint.alt_response(200, schema=ReceiptSchema, description="Replayed: the receipt of the stored release.")
@blueprint.response(201, ReceiptSchema)
def submit(body: dict[str, Any], contract_id: str, caller: Caller) -> Response:
    """Post one period: it is debited, noised once, stored, and forgotten.

    A release measured at source is debited and stored as it was drawn.
    """
    submission_id = str(body["submission_id"])
    version = body.get("contract_version")
    submission = Submission(submission_id, body["feed"], body["period"], body["restatement"], _posted(body), version)
    receipt = wiring().submitting.submit(caller, contract_id, submission)
    parley = wiring()
    signed = parley.receipt_keys.sign(submission_payload(parley.settings.issuer, receipt))
    response = jsonify(ReceiptSchema().dump(receipt_json(receipt, signed)))
    response.status_code = 200 if receipt.replayed else 201
    return response


def _posted(body: dict[str, Any]) -> Callable[[FeedTerms], Columns] | SourceRelease:
    if is_table(request):
        return partial(read_table, request, wiring().settings.max_expanded_bytes)
    if "release" in body:
        return SourceRelease(**body["release"])
    return partial(from_rows, body["rows"]) if "rows" in body else partial(from_columns, body["columns"])
