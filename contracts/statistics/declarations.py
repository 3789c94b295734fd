"""What every statistic declares in one place, and how its feeds are found in a contract."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from contracts.parties import Role
from contracts.refusals import Fault, QuestionInvalid
from contracts.statistics.answers import Label, Row
from contracts.statistics.questions import Question
from contracts.statistics.slices import Slice
from contracts.terms import FeedTerms, Rules, Terms

ADHERENT_FROM_PERCENT = 80
_BAND = re.compile(r"p(\d{2})_(\d{2,3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Need:
    """A feed that a statistic is computed from: who posts it and what it must hold. role None: anyone."""

    role: Role | None
    dimensions: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()

    def fits(self, feed: FeedTerms) -> bool:
        return (
            self.role in (None, feed.provider)
            and set(self.dimensions) <= set(feed.vocabularies)
            and set(self.measures) <= set(feed.measures)
        )

    def __str__(self) -> str:
        posted_by = f"posted by the {self.role}" if self.role else "posted by any party"
        parts = [f"with {kind} {', '.join(names)}" for kind, names in
                 (("dimension", self.dimensions), ("measure", self.measures)) if names]  # fmt: skip
        return " ".join(["a feed", posted_by, *parts])


@dataclass(frozen=True, slots=True)
class Computed:
    """Rows, and what a statistic has to add to the answer's labels and notes."""

    rows: list[Row]
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()


Compute = Callable[[Question, Rules, tuple[Slice, ...]], Computed]


@dataclass(frozen=True, slots=True)
class Statistic:
    """A named estimand. The catalogue, the checks and the answer's words all come from this declaration.

    own_dimensions: dimensions that the estimand itself uses, so that nobody can ask by or filter them.
    same_periods: the feeds are divided by one another, so both sides rest on the periods that both cover.
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

    def get_feeds(self, terms: Terms, question: Question) -> tuple[FeedTerms, ...]:
        """One feed for each need. Raises QuestionInvalid naming what is missing and what there is."""
        reserved = set(self.own_dimensions) & {*question.by, *question.filters}
        faults = [
            Fault("/by", "dimension_in_use", f"{self.name} itself uses {name}; ask counts by it instead")
            for name in sorted(reserved)
        ]
        fitting = [[feed for feed in terms.feeds if need.fits(feed)] for need in self.needs]
        named = [feed.name for feeds in fitting for feed in feeds]
        if question.feed is not None and question.feed not in named:
            faults.append(Fault("/feed", "feed_unsuitable", f"{self.name} can be asked of {', '.join(named)}"))
        found = [_choose(feeds, question) for feeds in fitting]
        faults += [fault for need, feeds in zip(self.needs, fitting, strict=True) for fault in
                   self._unclear(need, feeds, terms, question)]  # fmt: skip
        if self.same_periods and len({feed.grain for feed in found if feed}) > 1:
            faults.append(Fault("/feed", "grains_differ", f"{self.name} divides feeds of one grain; these differ"))
        if faults:
            raise QuestionInvalid("The contract's feeds cannot answer this.", faults=tuple(faults))
        return tuple(feed for feed in found if feed is not None)

    def _unclear(self, need: Need, feeds: list[FeedTerms], terms: Terms, question: Question) -> list[Fault]:
        if not feeds:
            known = ", ".join(feed.name for feed in terms.feeds)
            return [Fault("/feed", "feed_missing", f"{self.name} needs {need}; this contract has {known}")]
        if need.role is None and len(feeds) > 1 and question.feed is None:
            return [Fault("/feed", "feed_needed", f"name one of {', '.join(feed.name for feed in feeds)}")]
        return []


def _choose(feeds: list[FeedTerms], question: Question) -> FeedTerms | None:
    return next((feed for feed in feeds if feed.name == question.feed), feeds[0] if feeds else None)


def adherent_bands(vocabulary: tuple[str, ...]) -> tuple[str, ...]:
    """The bands from 80% up, by their names: p80_100 holds a PDC of 0.80 to 1.00, both included."""
    matches = {band: _BAND.fullmatch(band) for band in vocabulary}
    return tuple(band for band, match in matches.items() if match and int(match[1]) >= ADHERENT_FROM_PERCENT)
