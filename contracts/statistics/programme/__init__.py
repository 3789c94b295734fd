"""programme_effect: how an outcome differs with a programme, as far as the contract's feeds can tell."""

from contracts.statistics.programme.declared import PROGRAMME_EFFECT

__all__ = ["PROGRAMME_EFFECT"]
