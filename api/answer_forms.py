"""The forms in which an answer is sent: JSON, or its rows as a table, by what the client accepts.

It is one answer in each of them: its digest, in the audit and in receipts, is that of the JSON.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from flask import Request, Response, jsonify

from adapters.answers.csv_answers import answer_csv
from adapters.answers.parquet_answers import answer_parquet
from adapters.cells.media_types import CSV, PARQUET
from api.problems import ApiProblem
from contracts.parties import JsonObject
from contracts.refusals import Fault, QuestionInvalid

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Form:
    """name: what its ETag ends in; empty for the form that the digest is of. holds: which members beside rows it has
    room for."""

    media_type: str
    name: str
    content_type: str
    write: Callable[[JsonObject], str | bytes]
    holds: frozenset[str] = frozenset()


_FORMS: Final = {
    form.media_type: form
    for form in (
        Form(JSON, "", JSON, lambda answer: jsonify(answer).get_data(), frozenset({"explain", "receipt"})),
        Form(CSV, "csv", f"{CSV}; charset=utf-8; header=present", answer_csv),
        Form(PARQUET, "parquet", PARQUET, answer_parquet, frozenset({"explain"})),
    )
}


def wanted_form(request: Request) -> Form:
    """JSON for whoever accepts anything. Raises ApiProblem with the forms there are."""
    accepted = request.accept_mimetypes
    media_type = accepted.best_match(list(_FORMS)) if accepted else JSON
    if media_type is None:
        detail = f"An answer is {', '.join(_FORMS)}."
        raise ApiProblem("not-acceptable", 406, detail, available=list(_FORMS))
    return _FORMS[media_type]


def require_room(form: Form, asked: dict[str, Any]) -> None:
    """Raises QuestionInvalid for what this form would leave out in silence."""
    without = [name for name in ("explain", "receipt") if asked[name] and name not in form.holds]
    if without:
        faults = tuple(
            Fault(f"/{name}", "form_lacks_it", f"goes with {_listed(name)}, not with {form.media_type}")
            for name in without
        )
        raise QuestionInvalid("The form that you accept has no room for all that is asked.", faults=faults)


def _listed(name: str) -> str:
    return " or ".join(form.media_type for form in _FORMS.values() if name in form.holds)


def answer_response(form: Form, answer: JsonObject, digest: str) -> Response:
    """Whoever keeps an answer asks each time whether it holds still: rights end, and releases are added."""
    response = Response(form.write(answer), content_type=form.content_type)
    response.set_etag(f"{digest}.{form.name}" if form.name else digest)
    response.headers["Cache-Control"] = "private, no-cache"
    response.vary.add("Authorization")
    response.vary.add("Accept")
    return response
