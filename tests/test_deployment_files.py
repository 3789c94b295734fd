"""Dockerfile, compose.yaml and nginx.conf keep what the docs promise of them. No engine is at hand to run them."""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.settings import read_settings
from tests.conftest import REPOSITORY

DOCKERFILE = REPOSITORY / "Dockerfile"
NGINX = (REPOSITORY / "deploy" / "nginx.conf").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("exchange", "migrate")


def test_the_linter_has_nothing_against_the_dockerfile() -> None:
    linter = shutil.which("hadolint", path=f"{Path(sys.executable).parent}")
    if linter is None:
        pytest.skip("hadolint is not installed: its wheel is for Linux on x86-64")

    linted = subprocess.run([linter, DOCKERFILE], capture_output=True, text=True, check=False)

    assert (linted.returncode, linted.stdout) == (0, "")


def test_the_image_has_pinned_bases_no_compiler_and_a_user_that_is_nobody_else() -> None:
    lines = DOCKERFILE.read_text().splitlines()

    bases = [line.split()[1] for line in lines if line.startswith("FROM")]
    assert all(re.fullmatch(r"python:3\.\d+-slim-\w+", base) for base in bases)
    assert not [line for line in lines if "apt-get" in line]
    assert [line for line in lines if line.startswith("USER")] == ["USER 10001:10001"]
    assert any("-c constraints.txt" in line for line in lines)


def test_only_what_is_copied_is_sent_to_the_builder() -> None:
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE.read_text(), re.MULTILINE)

    sent = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert sent == {name for line in copied for name in line.split()}
    assert all((REPOSITORY / name).exists() for name in sent)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_runs_with_no_more_than_it_needs(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["ulimits"] == {"core": 0}
    assert service["mem_limit"] == service["memswap_limit"]
    assert re.search(r":\d", service["image"])
    assert "privileged" not in service


def test_no_secret_stands_in_the_file() -> None:
    text = (REPOSITORY / "compose.yaml").read_text()

    assert not re.search(r"(?i)password\s*[:=]\s*[^/\s{]", text)
    assert all(secret["file"].startswith("./secrets/") for secret in COMPOSE["secrets"].values())
    assert "/secrets/" in (REPOSITORY / ".gitignore").read_text()


def test_the_exchange_is_production_with_keys_from_a_folder_that_follows_a_rotation(tmp_path: Path) -> None:
    exchange = SERVICES["exchange"]
    keys = tmp_path / "key"
    keys.write_text("{}")
    environ = dict(exchange["environment"]) | {
        "PARLEY_ISSUER": "https://parley.example",
        "PARLEY_WORKERS": "2",
        "PARLEY_TOKEN_KEY_FILE": str(keys),
        "PARLEY_RECEIPT_KEY_FILE": str(keys),
        "PARLEY_ENVIRONMENT": "production",
        "PARLEY_WITNESS": "/var/lib/parley-witness/ledger",
    }

    settings = read_settings(environ)

    assert settings.metrics_port == 9000
    assert "9000" not in "".join(exchange["ports"])
    assert exchange["networks"]["metrics"] == {"aliases": [settings.metrics_host]}
    assert settings.trusted_proxies == 1
    assert "./secrets/exchange:/run/secrets:ro" in exchange["volumes"]
    assert int(exchange["stop_grace_period"].removesuffix("s")) > settings.lease_seconds
    assert {"PARLEY_ENVIRONMENT=production", "PARLEY_WITNESS=/var/lib/parley-witness/ledger"} <= set(
        DOCKERFILE.read_text().replace("\\\n", "").split()
    )


def test_the_database_is_out_of_reach_from_outside_and_started_first() -> None:
    assert SERVICES["database"]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert "ports" not in SERVICES["database"]
    assert SERVICES["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert SERVICES["exchange"]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}


def test_metrics_are_on_a_network_of_their_own() -> None:
    assert COMPOSE["networks"]["metrics"] == {"internal": True}
    assert [name for name, service in SERVICES.items() if "metrics" in service["networks"]] == ["exchange"]


def test_one_address_cannot_take_all_threads_nor_a_large_answer_hold_one() -> None:
    found = find_spec("swagger_ui")
    assert found is not None
    assert found.origin
    largest_page_bytes = (Path(found.origin).parent / "static" / "swagger-ui-bundle.js").stat().st_size
    threads = 2 * read_settings({}).threads  # PARLEY_WORKERS of compose.yaml

    directives = dict(re.findall(r"^ *(limit_conn|proxy_buffers) (.*);$", NGINX, re.MULTILINE))
    assert int(directives["limit_conn"].split()[1]) <= threads / 2
    number, kilobytes = directives["proxy_buffers"].removesuffix("k").split()
    assert int(number) * int(kilobytes) * 1024 > largest_page_bytes


def test_the_proxy_keeps_no_body_and_logs_no_length() -> None:
    directives = {line.strip().rstrip(";") for line in NGINX.splitlines()}

    assert {"proxy_request_buffering off", "proxy_http_version 1.1", "access_log off"} <= directives
    assert "error_log /dev/stderr crit" in directives
    assert NGINX.count("{") == NGINX.count("}")
