"""The proportion of days covered of one person, reckoned day by day with sets: what the SQL texts are held against."""

from dataclasses import dataclass

from tests.support.claims_by_hand import Person


@dataclass(frozen=True)
class Rules:
    """first, last: days of the period. window: first and last day in which the index is looked for. window_days: from
    the index, where a treatment period has its own length and is counted as a whole, in the period in which it ends.
    products: by drug, where days are of one product."""

    first: int
    last: int
    window: tuple[int, int]
    window_days: int | None = None
    least_fill_dates: int = 2
    least_treatment_days: int = 91
    enrolment_gap_days: int = 0
    stay_days_removed: bool = False
    products: dict[str, str] | None = None


@dataclass(frozen=True)
class Amounts:
    days_covered: int
    treatment_days: int
    days_supplied: int
    fills: int


def pdc_by_days(person: Person, rules: Rules) -> str | Amounts:
    """The first rule that puts the person out, or what it adds."""
    enrolled = enrolled_days(person, rules)
    fills = sorted(each for each in person.fills if rules.window[0] <= each[0] <= min(rules.window[1], rules.last))
    if not any(rules.first <= day <= rules.last for day in enrolled):
        return "not_enrolled"
    if not fills:
        return "no_fill_of_the_class"
    index = fills[0][0]
    if index not in enrolled:
        return "not_enrolled_at_index"
    by_index = rules.window_days is not None
    window_end = min(rules.window[1], rules.last) if rules.window_days is None else index + rules.window_days - 1
    last = index
    while last + 1 in enrolled and last + 1 <= window_end:
        last += 1
    if last > rules.last:
        return "window_not_over"
    if last < rules.first:
        return "no_day_in_period"
    if by_index or (rules.first <= rules.window[0] and rules.window[1] <= rules.last):
        if len({day for day, _, _ in fills if day <= last}) < rules.least_fill_dates:
            return "too_few_fill_dates"
        if last - index + 1 < rules.least_treatment_days:
            return "treatment_too_short"
    removed = (
        {day for stay in person.stays for day in range(stay[0], stay[1] + 1)} if rules.stay_days_removed else set()
    )
    counted_first = index if by_index else max(index, rules.first)
    treated = {*range(counted_first, last + 1)} - removed
    if not treated:
        return "no_day_in_period"
    if rules.products is not None:
        product = min(rules.products[drug] for day, drug, _ in fills if day == index)
        fills = [each for each in fills if rules.products[each[1]] == product]
    within = [days for day, _, days in fills if counted_first <= day <= last]
    return Amounts(len(_covered(fills, removed, rules.last) & treated), len(treated), sum(within), len(within))


def enrolled_days(person: Person, rules: Rules) -> set[int]:
    """As far as the period's end and a window further, with the days of gaps that are permitted."""
    horizon = rules.last + (rules.window_days or 0) + rules.enrolment_gap_days + 2
    dies = horizon if person.death_day is None else min(person.death_day, horizon)
    if person.spans is None:
        return {*range(-2000, dies + 1)}
    days = {
        day for first, last in person.spans for day in range(first, min(horizon if last is None else last, dies) + 1)
    }
    for before, after in zip(ordered := sorted(days), ordered[1:], strict=False):
        if after - before - 1 <= rules.enrolment_gap_days:
            days |= {*range(before, after)}
    return days


def _covered(fills: list[tuple[int, str, int]], removed: set[int], last: int) -> set[int]:
    """Each drug by itself: its supply is used up one day at a time, on days that count."""
    covered: set[int] = set()
    for drug in {drug for _, drug, _ in fills}:
        day = -10_000
        for filled, supplied in [(filled, supplied) for filled, name, supplied in fills if name == drug]:
            day, left = max(day, filled), supplied
            while left and day <= last:
                if day not in removed:
                    covered.add(day)
                    left -= 1
                day += 1
    return covered
