"""What every statistic declares in one place: the catalogue, the checks and the answer's words come from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contracts.parties import Role
from contracts.statistics.answers import Label
from contracts.statistics.columns import Column
from contracts.statistics.questions import Compare, Question
from contracts.statistics.slices import Slice
from contracts.terms import FeedTerms, Terms

Cut = Callable[[Question, FeedTerms], Question]


@dataclass(frozen=True, slots=True)
class Need:
    """A feed that a statistic is computed from: who posts it and what it must hold. role None: anyone.

    condition: what else must hold of the feed; condition_text says it to people. linked: whether a brand's flag must be
    in its cells; None where it does not matter. cut: the question by which its releases are summed and fitted, where
    that is not the one asked: finer, or over more periods, for what the statistic then puts together.
    """

    role: Role | None
    dimensions: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    condition: Callable[[FeedTerms], bool] = lambda feed: True
    condition_text: str = ""
    linked: bool | None = None
    cut: Cut = lambda question, feed: question

    def fits(self, feed: FeedTerms) -> bool:
        return (
            self.role in (None, feed.provider)
            and set(self.dimensions) <= set(feed.vocabularies)
            and set(self.measures) <= set(feed.measures)
            and self.linked in (None, feed.linked is not None)
            and self.condition(feed)
        )

    def __str__(self) -> str:
        parts = ["a linked feed" if self.linked else "a feed"]
        parts.append(f"posted by the {self.role}" if self.role else "posted by any party")
        if self.dimensions:
            parts.append(f"with dimension {', '.join(self.dimensions)}")
        if self.measures:
            parts.append(f"with measure {', '.join(self.measures)}")
        return " ".join([*parts, self.condition_text]).strip()


@dataclass(frozen=True, slots=True)
class Computed:
    """The columns of an answer, and what a statistic has to add to its labels and notes."""

    columns: list[Column]
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that a statistic answers with. name, unit: as rows have them; `<measure>` where they follow it."""

    name: str
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What a statistic that is made for a question is made from: the question, the contract, the feeds that the grant
    leaves, the statistics that it grants, and every statistic by name."""

    question: Question
    terms: Terms
    feeds: tuple[FeedTerms, ...]
    granted: tuple[str, ...]
    get: Callable[[str], "Statistic"]


Compute = Callable[[Question, Terms, tuple[Slice, ...]], Computed]
Derive = Callable[[Asked], "Statistic"]


@dataclass(frozen=True, slots=True)
class Statistic:
    """A named estimand.

    figures: what its answers hold. interval_method: how intervals are made, with its source.
    own_dimensions: dimensions that the estimand itself uses, so that nobody can ask by or filter them.
    same_periods: the feeds are divided by one another, so both sides rest on the periods that both cover.
    whole_pools: rests only on periods that every provider of a feed has posted, since a part would be misleading.
    settled_only: leaves out periods of which a release is provisional.
    before: is computed from the stretch right before each one asked, too: the slices of that follow the others.
    choosable: which of `needs` lets the question choose measures; None where the estimand fixes them.
    compares: with what its figures can be compared. subjects: what `of` may name; empty where it is about itself.
    derive: makes the statistic that answers one question, where that depends on the contract or on `of`. Raises
    QuestionInvalid.
    most_figures: how many figures it shows in a stratum of its first feed, where that is not one.
    """

    name: str
    title: str
    estimand: str
    formula: str
    source: str
    needs: tuple[Need, ...]
    figures: tuple[Figure, ...]
    interval_method: str
    interval_covers: str
    total_interval_covers: str | None
    compute: Compute
    label: Label = Label.ASSOCIATIONAL
    own_dimensions: tuple[str, ...] = ()
    same_periods: bool = False
    whole_pools: bool = False
    settled_only: bool = False
    before: bool = False
    choosable: int | None = None
    compares: tuple[Compare, ...] = (Compare.PREVIOUS,)
    subjects: tuple[str, ...] = ()
    derive: Derive | None = None
    most_figures: Callable[[Question, Sequence[FeedTerms]], int] = lambda question, feeds: 1

    def figures_shown(self, question: Question, feeds: Sequence[FeedTerms]) -> tuple[int, ...]:
        """How many figures an answer shows in each stratum of each feed: the measures asked (or all, where none are)
        of a feed that lets choose, and the statistic's own ones, in the strata of its first feed. Twice as many where
        each is compared."""
        shown = [self.most_figures(question, feeds)] + [0] * (len(feeds) - 1)
        if self.choosable is not None:
            shown[self.choosable] = len(question.measures or feeds[self.choosable].measures)
        return tuple(2 * count if self.before or question.compare else count for count in shown)
