"""gzip both ways, and answers that a client may keep: what is unchanged is not sent again."""

import gzip
import json
import tracemalloc
from typing import Any

import pytest
from werkzeug.test import TestResponse

from api.encodings import SMALLEST_BYTES
from contracts.receipts import answer_digest
from tests.http.answers import FILLS, post
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import BRAND, CONTRACT, SmallExchange, fills, small_contract

LIMIT = 300_000
SUBMISSIONS = f"/v1/contracts/{CONTRACT}/submissions"
ANSWER = f"/v1/contracts/{CONTRACT}/statistics/counts?feed=fills&by=region,sex"
GZIP = {"Accept-Encoding": "gzip"}


@pytest.fixture
def strict(migrated_sqlite_url: str) -> SmallExchange:
    changes = {"PARLEY_MAX_BODY_BYTES": str(LIMIT)}
    return SmallExchange(migrated_sqlite_url, template="agreed", settings_changes=changes)


@pytest.fixture
def answering(agreed: SmallExchange) -> SmallExchange:
    """The small contract in force, and fills of January posted."""
    post(agreed, "fills", {key: rows for key, rows in FILLS.items() if key[1] == "2025-01"})
    return agreed


def send(small: SmallExchange, body: bytes, encoding: str | None = "gzip", path: str = SUBMISSIONS) -> TestResponse:
    headers = small.headers("blueridge") | ({} if encoding is None else {"Content-Encoding": encoding})
    return small.app.test_client().post(path, data=body, headers=headers, content_type="application/json")


def read(small: SmallExchange, path: str, method: str = "GET", **headers: str) -> TestResponse:
    sent = small.headers(BRAND) | {name.replace("_", "-"): value for name, value in headers.items()}
    return small.app.test_client().open(path, method=method, headers=sent)


def packed(body: Any) -> bytes:
    return gzip.compress(json.dumps(body).encode())


# --- bodies


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", " gzip "])
def test_a_submission_may_come_by_gzip(strict: SmallExchange, encoding: str) -> None:
    body = fills()

    posted = send(strict, packed(body), encoding)
    again = send(strict, json.dumps(body).encode(), None)

    assert (posted.status_code, again.status_code) == (201, 200)
    assert again.get_json()["release_id"] == posted.get_json()["release_id"]
    assert "Content-Encoding" not in posted.headers


def test_a_contract_may_come_by_gzip(strict: SmallExchange) -> None:
    headers = strict.headers(BRAND) | {"Content-Encoding": "gzip"}
    body = packed(small_contract(id="dsc-packed"))

    drafted = strict.app.test_client().post(
        "/v1/contracts", data=body, headers=headers, content_type="application/json"
    )

    assert drafted.status_code == 201, drafted.get_json()


WHOLE = packed(fills())
BROKEN = {
    "truncated": WHOLE[:-1],
    "half": WHOLE[: len(WHOLE) // 2],
    "a head": WHOLE[:10],
    "nothing": b"",
    "trailing garbage": WHOLE + b"x",
    "a second member": WHOLE + gzip.compress(b""),
    "a million empty members": gzip.compress(b"") * 10_000,
    "twice gzip": gzip.compress(WHOLE),
    "a wrong checksum": WHOLE[:-8] + bytes(4) + WHOLE[-4:],
    "a wrong length": WHOLE[:-4] + bytes(4),
    "zlib": b"x\x9c" + WHOLE[10:],
    "no gzip": json.dumps(fills()).encode(),
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_a_body_that_is_not_one_whole_gzip_member_of_json_is_refused(strict: SmallExchange, body: bytes) -> None:
    before = strict.traces()

    assert_problem(send(strict, body), 400, "request-malformed")
    assert strict.traces() == before


@pytest.mark.parametrize(
    "encoding", ["br", "deflate", "compress", "gzip, gzip", "gzip, zstd", "gzip, identity", "gzip;q=1", ""]
)
def test_other_encodings_are_refused_with_those_that_are_taken(strict: SmallExchange, encoding: str) -> None:
    refused = send(strict, WHOLE, encoding)

    assert_problem(refused, 415, "media-type-unsupported")
    assert refused.headers["Accept-Encoding"] == "gzip, zstd"


def test_a_token_request_takes_none(strict: SmallExchange) -> None:
    form = {"content_type": "application/x-www-form-urlencoded", "headers": {"Content-Encoding": "gzip"}}
    refused = strict.app.test_client().post("/oauth/token", data=gzip.compress(b"grant_type=x"), **form)

    assert refused.status_code == 415
    assert refused.headers["Accept-Encoding"] == "identity"


def padded(length: int) -> bytes:
    """A good submission of so many bytes."""
    body = json.dumps(fills()).encode()
    return body + b" " * (length - len(body))


def test_the_limit_is_that_of_the_expanded_body_to_the_byte(strict: SmallExchange) -> None:
    assert_problem(send(strict, gzip.compress(padded(LIMIT + 1))), 413, "body-too-large")
    assert send(strict, gzip.compress(padded(LIMIT))).status_code == 201


@pytest.mark.slow
def test_a_bomb_never_goes_off(strict: SmallExchange) -> None:
    """A gibibyte of zeros in a mebibyte would be one, too; this one is quicker to make."""
    bomb = gzip.compress(bytes(200_000_000), compresslevel=9)
    assert len(bomb) < LIMIT
    token = strict.headers("blueridge")
    tracemalloc.start()
    try:
        refused = strict.app.test_client().post(
            SUBMISSIONS, data=bomb, headers=token | {"Content-Encoding": "gzip"}, content_type="application/json"
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert_problem(refused, 413, "body-too-large")
    assert peak < 20 * LIMIT


def test_a_nest_of_json_in_a_small_body_is_refused_too(strict: SmallExchange) -> None:
    assert_problem(send(strict, gzip.compress(b"[" * 200_000)), 400, "request-malformed")
    assert_problem(send(strict, gzip.compress(b'{"feed": "\xff"}')), 400, "request-malformed")


# --- answers by gzip


def test_a_large_answer_comes_by_gzip_to_whoever_accepts_it(answering: SmallExchange) -> None:
    plain = read(answering, ANSWER)
    small = read(answering, ANSWER, **GZIP)

    assert len(plain.get_data()) > SMALLEST_BYTES
    assert "Content-Encoding" not in plain.headers
    assert small.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(small.get_data()) == plain.get_data()
    assert int(small.headers["Content-Length"]) == len(small.get_data()) < len(plain.get_data())
    for answered in (plain, small):
        assert {"Accept-Encoding", "Authorization"} <= {name.strip() for name in answered.headers["Vary"].split(",")}


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "identity;q=1, gzip;q=0.5"])
def test_whoever_does_not_want_gzip_gets_none(answering: SmallExchange, accepted: str) -> None:
    assert "Content-Encoding" not in read(answering, ANSWER, Accept_Encoding=accepted).headers


def test_what_is_small_or_answers_a_post_stays_as_it_is(answering: SmallExchange) -> None:
    assert "Content-Encoding" not in read(answering, "/healthz", **GZIP).headers
    headers = answering.headers("blueridge") | GZIP
    receipt = answering.app.test_client().post(SUBMISSIONS, json=fills("2025-05"), headers=headers)
    assert receipt.status_code == 201
    assert "Content-Encoding" not in receipt.headers
    refused = answering.app.test_client().post(SUBMISSIONS, json=fills("2025-06", rows=[{}] * 4), headers=headers)
    assert len(refused.get_data()) > SMALLEST_BYTES
    assert "Content-Encoding" not in refused.headers


# --- answers that may be kept


def test_an_unchanged_answer_is_not_sent_again(answering: SmallExchange) -> None:
    first = read(answering, ANSWER)
    tag = first.headers["ETag"]

    again = read(answering, ANSWER, If_None_Match=tag)

    assert tag == f'"{answer_digest(first.get_json())}"'
    assert (again.status_code, again.get_data()) == (304, b"")
    for name in ("ETag", "Cache-Control", "Vary"):
        assert again.headers[name] == first.headers[name]
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert "Content-Type" not in again.headers
    assert again.headers["X-Content-Type-Options"] == "nosniff"


def test_it_is_audited_as_answered_all_the_same(answering: SmallExchange) -> None:
    tag = read(answering, ANSWER).headers["ETag"]
    before = answers_on_record(answering)

    assert read(answering, ANSWER, If_None_Match=tag).status_code == 304

    assert answers_on_record(answering) == before + 1


def answers_on_record(small: SmallExchange) -> int:
    return str(small.get(BRAND, f"/v1/contracts/{CONTRACT}/audit").get_json()).count("answer_sha256")


@pytest.mark.parametrize("form", ["W/{tag}", '"other", {tag}', "*"])
def test_tags_are_compared_as_the_protocol_says(answering: SmallExchange, form: str) -> None:
    tag = read(answering, ANSWER).headers["ETag"]

    assert read(answering, ANSWER, If_None_Match=form.format(tag=tag)).status_code == 304
    assert read(answering, ANSWER, If_None_Match='"other"').status_code == 200


def test_each_representation_has_a_tag_of_its_own(answering: SmallExchange) -> None:
    plain, small = (read(answering, ANSWER, **accept).headers["ETag"] for accept in ({}, GZIP))

    assert plain != small
    assert read(answering, ANSWER, If_None_Match=small, **GZIP).status_code == 304
    assert read(answering, ANSWER, If_None_Match=plain, **GZIP).status_code == 200
    assert read(answering, ANSWER, If_None_Match=small).status_code == 200


def test_a_new_release_changes_the_tag(answering: SmallExchange) -> None:
    tag = read(answering, ANSWER).headers["ETag"]
    for name in ("blueridge", "lakeshore", "sierra"):
        assert answering.submit(name, fills("2025-05")).status_code == 201

    changed = read(answering, ANSWER, If_None_Match=tag)

    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


def test_a_tag_opens_nothing(answering: SmallExchange) -> None:
    tag = read(answering, ANSWER).headers["ETag"]
    http = answering.app.test_client()

    assert http.get(ANSWER, headers={"If-None-Match": tag}).status_code == 401
    stranger = answering.headers("foreigner") | {"If-None-Match": tag}
    assert_problem(http.get(ANSWER, headers=stranger), 404, "contract-not-found")


def test_an_answer_with_a_receipt_is_new_each_time(answering: SmallExchange) -> None:
    answered = read(answering, f"{ANSWER}&receipt=true", If_None_Match="*")

    assert answered.status_code == 200
    assert "ETag" not in answered.headers
    assert answered.headers["Cache-Control"] == "no-store"


PUBLISHED = (
    "/openapi.yaml",
    "/docs",
    "/docs/openapi.json",
    "/docs/swagger-ui-bundle.js",
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
    "/.well-known/parley-receipt-keys.json",
    "/.well-known/smart-configuration",
)


@pytest.mark.slow
@pytest.mark.parametrize("accept", [{}, GZIP], ids=["plain", "gzip"])
@pytest.mark.parametrize("path", PUBLISHED)
def test_what_is_published_may_be_kept_and_asked_for_again(
    strict: SmallExchange, path: str, accept: dict[str, str]
) -> None:
    http = strict.app.test_client()
    first = http.get(path, headers=accept)

    again = http.get(path, headers=accept | {"If-None-Match": first.headers["ETag"]})

    assert first.headers["Cache-Control"] == "public, max-age=300"
    assert (again.status_code, again.get_data()) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]


@pytest.mark.slow
@pytest.mark.parametrize("accept", [{}, GZIP], ids=["plain", "gzip"])
@pytest.mark.parametrize("path", ["/openapi.yaml", ANSWER])
def test_head_says_what_get_would(answering: SmallExchange, path: str, accept: dict[str, str]) -> None:
    got, head = (read(answering, path, method, **accept) for method in ("GET", "HEAD"))

    assert head.get_data() == b""
    told = [name for name, _ in got.headers if name != "X-Request-Id"]
    assert {name: head.headers[name] for name in told} == {name: got.headers[name] for name in told}
    again = read(answering, path, "HEAD", If_None_Match=got.headers["ETag"], **accept)
    assert again.status_code == 304


def test_the_tag_of_a_draft_is_good_for_editing_however_it_was_read(strict: SmallExchange) -> None:
    """Another tag for gzip would not be the one that If-Match asks for."""
    strict.post(BRAND, "/v1/contracts", small_contract(id="dsc-edited"))

    tag = read(strict, "/v1/contracts/dsc-edited", **GZIP).headers["ETag"]

    headers = strict.headers(BRAND) | {"If-Match": tag}
    edited = strict.app.test_client().put(
        "/v1/contracts/dsc-edited/draft", json=small_contract(id="dsc-edited", title="Edited"), headers=headers
    )
    assert edited.status_code == 200, edited.get_json()
