"""How what an attacker may learn is written, wherever it is: rounded one way only, so as never to look better."""

from math import ceil, floor, log10


def percent_up(share: float) -> str:
    """Up to a tenth of a percent."""
    return f"{ceil(round(1000 * share, 9)) / 10:.1f}%"  # 1000 times a share may be a hair above what it stands for


def chance_text(chance: float) -> str:
    """One in so many, two digits of it, rounded down."""
    if chance >= 0.5:
        return percent_up(chance)
    if chance < 1e-9:
        return "less than 1 in a billion"
    many = floor(1 / chance)
    unit = 10 ** max(0, floor(log10(many)) - 1)
    return f"about 1 in {many // unit * unit:,}"
