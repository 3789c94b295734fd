"""Two exchanges that differ by one worst-case member a period, and what an attacker makes of their answers.

Every period is one trial: k = 1, so each member is in one period only, and the ledger's loss of all periods together
is that of one. The attacker knows the plan, as every party does, and asks as every party may.

The best statistic. One measure of one period was drawn as margins A with variances v_A; the member adds b to one
entry of each. Of all projections of the releases the likelihood ratio's separates best: the sum over A of b / v_A
times the noisy entry. The fitted table, which answers show, is the least-squares one, so the same sum over fitted
entries is the same statistic: its mean moves by D^2 = sum of b^2 / v_A = 2 rho, and its variance is D^2.

Gaussian lower bound (FORMULAS of the audit): with n trials a side, the estimate of D, difference of means over the
pooled standard deviation, has variance 2/n + D^2 / (4 (n - 1)); rho is D^2 / 2.
"""

from collections import defaultdict
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final
from uuid import uuid4

import numpy as np

from contracts.parties import JsonObject, Role
from privacy.arrays import Floats
from privacy.mechanism import NoiseSource
from tests.support.small_exchange import BRAND, CONTRACT, SmallExchange, small_contract

# Each posts months of its own, so that no ledger grows long; a month is one trial.
PROVIDERS: Final = tuple(f"tidewater{number}" for number in range(10))
DIMENSIONS: Final = ("region", "sex")
STRATUM: Final = {"region": "north", "sex": "F"}
BOUNDS: Final = {"visits": 40, "days": 60}
RHO: Final = "8"
TRIALS: Final = 1000
Z: Final = 4.75  # about one false alarm in a million


@dataclass(frozen=True, slots=True)
class Audit:
    """What the attacker can prove. rho: the estimate; rho_at_least: its lower bound; rho_of_ledger: what was paid."""

    rho: float
    rho_at_least: float
    rho_of_ledger: float


def audit(without: SmallExchange, with_member: SmallExchange) -> Audit:
    """Feed both exchanges over HTTP, ask both, and compare."""
    statistics, ledgers = [], set()
    for exchange, rows in ((without, []), (with_member, [STRATUM | BOUNDS])):
        contract = agree(exchange)
        for number, month in enumerate(months(TRIALS)):
            body = {"submission_id": str(uuid4()), "feed": "visits", "period": month, "rows": rows}
            answered = exchange.submit(PROVIDERS[number % len(PROVIDERS)], body)
            assert answered.status_code == 201, answered.get_json()
        statistics.append(project(contract["document"]["feeds"][0]["plan"], ask(exchange)))
        ledgers |= {exchange.ledger(name)["lifetime"]["rho_nano"] for name in PROVIDERS}
    (rho_nano,) = ledgers  # the same for all
    return compare(*statistics, rho_of_ledger=rho_nano / 1e9)


def make_exchange(url: str, noise: NoiseSource | None = None) -> SmallExchange:
    exchange = SmallExchange(url, noise=noise)
    for name in PROVIDERS:
        exchange.register(name, Role.PAYER, rho=RHO)
    return exchange


def agree(exchange: SmallExchange) -> JsonObject:
    first, *_, last = months(TRIALS)
    feed: JsonObject = {
        "name": "visits",
        "provider": "payer",
        "grain": "month",
        "first_period": first,
        "last_period": last,
        "k": 1,
        "run_out_days": 90,
        "dimensions": [*DIMENSIONS],
        "measures": {name: {"unit": name, "bound": bound} for name, bound in BOUNDS.items()},
        "invariants": [],
        "expected": {"visits": 4000, "days": 6000},
        "tables": [{"by": ["region"]}, {"by": ["sex"]}],
        "rho": RHO,
    }
    roles = dict.fromkeys(PROVIDERS, "payer") | {BRAND: "brand"}
    document = small_contract(
        feeds=[feed],
        parties=[{"organisation": n, "role": role, "population": f"{n}-members"} for n, role in roles.items()],
        rules={"min_payers": 1, "small_cells": None},
    )
    populations = [f"{name}-members" for name in PROVIDERS]
    approval = {"name": "The auditors", "reason": "no person is in these data"}
    document["privacy"] |= {
        "ceilings": dict.fromkeys(populations, RHO),
        "approvals": dict.fromkeys(populations, approval),
    }
    return exchange.agree(document)


def months(count: int) -> list[str]:
    return [f"{1940 + number // 12}-{number % 12 + 1:02}" for number in range(count)]


def ask(exchange: SmallExchange) -> list[JsonObject]:
    """The brand asks for everything at once, by month and stratum."""
    answered = exchange.ask(BRAND, "counts", CONTRACT, by=",".join(("month", *DIMENSIONS)), measures=",".join(BOUNDS))
    assert answered.status_code == 200, answered.get_json()
    return list(answered.get_json()["rows"])


def project(plan: JsonObject, rows: list[JsonObject]) -> Floats:
    """The statistic of every month, in order."""
    statistic: dict[str, float] = defaultdict(float)
    for draw in plan["draws"]:
        weight = BOUNDS[draw["measure"]] / float(draw["sigma"]) ** 2
        for row in rows:
            if row["figure"] == draw["measure"] and all(row["key"][name] == STRATUM[name] for name in draw["margin"]):
                statistic[row["key"]["month"]] += weight * row["value"]
    return np.array([statistic[month] for month in months(TRIALS)])


def compare(without: Floats, with_member: Floats, *, rho_of_ledger: float) -> Audit:
    trials = len(without)
    sd = sqrt((without.var(ddof=1) + with_member.var(ddof=1)) / 2)
    distance = float(with_member.mean() - without.mean()) / sd
    error = sqrt(2 / trials + distance**2 / (4 * (trials - 1)))
    return Audit(distance**2 / 2, max(0.0, distance - Z * error) ** 2 / 2, rho_of_ledger)


class Scaled:
    """Another noise source at another sigma than it is asked for."""

    def __init__(self, real: NoiseSource, factor: float) -> None:
        self._real, self._factor = real, factor

    def add_noise(self, exact: Any, sigma: float) -> Any:
        return self._real.add_noise(exact, self._factor * sigma)
