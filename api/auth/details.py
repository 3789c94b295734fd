"""authorization_details (RFC 9396): what narrows a token to some contracts, and to some actions on them.

They only ever take away: scopes, party and terms are asked for as always. Whether a contract exists is told at its use,
after the party check; at the token endpoint a stranger would learn of it.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from authlib.oauth2 import OAuth2Error
from marshmallow import ValidationError, fields, validate

from adapters.cells.strict_json import JsonRefused, load_strict
from api.auth.metadata import DETAILS_TYPE
from api.problems import input_faults
from api.schemas.fields import SLUG, Form, one_of, text
from contracts.parties import JsonObject, Scope

# What can be done about a contract: not what is the organisation's, or the operator's, under all of them.
ACTIONS: Final = tuple(scope for scope in Scope if scope not in (Scope.KEYS_WRITE, Scope.ORG_ADMIN))
DETAILS_MAX: Final = 50
# They travel in every request, in a header for which servers allow 8 KiB.
TEXT_LENGTH_MAX: Final = 4096


_HERE: Final = "this API alone, by the audience of its tokens"


class DetailsRefused(OAuth2Error):
    """The authorization_details are not to be understood, or not to be had (RFC 9396 section 5).

    `description` is ours, and quotes nothing of them.
    """

    error = "invalid_authorization_details"


class AuthorizationDetailSchema(Form):
    """One contract to which a token is narrowed, and what may be done about it (RFC 9396 section 2)."""

    type = one_of(DETAILS_TYPE, required=True)
    identifier = text(SLUG, required=True, metadata={"description": "Id of the contract."})
    actions = fields.List(
        one_of(*ACTIONS),
        required=True,
        validate=validate.Length(1, len(ACTIONS)),
        metadata={"description": "Scopes that the token has for this contract, each among those it is granted."},
    )
    locations = fields.List(
        fields.String(),
        validate=validate.Length(equal=1, error=_HERE),
        metadata={"description": "May be left out; this API's audience."},
    )


_MEMBERS: Final = frozenset(AuthorizationDetailSchema().fields)


def read_details(written: str, granted: frozenset[str], audience: str) -> list[JsonObject]:
    """The details of a token request, as they were asked for. Raises DetailsRefused."""
    if len(written) > TEXT_LENGTH_MAX:
        raise _refused(f"at most {TEXT_LENGTH_MAX} characters")
    try:
        asked = load_strict(written.encode())
    except JsonRefused:
        raise _refused("well-formed JSON, without a name given twice") from None
    if not isinstance(asked, list) or not 1 <= len(asked) <= DETAILS_MAX:
        raise _refused(f"a JSON array of 1 to {DETAILS_MAX} objects")
    try:
        details: list[JsonObject] = AuthorizationDetailSchema(many=True).load(asked)
    except ValidationError as error:
        raise _first_fault(error) from None
    for where, message in _misfits(details, granted, audience):
        raise _refused(message, where)
    return details


def contracts_for(details: object, action: Scope, audience: str) -> frozenset[str] | None:
    """The contracts for which a token's details allow the action; None for a token without details.

    What cannot be understood allows nothing: not every issuer's tokens come from `read_details`.
    """
    if details is None:
        return None
    if not isinstance(details, list):
        return frozenset()
    allowing = (detail for detail in details if _allows(detail, action, audience))
    return frozenset(str(detail.get("identifier")) for detail in allowing)


def _allows(detail: Any, action: Scope, audience: str) -> bool:
    if not isinstance(detail, dict) or not _MEMBERS.issuperset(detail) or detail.get("type") != DETAILS_TYPE:
        return False
    actions = detail.get("actions")
    return isinstance(actions, list) and action in actions and detail.get("locations", [audience]) == [audience]


def _misfits(details: Iterable[JsonObject], granted: frozenset[str], audience: str) -> Iterator[tuple[str, str]]:
    """What is wrong with details that are well-formed: where, and what is right."""
    named = set[str]()
    for index, detail in enumerate(details):
        if detail["identifier"] in named:
            yield f"/{index}/identifier", "each contract once, with all of its actions"
        named.add(detail["identifier"])
        if len(set(detail["actions"])) < len(detail["actions"]):
            yield f"/{index}/actions", "each action once"
        if not granted.issuperset(detail["actions"]):
            yield f"/{index}/actions", "only scopes that the token is granted"
        if detail.get("locations", [audience]) != [audience]:
            yield f"/{index}/locations", _HERE


def _first_fault(error: ValidationError) -> DetailsRefused:
    """A member that we do not know has a name of the client's, which is not repeated."""
    fault = next(iter(input_faults({"json": error.messages})))
    index, _, member = fault.pointer.strip("/").partition("/")
    known = member.partition("/")[0] in _MEMBERS
    return _refused(fault.message, f"/{index}/{member}" if known else f"/{index}")


def _refused(right: str, where: str = "") -> DetailsRefused:
    description = f"authorization_details{where}: {right}."
    return DetailsRefused(description=description)
