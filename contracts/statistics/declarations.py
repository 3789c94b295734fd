"""What every statistic declares in one place: the catalogue, the checks and the answer's words come from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contracts.parties import Role
from contracts.statistics.answers import Label, Row
from contracts.statistics.questions import Question
from contracts.statistics.slices import Slice
from contracts.terms import FeedTerms, Rules


@dataclass(frozen=True, slots=True)
class Need:
    """A feed that a statistic is computed from: who posts it and what it must hold. role None: anyone.

    condition: what else must hold of the feed; condition_text says it to people.
    """

    role: Role | None
    dimensions: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    condition: Callable[[FeedTerms], bool] = lambda feed: True
    condition_text: str = ""

    def fits(self, feed: FeedTerms) -> bool:
        return (
            self.role in (None, feed.provider)
            and set(self.dimensions) <= set(feed.vocabularies)
            and set(self.measures) <= set(feed.measures)
            and self.condition(feed)
        )

    def __str__(self) -> str:
        parts = ["a feed", f"posted by the {self.role}" if self.role else "posted by any party"]
        if self.dimensions:
            parts.append(f"with dimension {', '.join(self.dimensions)}")
        if self.measures:
            parts.append(f"with measure {', '.join(self.measures)}")
        return " ".join([*parts, self.condition_text]).strip()


@dataclass(frozen=True, slots=True)
class Computed:
    """Rows, and what a statistic has to add to the answer's labels and notes."""

    rows: list[Row]
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()


Compute = Callable[[Question, Rules, tuple[Slice, ...]], Computed]


@dataclass(frozen=True, slots=True)
class Statistic:
    """A named estimand.

    own_dimensions: dimensions that the estimand itself uses, so that nobody can ask by or filter them.
    same_periods: the feeds are divided by one another, so both sides rest on the periods that both cover.
    whole_pools: rests only on periods that every provider of a feed has posted, since a part would be misleading.
    choosable: which of `needs` lets the question choose measures; None where the estimand fixes them.
    """

    name: str
    title: str
    estimand: str
    formula: str
    source: str
    needs: tuple[Need, ...]
    interval_covers: str
    total_interval_covers: str | None
    compute: Compute
    label: Label = Label.ASSOCIATIONAL
    own_dimensions: tuple[str, ...] = ()
    same_periods: bool = False
    whole_pools: bool = False
    choosable: int | None = None

    def figures(self, question: Question, feeds: Sequence[FeedTerms]) -> tuple[int, ...]:
        """How many figures an answer shows in each stratum of each feed: the measures asked (or all, where none are)
        of a feed that lets choose, and the statistic's own one, a quotient, in the strata of its first feed."""
        shown = [1] + [0] * (len(feeds) - 1)
        if self.choosable is not None:
            shown[self.choosable] = len(question.measures or feeds[self.choosable].measures)
        return tuple(shown)
