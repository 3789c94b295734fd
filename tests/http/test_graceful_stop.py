"""The exchange is told to stop while it measures: what was begun is finished, and nothing new is begun."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from privacy.arrays import Vector
from privacy.mechanism import DiscreteGaussian
from tests.support.accounts import check_account
from tests.support.live_server import LiveServer, live_server, wait_until
from tests.support.processes import PATIENCE_SECONDS
from tests.support.small_exchange import CONTRACT, SmallExchange, fills, server_keys

SUBMISSIONS = f"/v1/contracts/{CONTRACT}/submissions"
NAME = "blueridge"


class Sign:
    """A file that is there, or not: what processes can tell one another, though one is killed meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def give(self) -> None:
        self._path.touch()

    def wait(self) -> None:
        wait_until(self._path.exists)


class HeldNoise:
    """Says that it was asked for noise, and draws it once it may."""

    def __init__(self, asked: Sign, may_draw: Sign) -> None:
        self._asked = asked
        self._may_draw = may_draw

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        self._asked.give()
        self._may_draw.wait()
        return DiscreteGaussian().add_noise(exact, sigma)


@pytest.fixture
def small(migrated_sqlite_url: str) -> SmallExchange:
    small = SmallExchange(migrated_sqlite_url, settings_changes=server_keys(), template="agreed")
    assert small.get(NAME, f"/v1/contracts/{CONTRACT}").status_code == 200
    return small


@pytest.fixture
def asked(tmp_path: Path) -> Sign:
    return Sign(tmp_path / "asked")


@pytest.fixture
def may_draw(tmp_path: Path) -> Sign:
    return Sign(tmp_path / "may-draw")


@pytest.fixture
def live(small: SmallExchange, asked: Sign, may_draw: Sign, tmp_path: Path) -> Iterator[LiveServer]:
    with live_server(small, tmp_path / "log", noise=HeldNoise(asked, may_draw)) as live:
        yield live
        may_draw.give()


def post(live: LiveServer, small: SmallExchange) -> httpx.Response:
    with live.client() as client:
        return client.post(SUBMISSIONS, json=fills(), headers=small.headers(NAME))


@pytest.mark.slow
def test_a_submission_under_way_is_measured_and_answered_and_nobody_else_is_let_in(
    small: SmallExchange, live: LiveServer, asked: Sign, may_draw: Sign
) -> None:
    with ThreadPoolExecutor(1) as pool, live.client() as balancer:
        assert balancer.get("/readyz").status_code == 200
        posted = pool.submit(post, live, small)
        asked.wait()

        live.signal(signal.SIGTERM)

        time.sleep(0.5)
        stopping = balancer.get("/readyz")
        with pytest.raises(httpx.ConnectError):
            live.get("/healthz")
        assert not posted.done()
        may_draw.give()
        answered = posted.result(PATIENCE_SECONDS)
    assert (stopping.status_code, stopping.json()["detail"]) == (503, "The exchange is stopping.")
    assert stopping.headers["Connection"] == "close"
    assert (answered.status_code, answered.json()["attempts"]) == (201, 1)
    assert live.exit_code() == 0
    assert [len(found) for found in check_account(small.wiring.database, f"{NAME}-members")] == [1, 1]


@pytest.mark.slow
def test_an_exchange_with_nothing_to_do_stops_at_once_though_a_client_keeps_a_silent_connection(
    live: LiveServer,
) -> None:
    with live.client() as client:
        client.get("/healthz")
        begun = time.monotonic()
        live.signal(signal.SIGTERM)

        assert live.exit_code() == 0
    assert time.monotonic() - begun < 10


def test_sigquit_does_not_wait_and_the_ledger_still_holds_the_debit(
    small: SmallExchange, live: LiveServer, asked: Sign, may_draw: Sign
) -> None:
    with ThreadPoolExecutor(1) as pool:
        posted = pool.submit(post, live, small)
        asked.wait()

        live.signal(signal.SIGQUIT)

        with pytest.raises(httpx.TransportError):
            posted.result(PATIENCE_SECONDS)
        live.exit_code()
    assert [len(found) for found in check_account(small.wiring.database, f"{NAME}-members")] == [1, 0]
