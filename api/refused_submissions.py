"""A submission that was refused goes on record in its provider's own book: that it was, why in one word, and what was
asked as far as that could be read. Nothing of its cells, not even where in them the fault was."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar
from uuid import UUID

from flask import Request, g, request
from marshmallow import ValidationError, validate
from werkzeug.exceptions import HTTPException

from api.http import Blueprint, StrictParser
from api.posted_tables import is_table, read_envelope, require_no_query
from api.problems import ApiProblem, refusal_code
from api.schemas.fields import NAME, SLUG
from api.schemas.submissions import EnvelopeSchema
from api.wiring import wiring
from contracts.parties import Caller
from contracts.refusals import Refusal

View = TypeVar("View", bound=Callable[..., Any])
_PERIOD: Final = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2])|-Q[1-4])?")
_MOST_RESTATEMENTS: Final = 100
_UNREAD: Final = frozenset({"body-too-large", "request-timeout"})


class NotingParser(StrictParser):
    """Notes what a submission says it is, before a schema refuses it. Of a table, only its envelope is read."""

    def parse(self, argmap: Any, req: Request | None = None, **options: Any) -> Any:
        return super().parse(EnvelopeSchema() if is_table(req or request) else argmap, req, **options)

    def _raw_load_json(self, req: Request) -> Any:
        if is_table(req):
            posted = read_envelope(req)
        else:
            require_no_query(req)
            posted = super()._raw_load_json(req)
        g.asked = read_asked(posted)
        return posted


class SubmissionsBlueprint(Blueprint):
    """A blueprint whose refusals can be recorded."""

    ARGUMENTS_PARSER = NotingParser()


def recording_refusals(view: View) -> View:
    """Put it below the guard, which says who the caller is, and above what reads the body."""

    @wraps(view)
    def recorded(*args: Any, contract_id: str, caller: Caller, **kwargs: Any) -> Any:
        try:
            return view(*args, contract_id=contract_id, caller=caller, **kwargs)
        except (Refusal, ApiProblem, HTTPException) as error:
            known = contract_id if _passes(SLUG, contract_id) else None
            wiring().audit_books.record_refusal(caller, known, _recorded_code(error), g.get("asked", {}))
            raise

    return recorded  # type: ignore[return-value]  # the same view, recorded


def _recorded_code(error: Refusal | ApiProblem | HTTPException) -> str:
    """A body that is too large or too slow goes on record as one that cannot be read: which of these it was would tell
    of its length, for ever."""
    code = refusal_code(error)
    return "request-malformed" if code in _UNREAD else code


def read_asked(posted: Any) -> dict[str, str | int]:
    """Those names of a body that are well-formed; a cell is not."""
    if not isinstance(posted, dict):
        return {}
    return {name: posted[name] for name, is_well_formed in _WELL_FORMED.items() if is_well_formed(posted.get(name))}


def _passes(check: validate.Regexp, value: str) -> bool:
    try:
        check(value)
    except ValidationError:
        return False
    return True


def _is_uuid(value: object) -> bool:
    try:
        return isinstance(value, str) and str(UUID(value)) == value.lower()
    except ValueError:
        return False


_WELL_FORMED: Final[dict[str, Callable[[Any], bool]]] = {
    "submission_id": _is_uuid,
    "feed": lambda value: isinstance(value, str) and _passes(NAME, value),
    "period": lambda value: isinstance(value, str) and _PERIOD.fullmatch(value) is not None,
    "restatement": lambda value: type(value) is int and 0 <= value <= _MOST_RESTATEMENTS,
}
