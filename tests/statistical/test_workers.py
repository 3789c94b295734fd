"""Releases that two worker processes of one server draw, period after period, share no noise."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, combinations

import httpx
import pytest

from privacy.arrays import Vector
from privacy.mechanism import NoiseSource
from tests.statistical.checks import ALARM, between, worst
from tests.statistical.sources import Right
from tests.support.small_exchange import CONTRACT, PAYERS, SmallExchange, fills, fills_feed, server_keys, small_contract
from tests.support.two_workers import WORKER, two_workers

pytestmark = pytest.mark.slow

PERIODS = [f"2025-{month:02}" for month in range(1, 7)]
SIZES = {"region": 40, "sex": 25}


@pytest.fixture
def agreed(migrated_postgresql_url: str) -> Iterator[SmallExchange]:
    """A contract with a feed of 1,000 cells, in force on PostgreSQL."""
    small = SmallExchange(migrated_postgresql_url, settings_changes=server_keys())
    document = small_contract()
    document["vocabularies"] |= {name: [f"{name}{i}" for i in range(size)] for name, size in SIZES.items()}
    feed = fills_feed(measures={"members": {"unit": "persons", "bound": 1}}, invariants=[])
    small.agree(document | {"feeds": [feed, *document["feeds"][1:]]})
    yield small
    small.wiring.database.close()


def released_noise(small: SmallExchange, noise: NoiseSource | None) -> list[tuple[str, dict[str, Vector]]]:
    """Of every release, which worker measured it, and its noise: all cells are zero."""
    posts = [(name, period) for period in PERIODS for name in PAYERS]
    headers = {name: small.headers(name) for name in PAYERS}
    with two_workers(small, noise) as clients, ThreadPoolExecutor(2) as pool:

        def post(client: httpx.Client, name: str, period: str) -> tuple[str, str]:
            path = f"/v1/contracts/{CONTRACT}/submissions"
            answered = client.post(path, json=fills(period, []), headers=headers[name])
            assert answered.status_code == 201, answered.text
            return answered.json()["release_id"], answered.headers[WORKER]

        def post_all(client: httpx.Client, share: list[tuple[str, str]]) -> list[tuple[str, str]]:
            return [post(client, *what) for what in share]

        workers = dict(chain.from_iterable(pool.map(post_all, clients, (posts[::2], posts[1::2]))))
    with small.wiring.database.reading() as stores:
        blocks = stores.releases.get_blocks([*workers])
    return [(worker, small.wiring.blocks.decode(blocks[release])) for release, worker in workers.items()]


def between_releases(drawn: list[tuple[str, dict[str, Vector]]]) -> float:
    """One p-value of every pair of releases, within a worker and between the two."""
    assert len({worker for worker, _ in drawn}) == 2
    full = [vectors["members@region,sex"] for _, vectors in drawn]
    assert all(vector.any() for vector in full)
    return worst(between(left, right) for left, right in combinations(full, 2))


def test_two_workers_share_no_noise(agreed: SmallExchange) -> None:
    assert between_releases(released_noise(agreed, None)) >= ALARM


def test_noise_shared_by_two_workers_is_caught(agreed: SmallExchange) -> None:
    """A generator that was seeded before the fork goes on alike in both."""
    assert between_releases(released_noise(agreed, Right())) < ALARM
