"""openapi.yaml at the root is the code's own description, and valid OpenAPI."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_spec_validator import validate

from api.app import describe_app
from api.openapi import openapi_yaml

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

    assert schemas["Contract"]["properties"]["status"] == {"$ref": "#/components/schemas/Status"}
    assert schemas["ContractSummary"]["properties"]["status"] == {"$ref": "#/components/schemas/Status"}
    assert "in_force" in schemas["Status"]["enum"]
