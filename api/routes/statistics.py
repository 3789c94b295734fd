"""Questions: what may be asked, the answers, and which releases they can rest on."""

from dataclasses import asdict
from typing import Any, Final

from flask import Response, jsonify, request

from api.answer_forms import answer_response, require_room, wanted_form
from api.auth.guards import public, requires
from api.auth.routes import PUBLISHED_HEADERS
from api.http import Blueprint
from api.paging import LINK, cut, page_response, refuse_cursor
from api.schemas.answers import AnswerSchema, answer_json
from api.schemas.codebook import CodebookSchema
from api.schemas.coverage import ReleasesSchema, coverage_json
from api.schemas.paging import page_query
from api.schemas.statistics import CatalogueSchema, QuestionSchema, catalogue_json
from api.wiring import wiring
from contracts.asking import Answered
from contracts.parties import Caller, JsonObject, Scope
from contracts.receipts import SIGNED, answer_digest, answer_payload
from contracts.refusals import Fault, QuestionInvalid
from contracts.statistics.codebook import codebook
from contracts.statistics.questions import Compare, Question

blueprint = Blueprint("statistics", __name__, description="Answers from stored releases.")

_RELEASES: Final = "own_releases"


@blueprint.route("/v1/contracts/<string:contract_id>/releases", methods=["GET"])
@requires(Scope.STATISTICS_READ)
@blueprint.arguments(page_query(_RELEASES, str), location="query")
@blueprint.response(200, ReleasesSchema, headers=LINK)
def list_releases(query: dict[str, Any], contract_id: str, caller: Caller) -> Response:
    """Coverage: for each feed the periods that are open to you, and the releases of your own, which come in pages."""
    feeds = wiring().asking.coverage(caller, contract_id)
    own = [release.id for feed in feeds for release in feed.own_releases]
    page, last = cut(_following(own, query["cursor"]), query["limit"])
    body = {"feeds": [coverage_json(feed, frozenset(page)) for feed in feeds]}
    return page_response(_RELEASES, ReleasesSchema, body, None if last is None else (last,))


def _following(own: list[str], cursor: tuple[str] | None) -> list[str]:
    if cursor is None:
        return own
    if cursor[0] not in own:  # also when an amendment changed the feed since
        refuse_cursor()
    return own[own.index(cursor[0]) + 1 :]


@blueprint.route("/v1/codebook", methods=["GET"])
@public("What words and columns mean is in the documentation, too.")
@blueprint.response(200, CodebookSchema)
def get_codebook() -> tuple[JsonObject, dict[str, str]]:
    """The codebook: what columns, words and figures of answers mean, and all that each statistic declares."""
    return asdict(codebook()), PUBLISHED_HEADERS


@blueprint.route("/v1/contracts/<string:contract_id>/statistics", methods=["GET"])
@requires(Scope.STATISTICS_READ)
@blueprint.response(200, CatalogueSchema)
def list_statistics(contract_id: str, caller: Caller) -> JsonObject:
    """The statistics that this contract grants you, what its feeds lack for them, and how far the grant goes."""
    return catalogue_json(wiring().asking.catalogue(caller, contract_id))


@blueprint.route("/v1/contracts/<string:contract_id>/statistics/<string:name>", methods=["GET"])
@requires(Scope.STATISTICS_READ)
@blueprint.arguments(QuestionSchema, location="query")
@blueprint.response(200, AnswerSchema)
def ask(query: dict[str, Any], contract_id: str, name: str, caller: Caller) -> Response:
    """Ask a statistic. Costs no budget; the same releases, which the answer names, give the same answer for ever.

    Its ETag is its digest, as its receipt and the audit name it. Accept text/csv or Parquet for its rows as a table.
    """
    form = wanted_form(request)
    _refuse_repeated()
    require_room(form, query)
    question = Question(
        statistic=name,
        by=_names(query.get("by")),
        periods=query.get("periods"),
        where=_filters(query.get("where")),
        confidence=query["confidence"],
        feeds=_names(query.get("feed")),
        measures=_names(query.get("measures")),
        as_of=query["as_of"],
        explain=query["explain"],
        purpose=query.get("purpose"),
        version=query.get("version"),
        of=query.get("of"),
        compare=Compare(query["compare"]) if "compare" in query else None,
        standard=query.get("standard"),
    )
    parley = wiring()
    answered = parley.asking.ask(caller, contract_id, question)
    answer: JsonObject = AnswerSchema().dump(answer_json(answered))
    digest = answer_digest(answer)
    parley.audit_books.record_answer(caller, question, answered, digest)
    if query["receipt"]:
        return jsonify(_with_receipt(caller, question, answered, answer))
    return answer_response(form, answer, digest)


def _with_receipt(caller: Caller, question: Question, answered: Answered, answer: JsonObject) -> JsonObject:
    """The answer as it is sent, and a receipt over just that. It is new each time, so it has no tag."""
    parley = wiring()
    payload = answer_payload(parley.settings.issuer, parley.clock.now(), caller, answered.record, question, answer)
    return answer | {SIGNED: parley.receipt_keys.sign(payload)}


def _refuse_repeated() -> None:
    """A parameter given twice would be read once, without a word."""
    repeated = [name for name, values in request.args.lists() if len(values) > 1]
    if repeated:
        faults = tuple(Fault(f"/{name}", "parameter_repeated", "give it once, values by commas") for name in repeated)
        raise QuestionInvalid("The question cannot be read.", faults=faults)


def _names(listed: str | None) -> tuple[str, ...]:
    """Of a parameter that is there and empty one empty name, which is refused with the names that there are."""
    return () if listed is None else tuple(name.strip() for name in listed.split(","))


def _filters(listed: str | None) -> dict[str, tuple[str, ...]]:
    """`sex:F,region:south,region:west`: all dimensions must hold, each by any of its values."""
    filters: dict[str, tuple[str, ...]] = {}
    for part in _names(listed):
        dimension, colon, value = part.partition(":")
        if not colon or not dimension:
            fault = Fault("/where", "filter_invalid", "a filter reads `dimension:value`, several by commas")
            raise QuestionInvalid("The question cannot be read.", faults=(fault,))
        filters[dimension] = (*filters.get(dimension, ()), value)
    return filters
