"""Composition: how the charges of releases add up to the loss of a feed, a contract and a population.

The loss of one generation of a feed is the sum of its k largest first-measurement charges, since one person is in at
most k of these, plus every further measurement of a period in full, since late records can move a person between
periods. Feeds, contracts and generations add. Proved against brute force over histories and persons in
tests/property/test_accounting.py. Budgets are spent adaptively; the proof rests on zCDP filters:
Feldman and Zrnic, Individual Privacy Accounting via a Renyi Filter (2021); Whitehouse et al., Fully Adaptive
Composition in Differential Privacy (2023).
"""

from collections.abc import Sequence
from heapq import nlargest


def feed_loss_nano(first_charges: Sequence[int], further_charges: Sequence[int], k: int) -> int:
    """Loss of a feed in nano-rho. Raises ValueError unless k >= 1 and no charge is negative."""
    if k < 1 or any(charge < 0 for charge in (*first_charges, *further_charges)):
        raise ValueError("k is at least 1 and charges are not negative")
    return sum(nlargest(k, first_charges)) + sum(further_charges)


def increment_nano(
    first_charges: Sequence[int], further_charges: Sequence[int], k: int, *, charge: int, first: bool
) -> int:
    """By how much one more measurement of `charge` raises the loss of a feed."""
    before = feed_loss_nano(first_charges, further_charges, k)
    if first:
        return feed_loss_nano([*first_charges, charge], further_charges, k) - before
    return feed_loss_nano(first_charges, [*further_charges, charge], k) - before
