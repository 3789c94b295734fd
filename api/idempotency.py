"""Idempotency-Key: a changing POST that is repeated under its key is done once, and answered as it was.

After draft-ietf-httpapi-idempotency-key-header-07. Every guarded POST takes a key, unless WITHOUT_KEY names it: a new
route has it without asking. The key is looked at once token and scope have passed, and before anything of the body is
understood. Only answers of success are kept: a refusal changed nothing, so the same key may try again. Where nobody can
tell what became of a request, because it died or its answer was lost, its key is never used again: better refused than
done twice.

What was asked is compared by a fingerprint, which is in the database before the body is understood. Whoever posts exact
numbers to a wrong address must not leave a digest there that could be guessed at, for deleted rows stay in the files of
a database for long. So it is an HMAC (RFC 2104) under a secret that is not in the database, made of the private key of
receipts. Every private key in the set is tried, so that keys stay good while it is replaced.
"""

import hmac
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from flask import Response, current_app, g, request
from werkzeug.exceptions import HTTPException

from adapters.database import DatabaseUnavailable
from api.problems import ApiProblem
from api.wiring import wiring
from contracts.canonical import canonical_bytes, sha256
from contracts.parties import Caller, JsonObject, Role
from contracts.ports import IdempotentRequest
from contracts.refusals import Refusal, WitnessUnavailable

KEY: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replayed"
KEPT: Final = timedelta(hours=24)
LEASE: Final = timedelta(seconds=60)
RETRY_AFTER_SECONDS: Final = 1
# Guarded POSTs on which a key means nothing, and why; there it is not even read.
WITHOUT_KEY: Final[Mapping[str, str]] = {
    "/v1/contract-previews": "A preview changes nothing.",
    "/v1/contracts/<string:contract_id>/submissions": "submission_id does it, for ever, and nothing of a body is kept.",
}
_KEPT_HEADERS: Final = ("Content-Type", "ETag", "Location")
# A string of RFC 8941 section 3.3.3 without parameters, or bare visible characters that no field value means more by.
_STRING: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])+)"')
_BARE: Final = re.compile(r"[!#-+\--:<-\[\]-~]+")
_KEY_LENGTH_MAX: Final = 255
_DESCRIPTION: Final = {
    "name": KEY,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": _KEY_LENGTH_MAX, "pattern": f"^({_STRING.pattern}|{_BARE.pattern})$"},
    "description": "A new random text, like a UUID, for each thing to be done. Repeat the request with the same one "
    "after a lost answer: within 24 hours it is done once, and answered as it was.",
}


def takes_key(method: str, rule: str) -> bool:
    """Whether a guarded route takes an Idempotency-Key."""
    return method == "POST" and rule not in WITHOUT_KEY


def once(caller: Caller, view: Callable[[], Any]) -> Any:
    """What the view answers; or, if the caller repeats a request under its key, what it answered then.

    Raises ApiProblem for a key that is malformed, in use, or was used for something else.
    """
    if request.url_rule is None or not takes_key(request.method, request.url_rule.rule) or KEY not in request.headers:
        return view()
    key, fingerprints = _key(), _fingerprints(caller)
    now = wiring().clock.now()  # the body has been read: however long that took, the lease begins here
    mine = IdempotentRequest(caller.client, key, fingerprints[0], now + LEASE, now + KEPT)
    with wiring().database.writing() as stores:
        earlier = stores.idempotency.claim(mine, now)
    if earlier is None:
        return _run(mine, view)
    if earlier.fingerprint not in fingerprints:
        raise ApiProblem(
            "idempotency-key-reused",
            422,
            "This Idempotency-Key was used for another request. Make a new one for each thing to be done.",
        )
    return _repeat(caller, earlier, now)


def tell_of(contract_id: str, version: int) -> None:
    """Called by a view whose answer holds the document of a contract version: it is kept no longer than that."""
    g.contract_told_of = (contract_id, version)


def with_keys(document: JsonObject) -> JsonObject:
    """The OpenAPI document, with the key as a parameter of each operation that takes one."""
    without = {re.sub(r"<string:(\w+)>", r"{\1}", rule) for rule in WITHOUT_KEY}
    for path, item in document["paths"].items():
        operation = item.get("post")
        if operation and operation["security"] and path not in without:
            operation["parameters"] = [*operation.get("parameters", []), dict(_DESCRIPTION)]
    return document


def _run(mine: IdempotentRequest, view: Callable[[], Any]) -> Response:
    """Do it, and keep the answer."""
    try:
        response = current_app.make_response(view())
    except (ApiProblem, HTTPException, Refusal) as refused:
        if not isinstance(refused, WitnessUnavailable):  # which may come to light once the rest is done
            _release(mine)
        raise
    if not 200 <= response.status_code < 300:
        _release(mine)
        return response
    contract_id, version = g.get("contract_told_of", (None, None))
    answered = replace(
        mine,
        status=response.status_code,
        headers={name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers},
        body=response.get_data(as_text=True),
        contract_id=contract_id,
        contract_version=version,
    )
    # What was done is done, whether or not its answer can be kept; without it the key stays taken.
    with suppress(DatabaseUnavailable), wiring().database.writing() as stores:
        stores.idempotency.answer(answered)
    return response


def _release(mine: IdempotentRequest) -> None:
    with suppress(DatabaseUnavailable), wiring().database.writing() as stores:
        stores.idempotency.release(mine)


def _repeat(caller: Caller, earlier: IdempotentRequest, now: datetime) -> Response:
    """The answer of then, if there is one and the caller may still read it."""
    if earlier.status is None and now > earlier.lease_until:
        raise ApiProblem(
            "idempotency-key-unresolved",
            409,
            "What became of the request with this Idempotency-Key cannot be told: it has no answer. Look whether it "
            "was done; if it was not, send it again with a new key.",
        )
    if earlier.status is None:
        raise ApiProblem(
            "idempotency-key-in-flight",
            409,
            "The request with this Idempotency-Key is still running; repeat it to have its answer.",
            {"Retry-After": str(RETRY_AFTER_SECONDS)},
        )
    _require_readable(caller, earlier)
    return Response(earlier.body, earlier.status, {**(earlier.headers or {}), REPLAYED: "true"})


def _require_readable(caller: Caller, earlier: IdempotentRequest) -> None:
    """Token and scope are good now; so must the caller's part in the contract be.

    Raises ContractNotFound, TokenNarrowed.
    """
    contract_id = earlier.contract_id or (request.view_args or {}).get("contract_id")
    if contract_id is not None and caller.role is not Role.OPERATOR:
        wiring().agreeing.get(caller, contract_id, earlier.contract_version)


def _key() -> str:
    value = request.headers[KEY].strip()
    string = _STRING.fullmatch(value)
    key = re.sub(r"\\(.)", r"\1", string[1]) if string else value
    if not (string or _BARE.fullmatch(value)) or len(key) > _KEY_LENGTH_MAX:
        raise ApiProblem(
            "idempotency-key-malformed",
            400,
            f"An Idempotency-Key is 1 to {_KEY_LENGTH_MAX} printable ASCII characters in double quotes, such as "
            '"8e03978e-40d5-43dd-bc93-6894a57f9324".',
        )
    return key


def _fingerprints(caller: Caller) -> list[str]:
    """Of all that decides what is asked, under each secret, today's first. The body counts as it is once expanded,
    whatever gzip made of it."""
    asked = canonical_bytes(
        {
            "method": request.method,
            "path": request.path,
            "query": request.query_string.decode("latin-1"),
            "body": sha256(request.get_data()),
            "if_match": request.headers.get("If-Match"),
            "contracts": None if caller.contracts is None else sorted(caller.contracts),
        }
    )
    return [hmac.new(secret, asked, "sha256").hexdigest() for secret in wiring().fingerprint_secrets]
