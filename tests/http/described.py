"""What schemathesis needs of a test: the exchange that it asks, and the checks that it makes."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile
from typing import Any, Final
from uuid import uuid4

import pytest
import schemathesis
import yaml
from schemathesis import BaseSchema, Case, CheckContext, Response, SerializationContext
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig

from adapters.cells.media_types import ARROW_STREAM, PARQUET
from contracts.parties import Role, Scope
from tests.http.answers import ADHERENCE, FILLS, post
from tests.support.small_exchange import BRAND, CONTRACT, SmallExchange, small_contract

OPERATOR: Final = "overseer"
PROVIDER: Final = "sierra"
DESCRIPTION: Final = Path(__file__).parents[2] / "openapi.yaml"
# What stands in a path where the request is to be right: ids of what is there, else almost all were not found.
THERE: Final = {
    "contract_id": CONTRACT,
    "feed_name": "fills",
    "name": "counts",
    "organisation_id": BRAND,
    "population_id": f"{BRAND}-members",
}
# Another contract in force, for what stops one: nothing is answered under it any more.
TO_BE_STOPPED: Final = "dsc-other"
STOPPING: Final = ("suspension", "resumption", "termination")
# Only as they were sent: what an answer's bytes are encoded in is for tests of that.
PLAIN: Final = {"Accept-Encoding": "identity"}


@schemathesis.serializer(PARQUET, ARROW_STREAM)
def as_it_is(_: SerializationContext, body: Any) -> bytes:
    """What schemathesis makes for a table is bytes of no format, which must be refused like anything else."""
    return body if isinstance(body, bytes) else str(body).encode(errors="replace")


class Served:
    """The exchange that the tests bring, behind a description that is read before there is one."""

    exchange: SmallExchange

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.exchange.app(environ, start_response)


SERVED: Final = Served()


def read_description(*, coverage: bool) -> BaseSchema:
    """coverage: try every constraint of every field in turn as well."""
    load_all_checks()
    configuration = {
        "seed": 1,
        "generation": {"deterministic": True, "no-shrink": True},
        "phases": {"coverage": {"enabled": coverage}},
        "checks": {
            # It wants every well-formed request to be accepted, though there is no such contract, feed or key;
            # right_forms_are_read, below, says what must hold instead.
            "positive_data_acceptance": {"enabled": False},
            # 428 (RFC 6585, section 3) says just that a header is missing; schemathesis does not know it by itself.
            "missing_required_header": {"expected-statuses": ["401", "403", "422", "428"]},
        },
    }
    document = yaml.safe_load(DESCRIPTION.read_text())
    api = schemathesis.openapi.from_dict(document, config=SchemathesisConfig.from_dict(configuration))
    api.app = SERVED
    return api


@pytest.fixture(scope="module")
def described_exchange(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallExchange]:
    """The small contract in force, with a few periods released, and an operator."""
    path = tmp_path_factory.mktemp("described") / "parley.db"
    copyfile(sqlite_template, path)
    small = SmallExchange(f"sqlite:///{path}", template="agreed")
    small.register(OPERATOR, Role.OPERATOR, frozenset(Scope))
    small.agree(small_contract(id=TO_BE_STOPPED))
    post(small, "fills", {key: rows for key, rows in FILLS.items() if key[1] == "2025-01"})
    post(small, "adherence", {key: rows for key, rows in ADHERENCE.items() if key[1] == "2025"})
    SERVED.exchange = small
    yield small
    small.wiring.database.close()


def call(case: Case, exchange: SmallExchange) -> None:
    """By somebody whom the operation is for, with a token of every scope there is for them."""
    if is_right(case):
        make_right(case)
    headers = exchange.headers(caller_of(case)) | PLAIN
    case.call_and_validate(headers=headers, additional_checks=[right_forms_are_read])


def caller_of(case: Case) -> str:
    security = case.operation.definition.raw["security"]
    if security and security[0]["oauth2"] == [Scope.ORG_ADMIN]:
        return OPERATOR
    return PROVIDER if is_submission(case) else BRAND


def is_submission(case: Case) -> bool:
    return bool(case.operation.path.endswith("/submissions"))


def is_right(case: Case) -> bool:
    return case.meta is not None and case.meta.generation.mode.is_positive


def make_right(case: Case) -> None:
    """As the description says in words alone."""
    case.path_parameters.update({part: THERE[part] for part in case.path_parameters if part in THERE})
    if "contract_id" in case.path_parameters and case.operation.path.endswith(STOPPING):
        case.path_parameters["contract_id"] = TO_BE_STOPPED
    case.query.pop("cursor", None)  # only the exchange makes one
    case.body = with_whole_numbers(case.body)
    if is_submission(case) and isinstance(case.body, dict):
        for form in ("rows", "columns", "release"):
            case.body.pop(form, None)
        case.body |= {"rows": [], "feed": "fills", "period": "2025-02"}
        case.query = {}  # which is the envelope of tables alone
    elif is_submission(case):
        case.query = {"submission_id": str(uuid4()), "feed": "fills", "period": "2025-02"}
    if case.operation.path.endswith("/statistics/{name}"):
        said = {name: value for name, value in case.query.items() if name in ("confidence", "explain", "receipt")}
        case.query = {**said, "feed": "fills", "periods": "2025-01", "by": "region"}


def with_whole_numbers(body: Any) -> Any:
    """JSON Schema takes 3.0 for an integer; the exchange wants whole numbers written as such."""
    if isinstance(body, dict):
        return {name: with_whole_numbers(value) for name, value in body.items()}
    if isinstance(body, list):
        return [with_whole_numbers(value) for value in body]
    return int(body) if isinstance(body, float) and body.is_integer() else body


def right_forms_are_read(ctx: CheckContext, response: Response, case: Case) -> None:
    """What fits the description is never refused for its form; the domain may still refuse it."""
    faults = response.json().get("errors", []) if response.status_code == 422 else []
    if is_right(case):
        assert not [fault for fault in faults if fault["code"] == "field_invalid"]
