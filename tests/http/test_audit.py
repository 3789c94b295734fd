"""What an attacker learns from the whole pipeline is what the ledger says, and no more.

Real app, database, drafts, signatures, noise and questions over HTTP. See `tests.support.auditing` for the statistic
and its bound: about one false alarm in a million for the ledger's side, one in forty million for the other.

Sizes. With 1,000 periods on each exchange at rho 8 a sigma that is 20% too small is proved to cost more than the
ledger says with all but 1e-9, one that is 10% too small in about 7 of 10 runs; smaller faults are for
`tests.statistical`.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from privacy.mechanism import DiscreteGaussian, NoiseSource
from tests.support.auditing import TRIALS, Scaled, audit, compare, make_exchange
from tests.support.small_exchange import SmallExchange

MakeExchange = Callable[[NoiseSource | None], SmallExchange]


@pytest.fixture
def make(sqlite_template: Path, tmp_path: Path) -> Iterator[MakeExchange]:
    """Exchanges on databases of their own."""
    made: list[SmallExchange] = []

    def make_one(noise: NoiseSource | None) -> SmallExchange:
        path = tmp_path / f"{len(made)}.db"
        shutil.copyfile(sqlite_template, path)
        made.append(make_exchange(f"sqlite:///{path}", noise))
        return made[-1]

    yield make_one
    for exchange in made:
        exchange.wiring.database.close()


@pytest.mark.slow
def test_the_loss_that_can_be_proved_is_at_most_the_ledgers_and_the_estimate_is_near_it(make: MakeExchange) -> None:
    found = audit(make(None), make(None))

    assert 7.9 < found.rho_of_ledger <= 8
    assert found.rho_at_least <= found.rho_of_ledger
    assert found.rho >= 0.8 * found.rho_of_ledger


@pytest.mark.slow
def test_an_exchange_whose_noise_is_a_fifth_too_small_is_found_out(make: MakeExchange) -> None:
    noise = Scaled(DiscreteGaussian(), 0.8)
    found = audit(make(noise), make(noise))

    assert found.rho_at_least > found.rho_of_ledger


@pytest.mark.parametrize(
    ("factor", "too_small", "too_large"), [(0.8, True, False), (1.0, False, False), (1.25, False, True)]
)
def test_the_comparison_tells_a_right_sigma_from_wrong_ones(factor: float, too_small: bool, too_large: bool) -> None:
    random = np.random.default_rng(7)
    noise = random.normal(0, 4 * factor, (2, TRIALS))  # D = 4, and so the variance 16
    found = compare(noise[0], noise[1] + 16, rho_of_ledger=8)
    assert (found.rho_at_least > 8) is too_small
    assert (found.rho < 0.8 * 8) is too_large
