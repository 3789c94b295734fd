"""An amount of loss as the packet states it: rho, and epsilon at several deltas. Rounded so as never to look better."""

from dataclasses import dataclass
from math import ceil

from contracts.terms import Terms
from privacy.mechanism import epsilon
from privacy.units import rho_text

FURTHER_DELTAS = ("0.000001", "0.000000001")


@dataclass(frozen=True, slots=True)
class LossAt:
    """epsilon: by delta, the contract's own first. Each is a way to state the one rho; they are never added."""

    rho: str
    rho_nano: int
    epsilon: dict[str, float]


def deltas_of(terms: Terms) -> tuple[str, ...]:
    own = terms.privacy.delta
    return (own, *(delta for delta in FURTHER_DELTAS if float(delta) != float(own)))


def loss_at(rho_nano: int, terms: Terms) -> LossAt:
    return LossAt(rho_text(rho_nano), rho_nano, {delta: epsilon(rho_nano, float(delta)) for delta in deltas_of(terms)})


def loss_text(lost: LossAt) -> str:
    delta, value = next(iter(lost.epsilon.items()))
    return f"rho {lost.rho} (epsilon {rounded_up(value)} at delta {delta})"


def rounded_up(value: float, decimals: int = 2) -> str:
    """Up to what is shown: 0.43 for 0.4201."""
    scale = 10**decimals
    return f"{ceil(value * scale) / scale:.{decimals}f}"
