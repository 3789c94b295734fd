"""How long persons were there, which rates are divided by: the best measure of it that a feed has."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.periods import Grain, Period
from contracts.terms import FeedTerms

DAYS_A_YEAR = 365.25
MONTHS_A_YEAR = 12.0

# In this order. Days of enrolment are the time itself; treatment days leave out the time without the medicine; heads
# times the length of the period take everyone to be there to its end.
IN_DAYS_OR_MONTHS = {"enrolled_days": DAYS_A_YEAR, "member_months": MONTHS_A_YEAR, "treatment_days": DAYS_A_YEAR}
MEASURED = tuple(IN_DAYS_OR_MONTHS)


@dataclass(frozen=True, slots=True)
class PersonTime:
    """measure: what is divided by. per_year: how much of it makes a year of one person. words: the note of it."""

    measure: str
    per_year: float
    words: str

    @property
    def per_month(self) -> float:
        return self.per_year / MONTHS_A_YEAR


def get_person_time(feed: FeedTerms, heads: str = "members", measured: Sequence[str] = MEASURED) -> PersonTime:
    """As `find_person_time`. Raises ValueError where there is none."""
    found = find_person_time(feed, heads, measured)
    if found is None:
        raise ValueError(f"{feed.name} has no measure of time")
    return found


def find_person_time(feed: FeedTerms, heads: str = "members", measured: Sequence[str] = MEASURED) -> PersonTime | None:
    """The first that the feed has of `measured`, else of `heads` times the length of a period."""
    for name in measured:
        if name in feed.measures:
            per_year = IN_DAYS_OR_MONTHS[name]
            return PersonTime(name, per_year, f"Time is {name}: {per_year:g} of them make a year of one person.")
    if heads not in feed.measures:
        return None
    words = f"Time is {heads} times the length of a {feed.grain}: each is taken to be there for the whole of it."
    return PersonTime(heads, float(Period(Grain.YEAR, 2000).length_in(feed.grain)), words)
