"""Noise may take an estimate below zero: it is shown as it is, and its parts still add up to it."""

import numpy as np
import pytest

from privacy.arrays import Vector
from tests.http.answers import FILLS, answer, post, values
from tests.support.small_exchange import SmallExchange


class FarBelow:
    """Pulls every count of the first region below zero, by another amount in each cell."""

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        first = np.arange(exact.size) < exact.size // 2
        return exact - first * (exact + 100_000 + np.arange(exact.size))


@pytest.fixture
def below(migrated_sqlite_url: str) -> SmallExchange:
    small = SmallExchange(migrated_sqlite_url, noise=FarBelow())
    small.agree()
    post(small, "fills", FILLS)
    return small


def test_an_estimate_below_zero_is_shown_below_zero_with_ends_at_zero(below: SmallExchange) -> None:
    rows = answer(below, "counts", feed="fills", by="region", measures="members")["rows"]

    north, south = rows
    assert north["value"] < -1_000_000
    assert south["value"] > 0
    assert list(north["interval"].values()) == [0, 0]
    assert "nearest_end" in north["flags"]


def test_parts_below_zero_add_up_to_their_whole(below: SmallExchange) -> None:
    def asked(by: str) -> list[float]:
        return list(values(answer(below, "counts", feed="fills", by=by, measures="members"), "members").values())

    (whole,) = values(answer(below, "counts", feed="fills", measures="members"), "members").values()
    for by in ("region", "sex", "region,sex", "month", "quarter,region"):
        parts = asked(by)
        assert sum(parts) == pytest.approx(whole, rel=1e-9)
    assert min(asked("region,sex")) < 0 < max(asked("region,sex"))


def test_a_rate_over_a_whole_below_zero_has_no_value_and_the_whole_range(below: SmallExchange) -> None:
    north, _ = answer(below, "pdc_pooled", by="region")["rows"]

    assert north["value"] is None
    assert list(north["interval"].values()) == [0, 1]
    assert "whole_range" in north["flags"]
