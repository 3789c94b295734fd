"""Not collected with the suite, since making its thousands of requests ready takes long: see test_schemathesis.py."""

from hypothesis import HealthCheck, settings
from schemathesis import Case

from tests.http.described import call, described_exchange, read_description
from tests.support.small_exchange import SmallExchange

__all__ = ["described_exchange"]
API = read_description(coverage=True)


@API.parametrize()
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_that_the_description_allows(case: Case, described_exchange: SmallExchange) -> None:
    call(case, described_exchange)
