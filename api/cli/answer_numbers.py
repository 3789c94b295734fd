"""Numbers for people: as many digits as their uncertainty leaves any meaning to."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Final

from contracts.parties import JsonObject
from contracts.statistics.codebook import UNITS, WHOLE_UNITS

_SIGNIFICANT: Final = 2
_CONFIDENCE: Final = "confidence"
_CONFIDENCE_PLACE: Final = 4
# What doubles leave of zero after a subtraction.
_ZERO: Final = 1e-12


def value_text(row: JsonObject) -> str:
    """To the place of the second digit of the interval's shorter arm, which of a skewed one is far from half its width;
    a confidence as one."""
    if row["unit"] == _CONFIDENCE:
        return confidence_text(row["value"])
    return _told(row["value"], _place(row["interval"], row), ROUND_HALF_EVEN, row["unit"])


def confidence_text(confidence: float) -> str:
    """Never surer than it is, and never certain: of four decimals those that are nearer to one half."""
    edge = Decimal(1).scaleb(-_CONFIDENCE_PLACE)
    exact = Decimal(f"{confidence:.15g}")
    if exact > 1 - edge:
        return f"above {1 - edge}"
    if exact < edge:
        return f"below {edge}"
    return _rounded(confidence, _CONFIDENCE_PLACE, ROUND_FLOOR if exact > Decimal("0.5") else ROUND_CEILING)


def ends_text(ends: JsonObject | None, row: JsonObject) -> str:
    """An interval to the place of the second digit of its own shorter arm, each end away from the value: rounding never
    makes it narrower. Empty where there is none."""
    if ends is None or ends["lower"] is ends["upper"] is None:
        return ""
    place = _place(ends, row)
    lower, upper = (
        None if end is None else _told(end, place, how, row["unit"])
        for end, how in ((ends["lower"], ROUND_FLOOR), (ends["upper"], ROUND_CEILING))
    )
    if lower is None:
        return f"at most {upper}"
    return f"at least {lower}" if upper is None else f"{lower} to {upper}"


def _is_whole(unit: str) -> bool:
    """Whether nobody wants to read a part of one: of what is counted, as all is in the units that contracts state."""
    return unit in WHOLE_UNITS or (unit not in UNITS and " per " not in unit)


def _place(ends: JsonObject | None, row: JsonObject) -> int:
    """How many decimals; negative for tens, hundreds, ... Where nothing tells the uncertainty, three of a fraction."""
    arm = _shorter_arm(ends, row["value"], row["unit"])
    place = 3 if not arm else _SIGNIFICANT - 1 - _rounded_to_significant(arm).adjusted()
    return min(place, 0) if _is_whole(row["unit"]) else place


def _shorter_arm(ends: JsonObject | None, value: float | None, unit: str) -> float:
    """How far the value is from the nearer end, of those that nothing clipped, but half the width at most; 0 where
    nothing tells."""
    told = [] if ends is None else [end for end in (ends["lower"], ends["upper"]) if end is not None]
    half = (told[1] - told[0]) / 2 if len(told) == 2 else 0.0
    if value is None or (len(told) > 1 and not half):
        return float(half)
    clipped = (-1, 0, 1) if unit == "share" else (0,)
    arms = [abs(value - end) for end in told if len(told) == 1 or end not in clipped]
    return float(min([arm for arm in (*arms, half) if arm > _ZERO], default=0.0))


def _rounded_to_significant(width: float) -> Decimal:
    """So that 0.0996 is 0.10, whose second digit is that of hundredths."""
    return Decimal(f"{width:.{_SIGNIFICANT - 1}e}")


def _told(number: float, place: int, how: str, unit: str) -> str:
    """Rounded, but what is not zero is not told as zero: by its own first digit then, except a part of what is
    counted."""
    if abs(number) < _ZERO:
        return _rounded(0.0, place, how)
    rounded = _rounded(number, place, how)
    if float(rounded.replace(",", "")):
        return rounded
    first = -Decimal(number).adjusted()
    return _rounded(number, min(first, 0) if _is_whole(unit) else first, how)


def _rounded(number: float, place: int, how: str) -> str:
    # Fifteen digits: the last bits of a double must not push an end to the next place.
    exact = Decimal(f"{number + 0.0:.15g}")
    found = exact.quantize(Decimal(1).scaleb(-place), rounding=how)
    return f"{found + 0:,.{max(place, 0)}f}"
