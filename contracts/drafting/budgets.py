"""Budgets as a draft writes them, and the ceiling above which somebody has to approve."""

from collections.abc import Iterator
from typing import Final

from contracts.refusals import Fault
from privacy.units import NotABudget, budget_nano

DEFAULT_CEILING_RHO: Final = "0.1"


def budget_faults(pointer: str, rho: str) -> Iterator[Fault]:
    try:
        budget_nano(rho)
    except NotABudget as error:
        yield Fault(pointer, "budget_invalid", str(error))
