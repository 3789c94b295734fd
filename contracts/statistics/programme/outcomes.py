"""What a programme may change: shares of the payers' members or of their days."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from contracts.parties import Role
from contracts.statistics.adherence import ADHERENCE_RATE, BAND, PDC_POOLED, adherent_bands
from contracts.statistics.declarations import Need
from contracts.statistics.questions import Filter
from contracts.terms import FeedTerms

MEMBERS: Final = "members"
HOSPITALISED: Final = "hospitalised_members"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A share, part / whole. of: the statistic that it is a figure of. figure: what that calls it. banded: the part is
    the whole's adherence bands from 80% up. of_persons: it counts persons, so that sampling is known and bounds can be
    told."""

    of: str
    figure: str
    meaning: str
    part: str
    whole: str
    need: Need
    banded: bool = False
    of_persons: bool = True

    def narrowed(self, feed: FeedTerms) -> Filter:
        """Which cells of the feed the part is made of."""
        return {BAND: adherent_bands(feed.vocabularies[BAND])} if self.banded else {}

    def uses(self, dimension: str, feed: FeedTerms) -> bool:
        """Whether a name of `askable` goes by what the outcome is told by: its groups are none whose outcomes
        could differ."""
        return feed.own_of(dimension) in self.own_dimensions

    @property
    def own_dimensions(self) -> tuple[str, ...]:
        return (BAND,) if self.banded else ()


OUTCOMES: Final = {
    outcome.of: outcome
    for outcome in (
        Outcome(
            "adherence_rate",
            "adherence_rate",
            "share of members whose proportion of days covered is at least 80%",
            MEMBERS,
            MEMBERS,
            ADHERENCE_RATE.needs[0],
            banded=True,
        ),
        Outcome(
            "pdc_pooled",
            "pdc_pooled",
            "days covered / treatment days",
            "days_covered",
            "treatment_days",
            PDC_POOLED.needs[0],
            of_persons=False,
        ),
        Outcome(
            "utilisation_rate",
            "hospitalised_share",
            "share of members with one or more hospital stays",
            HOSPITALISED,
            MEMBERS,
            Need(Role.PAYER, (), (MEMBERS, HOSPITALISED)),
        ),
    )
}


def narrowed_need(need: Need, holds: Callable[[FeedTerms], bool], text: str, *, linked: bool | None = None) -> Need:
    """The same need of fewer feeds."""
    before = need.condition
    words = " and ".join(each for each in (need.condition_text, text) if each)
    return replace(need, condition=lambda feed: before(feed) and holds(feed), condition_text=words, linked=linked)
