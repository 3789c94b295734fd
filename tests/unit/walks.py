"""Treatment walked day by day, in plain Python: a cupboard that is filled and emptied, and what is known on each day.

An independent reckoning for the SQL texts of persistence, which have closed forms instead.
"""

from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True)
class Fill:
    day: int
    days_supply: int
    product: str = "own"


def covered_days(fills: list[Fill], until: int) -> list[int]:
    left, days = 0, []
    for each in range(min(fill.day for fill in fills), until + 1):
        left += sum(fill.days_supply for fill in fills if fill.day == each)
        if left > 0:
            days.append(each)
            left -= 1
    return days


def episodes_of(fills: list[Fill], gap_days: int, until: int) -> list[list[int]]:
    episodes: list[list[int]] = []
    for each in covered_days(fills, until):
        if episodes and each - episodes[-1][-1] - 1 <= gap_days:
            episodes[-1].append(each)
        else:
            episodes.append([each])
    return episodes


def is_switch(fills: list[Fill], at: int, gap_days: int) -> bool:
    """A supply of other products only than those of the last fill day, before the gap has become too long."""
    supplies = [fill for fill in fills if fill.days_supply > 0]
    now = {fill.product for fill in supplies if fill.day == at}
    earlier = [fill for fill in supplies if fill.day < at]
    if not now or not earlier:
        return False
    last_fill_day = max(fill.day for fill in earlier)
    before = {fill.product for fill in earlier if fill.day == last_fill_day}
    last_covered_day = covered_days(earlier, at + sum(fill.days_supply for fill in earlier))[-1]
    return not (now & before) and at - last_covered_day - 1 <= gap_days


def first_exit(fills: list[Fill], plan_last_day: int, asked: dict[str, int]) -> tuple[int, str, int] | None:
    """When it is known, why, and the last day of supply: what is known on a day rests on fills up to that day."""
    start = min(fill.day for fill in fills if fill.days_supply > 0)
    for today in range(start, asked["last_day"] + 1):
        so_far = [fill for fill in fills if fill.day <= today]
        if asked["switch_ends_episode"] and today > start and is_switch(so_far, today, asked["gap_days"]):
            before = covered_days([fill for fill in so_far if fill.day < today], today - 1)
            return today, "switched", before[-1]
        last_covered_day = covered_days(so_far, today)[-1]
        if today - last_covered_day > asked["gap_days"]:
            return today, "stopped", last_covered_day
        if today == plan_last_day:
            return today, "left_plan", last_covered_day
    return None


def whole_months(start: int, end: int) -> int:
    first, last = (date(1970, 1, 1) + timedelta(days=each) for each in (start, end))
    passed = 0
    while _months_later(first, passed + 1) <= (last.year, last.month, last.day):
        passed += 1
    return passed


def _months_later(first: date, months: int) -> tuple[int, int, int]:
    years, month = divmod(first.month - 1 + months, 12)
    return first.year + years, month + 1, first.day
