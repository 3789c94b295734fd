"""What every statistic declares in one place: the catalogue, the checks and the answer's words come from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contracts.parties import Role
from contracts.statistics.answers import ECOLOGICAL_WARNING, Label
from contracts.statistics.columns import Column
from contracts.statistics.questions import Compare, Question
from contracts.statistics.slices import Slice
from contracts.statistics.stratified import Quotient
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

    def lacks(self, feed: FeedTerms) -> list[str]:
        """In words, why the feed does not fit; nothing where it does. One of another party needs no further reason."""
        if self.role not in (None, feed.provider):
            return [f"posted by the {feed.provider}"]
        absent = {*self.dimensions, *self.measures} - {*feed.vocabularies, *feed.measures}
        lacking = {
            f"no {', '.join(sorted(absent))}": bool(absent),
            "not linked" if self.linked else "linked": self.linked not in (None, feed.linked is not None),
            "not such a one": not absent and not self.condition(feed),
        }
        return [words for words, holds in lacking.items() if holds]

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
Complete = Callable[[Asked], Question]
Derive = Callable[[Asked], "Statistic"]


@dataclass(frozen=True, slots=True)
class Statistic:
    """A named estimand.

    figures: what its answers hold. interval_method: how intervals are made, with its source.
    own_dimensions: dimensions that the estimand itself uses, so that nobody can ask by or filter them. rows_by: those
    of them that its rows go by anyhow.
    warning: what its answers say first where they are ecological.
    same_periods: the feeds are divided by one another, so both sides rest on the periods that both cover.
    finer_beside: those after the first may be of a finer grain; they meet over whole periods of the first.
    whole_pools: rests only on periods that every provider of a feed has posted, since a part would be misleading.
    settled_only: leaves out periods of which a release is provisional. every_period: rests on all periods asked, or
    there is no answer.
    period_of_contract: about a period that the contract names, so that no grain of time has to be granted for it.
    before: is computed from the stretch right before each one asked, too: the slices of that follow the others.
    choosable: which of `needs` lets the question choose measures; None where the estimand fixes them.
    all_choosable: each of them does.
    compares: with what its figures can be compared. subjects: what `of` may name; empty where it is about itself.
    of_granted: whether that is a statistic, which then has to be granted as well.
    complete: the question as it is decided and answered: with what the statistic takes where it is not said.
    derive: makes the statistic that answers one question, where that depends on the contract or on `of`. Raises
    QuestionInvalid.
    quotients: its shares and rates of a feed, which can be standardised. uses_standard: whether it goes by a standard.
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
    rows_by: tuple[str, ...] = ()
    warning: str = ECOLOGICAL_WARNING
    same_periods: bool = False
    finer_beside: bool = False
    whole_pools: bool = False
    settled_only: bool = False
    every_period: bool = False
    period_of_contract: bool = False
    before: bool = False
    choosable: int | None = None
    all_choosable: bool = False
    compares: tuple[Compare, ...] = (Compare.PREVIOUS,)
    subjects: tuple[str, ...] = ()
    of_granted: bool = False
    complete: Complete = lambda asked: asked.question
    derive: Derive | None = None
    quotients: Callable[[FeedTerms], tuple[Quotient, ...]] | None = None
    uses_standard: bool = False
    most_figures: Callable[[Question, Sequence[FeedTerms]], int] = lambda question, feeds: 1

    @property
    def choosing(self) -> tuple[int, ...]:
        """Which of `needs` let the question choose measures."""
        if self.all_choosable:
            return tuple(range(len(self.needs)))
        return () if self.choosable is None else (self.choosable,)

    def figures_shown(self, question: Question, feeds: Sequence[FeedTerms]) -> tuple[int, ...]:
        """How many figures an answer shows in each stratum of each feed: the measures asked (or all, where none are)
        of a feed that lets choose, and the statistic's own ones, in the strata of its first feed. Twice as many where
        each is compared."""
        shown = [self.most_figures(question, feeds)] + [0] * (len(feeds) - 1)
        for i in self.choosing:
            shown[i] = len(feeds[i].chosen(question.measures))
        return tuple(2 * count if self.before or question.compare is Compare.PREVIOUS else count for count in shown)
