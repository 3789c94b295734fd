"""Periods of a feed: calendar months, quarters and years, written 2025-03, 2025-Q1 and 2025."""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Grain(StrEnum):
    """How long one period of a feed is."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class NotAPeriod(ValueError):
    """The text names no period of this grain."""


_MONTHS = {Grain.MONTH: 1, Grain.QUARTER: 3, Grain.YEAR: 12}
_FORMS = {
    Grain.MONTH: re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII),
    Grain.QUARTER: re.compile(r"(\d{4})-Q([1-4])", re.ASCII),
    Grain.YEAR: re.compile(r"(\d{4})()", re.ASCII),
}
# Of the right form, with a number that no month or quarter may have.
_NUMBERED = {
    Grain.MONTH: re.compile(r"\d{4}-(\d\d)", re.ASCII),
    Grain.QUARTER: re.compile(r"\d{4}-Q(\d)", re.ASCII),
    Grain.YEAR: re.compile(r"(?!)()"),
}
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_EXAMPLES = {Grain.MONTH: "2025-03", Grain.QUARTER: "2025-Q1", Grain.YEAR: "2025"}


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """One period. `index` counts periods of the grain since year 0, so that order and ranges are arithmetic."""

    grain: Grain
    index: int

    @classmethod
    def parse(cls, text: str, grain: Grain) -> "Period":
        """Raises NotAPeriod with an example of the right form."""
        match = _FORMS[grain].fullmatch(text)
        if match is None or match[1] == "0000":
            numbered = _NUMBERED[grain].fullmatch(text)
            lacking = f"there is no {grain} {numbered[1]}; " if match is None and numbered else ""
            raise NotAPeriod(f"{lacking}a {grain} is written like {_EXAMPLES[grain]}")
        return cls(grain, int(match[1]) * (12 // _MONTHS[grain]) + int(match[2] or 1) - 1)

    def __str__(self) -> str:
        per_year = 12 // _MONTHS[self.grain]
        year, position = divmod(self.index, per_year)
        if self.grain is Grain.MONTH:
            return f"{year:04d}-{position + 1:02d}"
        return f"{year:04d}-Q{position + 1}" if self.grain is Grain.QUARTER else f"{year:04d}"

    @property
    def first_day(self) -> date:
        year, month = divmod(self.index * _MONTHS[self.grain], 12)
        return date(year, month + 1, 1)

    @property
    def last_day(self) -> date:
        year, month = divmod((self.index + 1) * _MONTHS[self.grain] - 1, 12)
        return date(year, month + 1, calendar.monthrange(year, month + 1)[1])

    def rolled_up_to(self, grain: Grain) -> "Period":
        """The period of a coarser (or the same) grain that holds this one. Raises NotAPeriod for a finer one."""
        if _MONTHS[grain] < _MONTHS[self.grain]:
            raise NotAPeriod(f"a {self.grain} does not lie within one {grain}")
        return Period(grain, self.index * _MONTHS[self.grain] // _MONTHS[grain])

    def parts(self, grain: Grain) -> "PeriodRange":
        """The periods of a finer (or the same) grain that it holds."""
        length = self.length_in(grain)
        return PeriodRange(Period(grain, self.index * length), Period(grain, (self.index + 1) * length - 1))

    def length_in(self, grain: Grain) -> int:
        """How many periods of a finer (or the same) grain it holds."""
        return _MONTHS[self.grain] // _MONTHS[grain]


def parse_any(text: str) -> Period:
    """The period of whatever grain that the text names. Raises NotAPeriod."""
    for grain in Grain:
        try:
            return Period.parse(text, grain)
        except NotAPeriod:
            continue
    raise NotAPeriod("a period is written like 2025, 2025-Q1 or 2025-03")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of days, both ends included; written as periods of any grain, or as dates."""

    first: date
    last: date

    @classmethod
    def parse(cls, first: str, last: str) -> "Stretch":
        """From the first day of one to the last day of the other. Raises NotAPeriod."""
        return cls(_days(first)[0], _days(last)[1])

    def __contains__(self, period: Period) -> bool:
        return self.first <= period.first_day and period.last_day <= self.last


def _days(text: str) -> tuple[date, date]:
    try:
        period = parse_any(text)
    except NotAPeriod as error:
        if _DATE.fullmatch(text) is None:
            raise NotAPeriod(f"{error}, a date like 2025-01-31") from None
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise NotAPeriod("this is not a date of the calendar") from None
        return day, day
    return period.first_day, period.last_day


@dataclass(frozen=True, slots=True)
class PeriodRange:
    """Both ends included, of one grain."""

    first: Period
    last: Period

    def __iter__(self) -> Iterator[Period]:
        return (Period(self.first.grain, i) for i in range(self.first.index, self.last.index + 1))

    def __len__(self) -> int:
        return max(0, self.last.index - self.first.index + 1)

    def __contains__(self, period: Period) -> bool:
        return period.grain is self.first.grain and self.first.index <= period.index <= self.last.index


def first_within(periods: PeriodRange, days: Stretch) -> Period | None:
    """The first of the periods that lies wholly within these days, by arithmetic."""
    grain = periods.first.grain
    begun = Period(Grain.MONTH, days.first.year * 12 + days.first.month - 1).rolled_up_to(grain)
    index = max(periods.first.index, begun.index + (begun.first_day < days.first))
    found = Period(grain, index)
    return found if index <= periods.last.index and found in days else None
