"""/docs in a real browser: it shows every operation, tries requests, and asks nobody but the exchange itself."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions as seen
from selenium.webdriver.support.wait import WebDriverWait

from adapters.client.tokens import TokenSource
from api.demo.server_process import running_server
from tests.support.small_exchange import CONTRACT, SmallExchange

pytestmark = pytest.mark.slow
PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Live:
    """A server, and a token of one of its clients."""

    address: str
    token: str


@pytest.fixture
def live(migrated_sqlite_url: str, tmp_path: Path) -> Iterator[Live]:
    small = SmallExchange(migrated_sqlite_url, template="agreed")
    witness = small.environ["PARLEY_WITNESS"]
    small.wiring.database.close()
    with (
        running_server(migrated_sqlite_url, tmp_path / "log", PARLEY_WITNESS=witness) as address,
        httpx.Client(trust_env=False) as http,
    ):
        tokens = TokenSource(http, f"{address}/oauth/token", "sierra-client", small.client_keys["sierra"])
        yield Live(address, tokens.token())


def test_the_page_lists_every_operation_and_tries_them_with_a_pasted_token(browser: Chrome, live: Live) -> None:
    browser.get(f"{live.address}/docs")
    find(browser, ".opblock")
    described = yaml.safe_load(httpx.get(f"{live.address}/openapi.yaml", trust_env=False).text)
    operations = [key for item in described["paths"].values() for key in item if key != "parameters"]
    assert len(browser.find_elements(By.CSS_SELECTOR, ".opblock")) == len(operations)
    shown = browser.find_element(By.ID, "api").text
    assert all(path in shown.replace("\u200b", "") for path in described["paths"])

    assert execute(browser, "operations-health-healthz") == (200, {"status": "ok"})

    status, problem = execute(browser, "operations-contracts-listContracts")
    assert (status, problem["type"]) == (401, "urn:parley:problem:token-missing")
    paste(browser, live.token)
    status, listed = execute(browser, "operations-contracts-listContracts")
    assert status == 200
    assert [contract["id"] for contract in listed["contracts"]] == [CONTRACT]

    complaints = [line["message"] for line in browser.get_log("browser")]
    assert [line for line in complaints if "the server responded with a status of 401" not in line] == []
    assert asked_of(browser) == {urlsplit(live.address).netloc}
    assert_only_the_page_kept_the_token(browser, live)


def test_the_page_takes_no_other_description_than_ours(browser: Chrome, live: Live) -> None:
    browser.get(f"{live.address}/docs?url=https://elsewhere.example/openapi.json&configUrl=https://elsewhere.example")
    find(browser, ".opblock")

    assert asked_of(browser) == {urlsplit(live.address).netloc}


def test_the_policy_stops_a_script_that_got_into_the_page(browser: Chrome, live: Live) -> None:
    """That the browser heeds it, and that this test would see what the others say does not happen."""
    browser.get(f"{live.address}/docs")
    find(browser, ".opblock")
    browser.execute_script(
        "const s = document.createElement('script'); s.textContent = 'window.stolen = 1'; document.body.append(s);"
        "const i = new Image(); i.src = 'https://elsewhere.example/x.png'; document.body.append(i);"
    )

    assert browser.execute_script("return window.stolen") is None
    complaints = " ".join(line["message"] for line in browser.get_log("browser"))
    assert "script-src" in complaints
    assert "img-src" in complaints


def find(browser: Chrome | WebElement, selector: str) -> WebElement:
    return WebDriverWait(browser, PATIENCE_SECONDS).until(seen.presence_of_element_located((By.CSS_SELECTOR, selector)))


def execute(browser: Chrome, operation: str) -> tuple[int, dict[str, object]]:
    """Open an operation, press Execute, and read what the page says was answered."""
    block = find(browser, f"#{operation}")
    if not block.find_elements(By.CSS_SELECTOR, ".opblock-body"):
        click(browser, find(block, ".opblock-summary-control"))
    for before in block.find_elements(By.CSS_SELECTOR, ".btn-clear"):
        click(browser, before)
    click(browser, find(block, ".btn.execute"))
    answered = find(block, ".live-responses-table .response")
    status = int(find(answered, ".response-col_status").text.split()[0])
    return status, json.loads(find(answered, ".response-col_description .highlight-code code").text)


def paste(browser: Chrome, token: str) -> None:
    click(browser, find(browser, ".btn.authorize"))
    find(browser, ".modal-ux input").send_keys(token)
    click(browser, find(browser, ".modal-ux .btn.authorize"))
    click(browser, find(browser, ".modal-ux .close-modal"))


def click(browser: Chrome, element: WebElement) -> None:
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()


def asked_of(browser: Chrome) -> set[str]:
    """The hosts of all requests since the browser was opened, let through or not, but for its own new tab."""
    messages = (json.loads(line["message"])["message"] for line in browser.get_log("performance"))
    urls = {m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"}
    return {urlsplit(url).netloc for url in urls if not url.startswith(("data:", "blob:", "chrome:"))}


def assert_only_the_page_kept_the_token(browser: Chrome, live: Live) -> None:
    kept = browser.execute_script("return JSON.stringify([localStorage, sessionStorage, document.cookie])")
    assert live.token not in kept
    browser.refresh()
    assert execute(browser, "operations-contracts-listContracts")[0] == 401
