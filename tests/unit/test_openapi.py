"""openapi.yaml at the root is the code's own description, and valid OpenAPI."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from api.app import describe_app
from api.description.document import openapi_yaml
from api.description.meanings import explain_members

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return dict(yaml.safe_load((REPOSITORY / "openapi.yaml").read_text()))


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield f"{method} {path}", operation


def test_the_committed_description_is_that_of_the_code() -> None:
    app = describe_app()
    with app.app_context():
        assert (REPOSITORY / "openapi.yaml").read_text() == openapi_yaml(app), "run `make openapi`"


def test_the_description_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1")


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does(document: dict[str, Any]) -> None:
    described = [operation for _, operation in operations(document)]
    names = [operation.get("operationId") for operation in described]

    assert len(names) == len(set(names)) >= 20
    assert all(names)
    assert all(operation.get("summary") for operation in described)


def test_errors_are_described_as_problem_documents(document: dict[str, Any]) -> None:
    for name, response in document["components"]["responses"].items():
        (said,) = response["content"].items()
        assert said[0] == "application/problem+json", name
        assert said[1]["schema"] == {"$ref": "#/components/schemas/Problem"}
        assert set(document["components"]["schemas"]["Problem"]["required"]) <= set(said[1]["example"]), name


def test_every_refusal_of_a_guarded_operation_is_described_and_nothing_by_default(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        assert "default" not in operation["responses"], name
        expected = {"401", "403", "429", "5XX"} if operation["security"] else {"5XX"}
        assert expected <= set(operation["responses"]), name


def test_every_part_of_a_path_is_described(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        assert all(parameter["description"] for parameter in item.get("parameters", [])), path


def test_what_is_sent_is_closed_and_answers_may_grow(document: dict[str, Any]) -> None:
    """A generated client must not fail on a member that a later version answers."""
    schemas = document["components"]["schemas"]

    assert schemas["Submission"]["additionalProperties"] is False
    assert schemas["ContractDocument"]["additionalProperties"] is False
    assert not {"Answer", "Row", "Receipt", "Statement", "Contract", "Problem"} & {
        name for name, schema in schemas.items() if schema.get("additionalProperties") is False
    }


def test_the_description_speaks_no_dialect_of_python(document: dict[str, Any]) -> None:
    """Patterns are those of ECMA-262, and what only the code needed to know is not in it."""
    text = (REPOSITORY / "openapi.yaml").read_text()

    assert "\\Z" not in text
    assert "x-name" not in text


def test_an_enumeration_is_one_type_wherever_it_stands(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    assert schemas["Contract"]["properties"]["status"]["$ref"] == "#/components/schemas/Status"
    assert schemas["ContractSummary"]["properties"]["status"]["$ref"] == "#/components/schemas/Status"
    assert "in_force" in schemas["Status"]["enum"]


def test_every_answer_says_the_headers_that_it_carries(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            headers = _resolve(document, response)["headers"]
            assert _resolve(document, headers["X-Request-Id"])["required"], (name, status)
            if status.startswith("2"):
                counted = {"RateLimit", "RateLimit-Policy"} <= set(headers)
                assert counted == bool(operation["security"]), (name, status)
            if status in ("409", "429", "5XX"):
                assert "Retry-After" in headers, (name, status)


def test_what_can_be_asked_again_with_its_tag_says_so(document: dict[str, Any]) -> None:
    tagged = {
        operation["operationId"]: operation
        for name, operation in operations(document)
        if name.startswith("get ") and "ETag" in operation["responses"]["200"]["headers"]
    }

    assert {"ask", "getContract", "getOpenapi", "getTokenKeys", "getServerMetadata", "getReceiptKeys"} <= set(tagged)
    for name, operation in tagged.items():
        assert "304" in operation["responses"], name
        assert "If-None-Match" in {parameter["name"] for parameter in operation["parameters"]}, name


def test_what_takes_an_idempotency_key_says_when_it_was_done_before(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        takes = "Idempotency-Key" in {parameter["name"] for parameter in operation.get("parameters", [])}
        for status, response in operation["responses"].items():
            if status.startswith("2"):
                assert ("Idempotent-Replayed" in response["headers"]) == takes, name


def test_every_member_of_every_schema_is_described(document: dict[str, Any]) -> None:
    """In api/schemas where it is declared, or else in api/meanings."""
    undescribed = {
        f"{name}.{member}"
        for name, schema in document["components"]["schemas"].items()
        for member, said in schema.get("properties", {}).items()
        if not said.get("description")
    }

    assert not undescribed


def test_a_meaning_of_what_is_no_longer_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Answer\.rows"):
        explain_members({}, {})


def test_a_submission_has_one_form(document: dict[str, Any]) -> None:
    schema = {name: document["components"]["schemas"]["Submission"][name] for name in ("required", "if", "else")}
    common = {"submission_id": "x", "feed": "fills", "period": "2025"}
    fits = Draft202012Validator(schema).is_valid

    assert fits(common | {"rows": []})
    assert fits(common | {"columns": {}})
    assert not fits(common)
    assert not fits(common | {"rows": [], "columns": {}})


def test_each_bound_is_as_it_is_refused(document: dict[str, Any]) -> None:
    ask = document["paths"]["/v1/contracts/{contract_id}/statistics/{name}"]["get"]
    (confidence,) = (parameter for parameter in ask["parameters"] if parameter["name"] == "confidence")

    assert confidence["schema"]["exclusiveMinimum"] == 0.5
    assert confidence["schema"]["maximum"] == 0.999


def _resolve(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    found = document
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found
