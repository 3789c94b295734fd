"""Many threads of several processes, one account, and a budget that runs out on the way."""

from collections import Counter
from collections.abc import Iterator

import pytest

from contracts.parties import Role
from tests.support.accounts import check_account
from tests.support.processes import Stand
from tests.support.racing import GRANTS, PROCESS_COUNT, race
from tests.support.small_exchange import BRAND, SmallExchange, fills, fills_feed, server_keys, small_contract

PERIODS = [f"{year}-{month:02}" for year in (2024, 2025) for month in range(1, 13)]
NAME, POPULATION = "harbor", "harbor-members"
GRANTED_RHO = "0.011"  # of 0.048 that all periods would cost, and of 0.02 that ten would


@pytest.fixture
def agreed(migrated_url: str) -> Iterator[SmallExchange]:
    """A payer whose population was granted less than its one feed may cost, on each database in turn."""
    small = SmallExchange(migrated_url, settings_changes=server_keys())
    small.register(NAME, Role.PAYER, rho=GRANTED_RHO)
    feed = fills_feed(first_period=PERIODS[0], last_period=PERIODS[-1], k=len(PERIODS), rho="0.048")
    parties = {NAME: ("payer", POPULATION), BRAND: ("brand", f"{BRAND}-members")}
    document = small_contract(
        feeds=[feed],
        parties=[{"organisation": n, "role": role, "population": p} for n, (role, p) in parties.items()],
        rules={"min_payers": 1, "small_cells": None},
    )
    document["privacy"]["ceilings"] = {POPULATION: "0.1"}
    small.agree(document)
    yield small
    small.wiring.database.close()


@pytest.mark.slow
@pytest.mark.parametrize(("threads", "periods"), [(4, 10), pytest.param(16, 24, marks=pytest.mark.slow)])
def test_four_processes_of_many_threads_never_overdraw_an_account_and_lose_no_entry(
    agreed: SmallExchange, threads: int, periods: int
) -> None:
    outcomes = race(Stand.of(agreed, NAME), POPULATION, PERIODS[:periods], threads)

    debits, releases = check_account(agreed.wiring.database, POPULATION)
    measured = {submission_id: period for period, submission_id, outcome in outcomes if outcome == "measured"}
    assert {release.submission_id: release.period for release in releases} == measured
    assert {entry.submission_id for entry in debits} == set(measured)
    assert len(set(measured.values())) == len(debits) == len(measured)
    assert Counter(outcome for _, _, outcome in outcomes).keys() == {"measured", "period-taken", "budget-exhausted"}

    with agreed.wiring.database.reading() as stores:
        entries = stores.ledger.entries(POPULATION)
    last, charge = entries[-1], debits[0].charge_nano
    assert len(entries) - len(debits) == 1 + PROCESS_COUNT * GRANTS
    assert last.granted_nano == 11_000_000 + PROCESS_COUNT * GRANTS
    assert last.balance_nano < charge  # it did run out,
    assert 2 < len(debits) < periods  # and on the way
    again = agreed.submit(NAME, fills(next(p for p in PERIODS if p not in measured.values())))
    assert again.get_json()["type"] == "urn:parley:problem:budget-exhausted"
