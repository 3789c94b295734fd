"""Numbers for people: as many digits as their uncertainty leaves any meaning to."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Final

from contracts.parties import JsonObject

_SIGNIFICANT: Final = 2
_SHARE: Final = "share"
# Of all else numbers are counted, and nobody wants to read a part of one.
_FRACTIONAL: Final = (_SHARE, "ratio", "months")


def value_text(row: JsonObject) -> str:
    """To the place of the second digit of the interval's half-width."""
    return _rounded(row["value"], _place(row["interval"], row), ROUND_HALF_EVEN)


def ends_text(ends: JsonObject | None, row: JsonObject) -> str:
    """An interval to the place of the second digit of its own half-width, each end away from the value: rounding never
    makes it narrower. Empty where there is none."""
    if ends is None or ends["lower"] is ends["upper"] is None:
        return ""
    place = _place(ends, row)
    if ends["lower"] is None:
        return f"at most {_rounded(ends['upper'], place, ROUND_CEILING)}"
    lower = _rounded(ends["lower"], place, ROUND_FLOOR)
    return (
        f"at least {lower}" if ends["upper"] is None else f"{lower} to {_rounded(ends['upper'], place, ROUND_CEILING)}"
    )


def _place(ends: JsonObject | None, row: JsonObject) -> int:
    """How many decimals; negative for tens, hundreds, ... Where nothing tells the uncertainty, three of a fraction."""
    fractional = row["unit"] in _FRACTIONAL or " per " in row["unit"]
    width = _half_width(ends, row["value"])
    place = 3 if not width else _SIGNIFICANT - 1 - _rounded_to_significant(width).adjusted()
    return place if fractional else min(place, 0)


def _half_width(ends: JsonObject | None, value: float | None) -> float:
    """Of an interval that is open at one side, how far the value is from its other end."""
    lower, upper = (None, None) if ends is None else (ends["lower"], ends["upper"])
    if lower is not None and upper is not None:
        return float(upper - lower) / 2
    end = lower if upper is None else upper
    return 0.0 if end is None or value is None else float(abs(value - end))


def _rounded_to_significant(width: float) -> Decimal:
    """So that 0.0996 is 0.10, whose second digit is that of hundredths."""
    return Decimal(f"{width:.{_SIGNIFICANT - 1}e}")


def _rounded(number: float, place: int, how: str) -> str:
    # Fifteen digits: the last bits of a double must not push an end to the next place.
    exact = Decimal(f"{number + 0.0:.15g}")
    found = exact.quantize(Decimal(1).scaleb(-place), rounding=how)
    return f"{found + 0:,.{max(place, 0)}f}"
