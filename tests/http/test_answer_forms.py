"""Answers by content negotiation: JSON, CSV and Parquet are one answer; and the codebook that reads them."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile
from typing import Any

import pyarrow.parquet as pq
import pytest
from werkzeug.test import TestResponse

from contracts.parties import JsonObject
from contracts.statistics.catalogue import OFFERED
from tests.http.answers import ADHERENCE, FILLS, post
from tests.support.small_exchange import BRAND, CONTRACT, SmallExchange, fills_feed, small_contract, support_feed

PARQUET = "application/vnd.apache.parquet"
RATE = f"/v1/contracts/{CONTRACT}/statistics/adherence_rate"


@pytest.fixture(scope="module")
def asked(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallExchange]:
    """With real noise. One year of two is posted, and a month of fills."""
    path = tmp_path_factory.mktemp("forms") / "parley.db"
    copyfile(sqlite_template, path)
    small = SmallExchange(f"sqlite:///{path}", template="agreed")
    post(small, "adherence", {key: rows for key, rows in ADHERENCE.items() if key[1] == "2025"})
    post(small, "fills", {key: rows for key, rows in FILLS.items() if key[1] == "2025-01"})
    yield small
    small.wiring.database.close()


def assert_problem(response: TestResponse, status: int, code: str) -> JsonObject:
    problem: JsonObject = response.get_json()
    assert (response.status_code, problem["type"]) == (status, f"urn:parley:problem:{code}"), problem
    assert response.mimetype == "application/problem+json"
    return problem


def get(small: SmallExchange, accept: str | None, who: str = BRAND, **query: str) -> TestResponse:
    headers = small.headers(who) | ({} if accept is None else {"Accept": accept})
    return small.app.test_client().get(RATE, headers=headers, query_string={"by": "region,year", **query})


def parquet(response: TestResponse) -> Any:
    return pq.read_table(io.BytesIO(response.get_data()))


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/csv", "text/csv"),
        (f"text/html, {PARQUET};q=0.9", PARQUET),
        ("application/json;q=0.5, text/csv;q=0.8", "text/csv"),
        ("application/*", "application/json"),
    ],
)
def test_an_answer_comes_in_the_form_that_is_accepted_best(
    asked: SmallExchange, accept: str | None, media_type: str
) -> None:
    answered = get(asked, accept)

    assert answered.status_code == 200
    assert answered.mimetype == media_type
    assert "Accept" in {name.strip() for name in answered.headers["Vary"].split(",")}


def test_csv_and_parquet_have_the_rows_of_the_json_to_the_last_bit(asked: SmallExchange) -> None:
    told = get(asked, "application/json").get_json()
    lines = list(csv.DictReader(io.StringIO(get(asked, "text/csv").get_data(as_text=True))))
    table = parquet(get(asked, PARQUET))

    # Both years, of which only one was posted: two regions shown, two missing.
    assert [row["state"] for row in told["rows"]] == table["state"].to_pylist() == [line["state"] for line in lines]
    assert sorted(table["state"].to_pylist()) == ["missing", "missing", "shown", "shown"]
    for row, line, found in zip(told["rows"], lines, table.to_pylist(), strict=True):
        assert {name: line[name] for name in ("region", "year")} == row["key"]
        assert {name: found[name] for name in ("region", "year")} == row["key"]
        assert found["value"] == row["value"] == (float(line["value"]) if line["value"] else None)
        for member in ("interval", "total_interval"):
            for end in ("lower", "upper"):
                exact = row[member] and row[member][end]
                written = line[f"{member}_{end}"]
                assert found[f"{member}_{end}"] == exact == (float(written) if written else None)


def test_parquet_has_types_and_says_all_else_that_the_answer_says(asked: SmallExchange) -> None:
    told = get(asked, "application/json", explain="true").get_json()
    table = parquet(get(asked, PARQUET, explain="true"))

    types = {field.name: str(field.type) for field in table.schema}
    assert types["value"] == types["confidence"] == "double"
    assert types["contract_version"] == "int64"
    assert types["flags"].startswith("list")
    assert types["region"] == "string"
    metadata = {name.decode(): value for name, value in table.schema.metadata.items()}
    assert json.loads(metadata["parley-answer"]) == {name: said for name, said in told.items() if name != "rows"}
    book = asked.app.test_client().get("/v1/codebook").get_json()
    assert json.loads(metadata["parley-codebook"]) == book
    meanings = {column["name"]: column["meaning"] for column in book["columns"]}
    assert table.schema.field("state").metadata[b"description"].decode() == meanings["state"]


def test_each_form_has_a_tag_of_its_own_by_which_it_is_asked_again(asked: SmallExchange) -> None:
    forms = ("application/json", "text/csv", PARQUET)
    tags = [str(get(asked, form).headers["ETag"]).strip('"') for form in forms]

    assert tags == [tags[0], f"{tags[0]}.csv", f"{tags[0]}.parquet"]
    for form, tag in zip(forms, tags, strict=True):
        for other in tags:
            headers = asked.headers(BRAND) | {"Accept": form, "If-None-Match": f'"{other}"'}
            answered = asked.app.test_client().get(RATE, headers=headers, query_string={"by": "region,year"})
            assert answered.status_code == (304 if other == tag else 200)


def test_a_form_that_there_is_not_is_refused_with_those_there_are(asked: SmallExchange) -> None:
    problem = assert_problem(get(asked, "application/xml"), 406, "not-acceptable")

    assert problem["available"] == ["application/json", "text/csv", PARQUET]


@pytest.mark.parametrize(
    ("accept", "asks", "pointers"),
    [
        ("text/csv", {"receipt": "true", "explain": "true"}, ["/explain", "/receipt"]),
        (PARQUET, {"receipt": "true", "explain": "true"}, ["/receipt"]),
    ],
)
def test_what_a_form_has_no_room_for_is_refused_and_never_left_out(
    asked: SmallExchange, accept: str, asks: dict[str, str], pointers: list[str]
) -> None:
    problem = assert_problem(get(asked, accept, **asks), 422, "question-invalid")

    assert [(fault["pointer"], fault["code"]) for fault in problem["errors"]] == [
        (pointer, "form_lacks_it") for pointer in pointers
    ]
    assert "application/json" in problem["errors"][-1]["detail"]


def test_a_refusal_is_a_problem_document_whatever_is_accepted(asked: SmallExchange) -> None:
    answered = get(asked, "text/csv", by="nothing")

    assert answered.mimetype == "application/problem+json"
    assert_problem(answered, 422, "question-invalid")


def test_the_audit_names_the_same_answer_in_every_form(asked: SmallExchange) -> None:
    digest = str(get(asked, "application/json").headers["ETag"]).strip('"')
    get(asked, "text/csv")
    get(asked, PARQUET)

    records = asked.get(BRAND, f"/v1/contracts/{CONTRACT}/audit").get_json()["records"]
    assert json.dumps(records[-3:]).count(digest) == 3


def test_whoever_may_not_ask_learns_nothing_by_another_form(asked: SmallExchange) -> None:
    for accept in ("text/csv", PARQUET, "application/xml"):
        answered = get(asked, accept, who="foreigner")
        assert answered.status_code == (406 if accept == "application/xml" else 404)


# --- the codebook and the catalogue


def test_anybody_may_read_the_codebook_and_keep_it(small: SmallExchange) -> None:
    answered = small.app.test_client().get("/v1/codebook")

    assert answered.status_code == 200
    assert answered.headers["Cache-Control"] == "public, max-age=300"
    assert {each["name"] for each in answered.get_json()["statistics"]} == set(OFFERED)


def catalogue(small: SmallExchange, document: JsonObject) -> dict[str, JsonObject]:
    small.agree(document)
    found = small.get(BRAND, f"/v1/contracts/{document['id']}/statistics").get_json()
    return {line["name"]: line for line in found["statistics"]}


def test_the_catalogue_says_what_is_missing_and_what_can_be_asked_instead(small: SmallExchange) -> None:
    lines = catalogue(small, small_contract(feeds=[fills_feed(), support_feed()]))

    rate, pooled = lines["adherence_rate"], lines["pdc_pooled"]
    assert rate["declaration"]["figures"][0]["unit"] == "share"
    (missing,) = rate["missing"]
    assert "fills (no adherence_band" in missing
    assert "support (posted by the brand" in missing
    assert "pdc_pooled" in rate["instead"]
    assert "adherence_rate" not in rate["instead"]
    assert (pooled["missing"], pooled["instead"]) == ([], [])

    problem = assert_problem(small.ask(BRAND, "adherence_rate"), 422, "question-invalid")
    assert problem["instead"] == rate["instead"]
    assert missing in problem["errors"][0]["detail"]


def test_counts_of_several_measures_are_one_long_table(asked: SmallExchange) -> None:
    path = f"/v1/contracts/{CONTRACT}/statistics/counts"
    query = {"feed": "fills", "by": "region", "periods": "2025-01"}
    headers = asked.headers(BRAND) | {"Accept": PARQUET}
    table = parquet(asked.app.test_client().get(path, headers=headers, query_string=query))

    assert table.num_rows == 2 * 3
    assert set(table["unit"].to_pylist()) == {"persons once a month", "days"}
