"""openapi.yaml against the exchange: schemathesis makes right and wrong requests of every operation, and every answer
must be one that the description allows. A contract is in force, releases are posted, and every token is real."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from schemathesis import Case

from tests.http.described import call, described_exchange, read_description
from tests.support.small_exchange import SmallExchange

__all__ = ["described_exchange"]
REPOSITORY = Path(__file__).parents[2]
# Those that take a whole contract document, of which to make one takes a second, are for the slow test alone.
API = read_description(coverage=False).exclude(
    operation_id=["draftContract", "amendContract", "editDraft", "previewContract"]
)


@API.parametrize()
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_that_the_description_allows(case: Case, described_exchange: SmallExchange) -> None:
    call(case, described_exchange)


@pytest.mark.slow
def test_so_is_it_at_every_constraint_of_every_field(tmp_path: Path) -> None:
    """All operations, in some 7,000 requests; other methods and missing headers are among them."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/http/every_constraint.py"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout[-20_000:]
    assert " passed" in done.stdout.splitlines()[-1]
