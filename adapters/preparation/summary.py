"""What came of a preparation in numbers, for the payer's own eyes: exact counts stay where the claims are."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Final

from adapters.preparation.cells import LocalCounts
from adapters.preparation.register import BEYOND_K
from adapters.preparation.strata import NOT_IN_VOCABULARY
from adapters.preparation.unseen import as_ranges
from contracts.parties import JsonObject
from contracts.periods import Period
from contracts.terms import FeedTerms

LOCAL: Final = "Exact numbers: they stay on this machine."
# In the order in which `sql/persons.sql` tries the rules; the others, dimensions and k, come after.
_RULES: Final = (
    "not_enrolled",
    "no_fill_of_the_class",
    "not_enrolled_at_index",
    "first_episode_not_begun_in_period",
    "first_episode_not_ended_in_period",
    "no_new_user",
    "age_unknown",
    "age",
)
_EXCLUSION: Final = "excluded:"
_NOT_IN_VOCABULARY: Final = NOT_IN_VOCABULARY.format(dimension="")


@dataclass(frozen=True, slots=True)
class PeriodSummary:
    """not_noted: earlier periods that the register never saw."""

    feed: str
    period: Period
    counts: LocalCounts
    not_noted: tuple[Period, ...]

    @property
    def excluded(self) -> dict[str, int]:
        """By reason, in the order in which rules are tried."""
        return {rule: self.counts.excluded[rule] for rule in sorted(self.counts.excluded, key=_place)}

    @property
    def remaining(self) -> list[tuple[str, int]]:
        """How many members are left after each rule."""
        after = accumulate(self.excluded.values(), int.__sub__, initial=self.counts.members)
        return list(zip(("members read", *self.excluded), after, strict=True))

    @property
    def alarms(self) -> tuple[str, ...]:
        """What is hardly meant, and would otherwise be one number among many."""
        if self.counts.kept:
            return ()
        rule, members = max(self.excluded.items(), key=lambda each: each[1], default=("", 0))
        most = f": {rule} left out {members:,} of {self.counts.members:,}" if members else ": no member was read"
        return (f"NOBODY is in the cells of {self.feed} {self.period}{most}.",)

    def document(self) -> JsonObject:
        counts = asdict(self.counts) | {"excluded": self.excluded}
        return {
            "feed": self.feed,
            "period": str(self.period),
            **counts,
            "remaining": [{"after": rule, "members": members} for rule, members in self.remaining],
            "periods_not_noted": [str(period) for period in self.not_noted],
            "alarms": list(self.alarms),
        }


def lines_of(summary: PeriodSummary, feed: FeedTerms) -> list[tuple[str, str]]:
    """Names and numbers for people: everybody who was read, and why who is not in the cells."""
    return [
        ("members read", f"{summary.counts.members:,}"),
        *((f"  not counted: {rule}", f"{count:,}") for rule, count in summary.excluded.items() if rule != BEYOND_K),
        *cells_lines(summary, feed),
    ]


def cells_lines(summary: PeriodSummary, feed: FeedTerms) -> list[tuple[str, str]]:
    """What the contract's bounds do to who is left after the rules."""
    counts = summary.counts
    others = f"{feed.k} other period{'s' if feed.k > 1 else ''}"
    return [
        (f"  not counted: in {others} already", f"{counts.excluded.get(BEYOND_K, 0):,}"),
        ("in the cells", f"{counts.kept:,}"),
        *((f"  {name} cut to {feed.bounds[name]:,}", f"{count:,}") for name, count in counts.clipped.items()),
        *([("  lowered to keep an invariant", f"{counts.lowered:,}")] if feed.invariants else []),
        (f"strata with anything in them, of {feed.cells_per_measure:,}", f"{counts.strata:,}"),
    ]


def not_noted_notice(periods: Sequence[Period]) -> str:
    return (
        f"The register never saw {as_ranges(periods)}. If they were posted from elsewhere, one person may be in more "
        "periods than the contract says: prepare them with this register."
    )


def _place(rule: str) -> tuple[int, int]:
    """Dimensions and k stay last, in the order they came in: sorting is stable."""
    if rule in _RULES:
        return 0, _RULES.index(rule)
    if rule.startswith(_EXCLUSION):
        return 1, 0
    return (3 if rule.endswith(_NOT_IN_VOCABULARY) or rule == BEYOND_K else 2), 0
