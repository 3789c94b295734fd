"""The public parameters of one period of a feed as a relation of one row, so that SQL texts need no templates."""

from datetime import date
from typing import Final

from adapters.preparation.engine import Engine
from contracts.periods import Grain, Period, PeriodRange
from contracts.preparation.bands import latest_birth_day
from contracts.preparation.definitions import EmergencyAdmissions, FeedDefinition, FromClaims, StayDays, Window
from contracts.preparation.dimensions import PRODUCT, REASON
from contracts.terms import FeedTerms

EPOCH: Final = date(1970, 1, 1)
_JUDGED: Final = ("first_day", "last_day", "window_first_day", "latest_birth_day")


def create_asked(engine: Engine, feed: FeedTerms, definition: FeedDefinition, period: Period) -> None:
    """The relations `asked`, of one row; `fifteenths`, the 15th of each month of the period; `months`; and
    `feed_periods`, with what a person is judged by in each period of the feed as far as this one."""
    values = _asked(feed, definition, period)
    # INTEGER, as days are in the claims.
    engine.create_values("asked", [f"{name} INTEGER" for name in values], [list(values.values())])
    months = PeriodRange(_month(period.first_day), _month(period.last_day))
    engine.create_values("fifteenths", ["day INTEGER"], [[_day(each.first_day) + 14] for each in months])
    create_months(engine, feed.periods.first.first_day, period.last_day)
    judged = [[*_judged(definition, each).values()] for each in PeriodRange(feed.periods.first, period)]
    engine.create_values("feed_periods", [f"{name} INTEGER" for name in _JUDGED], judged)


def create_months(engine: Engine, first: date, last: date) -> None:
    """months(month, first_day, last_day): from the month of the one day to that after the month of the other, each with
    the number of months since year 0."""
    after_last = min(_month(last).index + 1, _month(date.max).index)
    months = PeriodRange(_month(first), Period(Grain.MONTH, after_last))
    rows = [(each.index, _day(each.first_day), _day(each.last_day)) for each in months]
    engine.create_values("months", ["month INTEGER", "first_day INTEGER", "last_day INTEGER"], rows)


def sources_of(feed: FeedTerms, definition: FeedDefinition) -> frozenset[str]:
    """What the dimensions of a feed come from."""
    return frozenset(definition.dimensions.get(name, FromClaims(name)).source for name in feed.dimensions)


def _asked(feed: FeedTerms, definition: FeedDefinition, period: Period) -> dict[str, int | None]:
    return {
        **_judged(definition, period),
        "window_last_day": _day(_window(definition.window, period)[1]),
        "window_days": definition.window_days if definition.window is Window.INDEX else None,
        "least_fill_dates": definition.least_fill_dates,
        "least_treatment_days": definition.least_treatment_days,
        "threshold_numerator": definition.threshold.numerator,
        "threshold_denominator": definition.threshold.denominator,
        "gap_days": definition.gap_days,
        "washout_days": definition.washout_days,
        "enrolment_gap_days": definition.enrolment_gap_days,
        "feed_first_day": _day(feed.periods.first.first_day),
        "known_after_months": feed.known_after_months,
        "last_month": _month(period.last_day).index,
        "stay_days_removed": int(definition.stay_days is StayDays.REMOVED),
        "emergency_admissions_left_out": int(definition.emergency_admissions is EmergencyAdmissions.LEFT_OUT),
        "by_product": int(PRODUCT.name in sources_of(feed, definition)),
        # Persistence is with the product, which a switch ends, where products or reasons are told apart.
        "switch_ends_episode": int(not sources_of(feed, definition).isdisjoint({PRODUCT.name, REASON.name})),
    }


def _judged(definition: FeedDefinition, period: Period) -> dict[str, int | None]:
    """By which a person's age, residence and exclusions in one period are judged; by the names of _JUDGED."""
    least_age = definition.least_age
    born = None if least_age is None else latest_birth_day(least_age, period.first_day)
    days = (period.first_day, period.last_day, _window(definition.window, period)[0])
    return dict(zip(_JUDGED, (*map(_day, days), born), strict=True))


def _window(window: Window, period: Period) -> tuple[date, date]:
    """The days in which the index is looked for; with a window from the index, any as far as the period's last."""
    match window:
        case Window.PERIOD:
            return period.first_day, period.last_day
        case Window.YEAR:
            year = period.rolled_up_to(Grain.YEAR)
            return year.first_day, year.last_day
        case Window.INDEX:
            return date.min, period.last_day


def _month(day: date) -> Period:
    return Period(Grain.MONTH, 12 * day.year + day.month - 1)


def _day(day: date) -> int:
    return (day - EPOCH).days
