"""Privacy loss as integer nano-rho (1e-9 of a zCDP rho): losses are rounded up, budgets down."""

from decimal import Decimal, InvalidOperation
from fractions import Fraction
from math import ceil, floor

NANO = 1_000_000_000
MAX_RHO = Decimal(1000)


class NotABudget(ValueError):
    """The text is not a positive decimal number of rho that an account could hold."""


def budget_nano(rho: str) -> int:
    """The nano-rho of a decimal budget such as "0.05", rounded down.

    Raises NotABudget for anything but a finite decimal of at least one nano-rho and at most `MAX_RHO`.
    """
    try:
        value = Decimal(rho)
    except InvalidOperation:
        raise NotABudget("a budget is a decimal number in a string, for instance '0.05'") from None
    if not value.is_finite() or value <= 0 or value > MAX_RHO:
        raise NotABudget(f"a budget lies above 0 and is at most {MAX_RHO}")
    nano = floor(Fraction(value) * NANO) if value.adjusted() > -20 else 0
    if nano == 0:
        raise NotABudget("a budget is at least one nano-rho, '0.000000001'")
    return nano


def loss_nano(rho: float) -> int:
    """The nano-rho of a loss stated as a double, rounded up without any further rounding on the way."""
    return ceil(Fraction(rho) * NANO)


def rho_text(nano: int) -> str:
    """Nano-rho as a plain decimal string of rho, without trailing zeros."""
    text = f"{Decimal(nano) / NANO:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
