"""openapi.yaml at the root is the code's own description, and valid OpenAPI."""

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


def test_the_committed_description_is_that_of_the_code() -> None:
    app = describe_app()
    with app.app_context():
        assert (REPOSITORY / "openapi.yaml").read_text() == openapi_yaml(app), "run `make openapi`"


def test_the_description_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1")


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does(document: dict[str, Any]) -> None:
    operations = [
        operation for path in document["paths"].values() for key, operation in path.items() if key != "parameters"
    ]
    names = [operation.get("operationId") for operation in operations]

    assert len(names) == len(set(names)) >= 20
    assert all(names)
    assert all(operation.get("summary") for operation in operations)


def test_errors_are_described_as_problem_documents(document: dict[str, Any]) -> None:
    described = document["components"]["responses"]["DEFAULT_ERROR"]["content"]

    assert list(described) == ["application/problem+json"]
