"""Metrics of several workers add up, and say nothing that a party could learn about another from."""

import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.demo.server_process import ServerNotReady, running_server
from api.settings import read_settings
from tests.support.live_server import HOST, free_port, live_server, wait_until
from tests.support.small_exchange import CONTRACT, PAYERS, SmallExchange, fills, server_keys
from tests.support.two_workers import two_workers

NAME = "blueridge"
MARKED = "marked-by-a-client"
CONTRACTS = f"/v1/contracts/{CONTRACT}"
LABELS = {"method", "route", "status", "outcome", "part", "le"}


@dataclass(frozen=True)
class Page:
    """The page of metrics of a server."""

    address: str

    def text(self) -> str:
        return httpx.get(self.address, trust_env=False).raise_for_status().text

    def samples(self, name: str) -> list[tuple[dict[str, str], float]]:
        families = text_string_to_metric_families(self.text())
        return [(s.labels, s.value) for family in families for s in family.samples if s.name == name]

    def value(self, name: str, **labels: str) -> float:
        return sum(value for found, value in self.samples(name) if found == labels)


@pytest.fixture
def page() -> Page:
    return Page(f"http://{HOST}:{free_port()}/metrics")


@pytest.fixture
def small(migrated_postgresql_url: str, page: Page) -> Iterator[SmallExchange]:
    port = str(httpx.URL(page.address).port)
    settings = {**server_keys(), "PARLEY_METRICS_PORT": port}
    small = SmallExchange(migrated_postgresql_url, settings_changes=settings, template="agreed")
    yield small
    small.wiring.database.close()


@pytest.fixture
def sqlite_exchange(migrated_sqlite_url: str) -> SmallExchange:
    return SmallExchange(migrated_sqlite_url, settings_changes=server_keys())


@pytest.mark.slow
def test_the_counts_of_two_workers_add_up_and_name_nobody(small: SmallExchange, page: Page) -> None:
    token = small.headers(NAME)
    with two_workers(small) as workers:
        for number, worker in enumerate(workers, start=1):
            for _ in range(number):
                assert worker.get(CONTRACTS, headers=token).status_code == 200
            assert worker.get(f"/{MARKED}?{MARKED}={MARKED}").status_code == 404
            assert worker.request(MARKED.upper(), "/healthz").status_code == 405
            assert worker.post("/oauth/token", data={"grant_type": MARKED}).status_code == 400
        first, second = workers
        body = fills()
        assert first.post(f"{CONTRACTS}/submissions", json=body, headers=token).status_code == 201
        assert second.post(f"{CONTRACTS}/submissions", json=body, headers=token).status_code == 200
        assert second.post(f"{CONTRACTS}/submissions", json={**body, "rows": 5}, headers=token).status_code >= 400

        of_contract = {"method": "GET", "route": "/v1/contracts/<string:contract_id>"}
        assert page.value("parley_requests_total", **of_contract, status="2xx") == 3
        assert page.value("parley_request_seconds_count", route=of_contract["route"]) == 3
        assert page.value("parley_requests_total", method="GET", route="none", status="4xx") == 2
        assert page.value("parley_requests_total", method="other", route="none", status="4xx") == 2
        assert page.value("parley_token_requests_total", outcome="refused") == 2
        assert page.value("parley_ready", part="database") == page.value("parley_ready", part="witness") == 1
        assert page.value("parley_database_connections") == 0
        counted = page.samples("parley_requests_total")
        submitted = {labels["status"]: value for labels, value in counted if "submissions" in labels["route"]}
        assert submitted == {"2xx": 2, "4xx": 1}
        timed = {labels["route"] for labels, _ in page.samples("parley_request_seconds_count")}
        assert not [route for route in timed if "submissions" in route]
        text = page.text()
        exposed = [labels for family in text_string_to_metric_families(text) for _, labels, *_ in family.samples]
    assert set().union(*exposed) == LABELS
    assert not [name for name in (MARKED, MARKED.upper(), CONTRACT, "client", *PAYERS) if name in text]


def test_metrics_are_no_part_of_the_public_api_and_served_nowhere_unless_a_port_says_so(small: SmallExchange) -> None:
    plain = {name: value for name, value in small.environ.items() if name != "PARLEY_METRICS_PORT"}

    assert small.app.test_client().get("/metrics").status_code == 404
    assert read_settings(plain).metrics_port is None
    assert read_settings({**plain, "PARLEY_METRICS_PORT": "9000"}).metrics_host == "127.0.0.1"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_page_and_folder_go_with_the_exchange_however_it_went(
    sqlite_exchange: SmallExchange, tmp_path: Path, number: int
) -> None:
    port = free_port()
    settings = {"PARLEY_METRICS_PORT": str(port), "TMPDIR": str(tmp_path)}
    with live_server(sqlite_exchange, tmp_path / "log", **settings) as live:
        assert "parley_ready" in Page(f"http://{HOST}:{port}").text()
        assert list(tmp_path.glob("parley-metrics-*/*.db"))

        live.signal(number)

        wait_until(lambda: not list(tmp_path.glob("parley-metrics-*")))
        with pytest.raises(httpx.ConnectError):
            Page(f"http://{HOST}:{port}").text()


@pytest.mark.slow
def test_a_port_that_is_taken_is_said_plainly(sqlite_exchange: SmallExchange, tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = str(taken.getsockname()[1])
        with (
            pytest.raises(ServerNotReady, match=f"Metrics cannot be served on 127.0.0.1:{port}"),
            running_server(sqlite_exchange.url, tmp_path / "log", PARLEY_METRICS_PORT=port),
        ):
            pass
