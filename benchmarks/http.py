"""How much of a bare web server's speed is left when a request is authenticated, authorised and answered?

Requests per second under gunicorn, with the exchange's own configuration: of authenticated reads, of token grants and
of joint answers, each as a ratio to an empty Flask route under the same gunicorn, in alternating rounds of the same
run. And how long a joint answer takes, beside a warm query of smartnoise-sql for the same table where an interpreter
that has it is named. What is compared, and what each of the two does and does not do: docs/reference/sizing.md.

    python -m benchmarks.http [--json] [--postgresql] [--rounds 5] [--smartnoise PYTHON]
"""

import argparse
import csv
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import urlencode

from adapters.client.tokens import ASSERTION_TYPE, make_client_assertion
from benchmarks.exchange_at_work import PAYERS, Exchange, exchange_at_work
from benchmarks.load import form_request, get_request, latencies_seconds, requests_per_second
from benchmarks.servers import empty_server

CONNECTIONS: Final = 8
REQUESTS_A_ROUND: Final = {"empty": 3000, "read": 1500, "grant": 300, "answer": 150}
ANSWERS_TIMED: Final = 200
GOAL_READ: Final = 0.5


@dataclass(frozen=True, slots=True)
class Subject:
    """Something to be asked for again and again: the requests of one round, made anew for each."""

    name: str
    port: int
    requests: Callable[[], list[bytes]]


def report(postgresql: bool, rounds: int, smartnoise: str | None) -> dict[str, Any]:
    with TemporaryDirectory(prefix="parley-benchmark-") as name:
        folder = Path(name)
        with exchange_at_work(folder, postgresql=postgresql) as exchange, empty_server(folder) as empty_port:
            found = _ratios(exchange, empty_port, rounds)
            found["joint_answer_seconds"] = {"parley": _answer_times(exchange)}
            if smartnoise is not None:
                found["joint_answer_seconds"]["smartnoise_sql"] = _smartnoise_times(exchange, smartnoise, folder)
    found["database"] = "postgresql" if postgresql else "sqlite"
    found["goals_met"] = {"read at least 0.5": found["ratio_to_empty"]["read contract"] >= GOAL_READ}
    return found


def _ratios(exchange: Exchange, empty_port: int, rounds: int) -> dict[str, Any]:
    """Alternating, so that whatever else the machine does hits all alike."""
    subjects = _subjects(exchange)
    per_second: dict[str, list[float]] = {"empty": [], **{subject.name: [] for subject in subjects}}
    ratios: dict[str, list[float]] = {subject.name: [] for subject in subjects}
    nothing = [get_request("/")] * REQUESTS_A_ROUND["empty"]
    for _ in range(rounds):
        empty = requests_per_second(empty_port, nothing, CONNECTIONS)
        per_second["empty"].append(empty)
        for subject in subjects:
            measured = requests_per_second(subject.port, subject.requests(), CONNECTIONS)
            per_second[subject.name].append(measured)
            ratios[subject.name].append(measured / empty)
    return {
        "requests_per_second": {name: round(median(found)) for name, found in per_second.items()},
        "ratio_to_empty": {name: round(median(found), 3) for name, found in ratios.items()},
        "lowest_and_highest": {name: [round(min(found), 3), round(max(found), 3)] for name, found in ratios.items()},
    }


def _subjects(exchange: Exchange) -> list[Subject]:
    port = exchange.port

    def read(path: str, count: int) -> Callable[[], list[bytes]]:
        return lambda: [get_request(path, Authorization=f"Bearer {exchange.client.token()}")] * count

    contract = f"/v1/contracts/{exchange.contract_id}"
    many = REQUESTS_A_ROUND["read"]
    return [
        Subject("read contract list", port, read("/v1/contracts", many)),
        Subject("read contract", port, read(contract, many)),
        Subject("read what is granted", port, read(f"{contract}/statistics", many)),
        Subject("read coverage", port, read(f"{contract}/releases", many)),
        Subject("token grant", port, lambda: _grants(exchange, REQUESTS_A_ROUND["grant"])),
        Subject("joint answer", port, read(exchange.question, REQUESTS_A_ROUND["answer"])),
    ]


def _grants(exchange: Exchange, count: int) -> list[bytes]:
    """Each assertion is good for one request; they are signed before the clock runs."""
    return [form_request("/oauth/token", _form(exchange)) for _ in range(count)]


def _form(exchange: Exchange) -> bytes:
    url = f"{exchange.address}/oauth/token"
    assertion = make_client_assertion(exchange.client_id, exchange.client_key, url, datetime.now(UTC))
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
    }
    return urlencode(form).encode()


def _answer_times(exchange: Exchange) -> dict[str, float]:
    """One asker, one question at a time: what a person would wait."""
    request = get_request(exchange.question, Authorization=f"Bearer {exchange.client.token()}")
    latencies_seconds(exchange.port, [request] * 20, 1)
    return _percentiles(latencies_seconds(exchange.port, [request] * ANSWERS_TIMED, 1))


def _smartnoise_times(exchange: Exchange, python: str, folder: Path) -> dict[str, float]:
    """The same persons, as rows, which is what it needs: nobody would have them in one place."""
    path = folder / "members.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("region", "adherent"))
        writer.writerows(row for payer in PAYERS for row in exchange.persons(payer))
    script = Path(__file__).parent / "peers" / "smartnoise_sql.py"
    ran = subprocess.run(  # noqa: S603  # an interpreter that whoever runs the benchmark named
        [python, str(script), str(path), str(ANSWERS_TIMED // 2)], capture_output=True, text=True, check=True
    )
    return _percentiles(json.loads(ran.stdout.splitlines()[-1]))


def _percentiles(seconds: list[float]) -> dict[str, float]:
    return {"p50": round(median(seconds), 4), "p95": round(quantiles(seconds, n=20)[-1], 4)}


def _text(found: dict[str, Any]) -> Iterator[str]:
    yield f"One worker, {CONNECTIONS} connections, {found['database']}; median of the rounds"
    yield f"{'':24}{'requests/s':>12}{'to empty':>10}   lowest-highest"
    for name, per_second in found["requests_per_second"].items():
        ratio = found["ratio_to_empty"].get(name, 1.0)
        low, high = found["lowest_and_highest"].get(name, (1.0, 1.0))
        yield f"{name:24}{per_second:>12,}{ratio:>10.3f}   {low:.3f}-{high:.3f}"
    for name, times in found["joint_answer_seconds"].items():
        yield f"joint answer, {name}: p50 {times['p50'] * 1000:.1f} ms, p95 {times['p95'] * 1000:.1f} ms"
    for goal, met in found["goals_met"].items():
        yield f"goal {goal}: {'met' if met else 'NOT met'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--postgresql", action="store_true", help="on a PostgreSQL of its own, instead of SQLite")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--smartnoise", metavar="PYTHON", help="an interpreter that has smartnoise-sql")
    options = parser.parse_args()
    found = report(options.postgresql, options.rounds, options.smartnoise)
    print(json.dumps(found, indent=2) if options.json else "\n".join(_text(found)))
    sys.exit(0 if all(found["goals_met"].values()) else 1)


if __name__ == "__main__":
    main()
