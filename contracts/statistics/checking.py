"""Whether a question fits a contract and its feeds, or every fault of it with what would have been accepted."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from math import prod
from typing import Final

from contracts.periods import NotAPeriod
from contracts.refusals import Fault, QuestionInvalid
from contracts.statistics.as_of import names_of
from contracts.statistics.questions import (
    TIME,
    Question,
    buckets_of,
    selected_periods,
    strata_of,
    values_left,
)
from contracts.terms import FeedTerms, Terms, repeated

MAX_ROWS: Final = 20_000
# Some 6,000 cells over 36 months: about two seconds of one core.
MAX_STRATA: Final = 250_000


def check_question(question: Question, terms: Terms, feeds: Sequence[FeedTerms], figures: Sequence[int]) -> None:
    """Raises QuestionInvalid with every fault: unknown or repeated names, too many rows, a wrong confidence.

    figures: for each feed, how many the answer shows in each of its strata.
    """
    faults = [fault for feed in feeds for fault in _feed_faults(question, terms, feed, feeds)]
    if not faults:
        faults += _too_many_rows(question, feeds, figures)
    faults += _repeated(question)
    if not 0.5 < question.confidence <= 0.999:
        faults.append(Fault("/confidence", "confidence_invalid", "above 0.5 and at most 0.999"))
    if faults:
        raise QuestionInvalid("The question does not fit this contract.", faults=tuple(dict.fromkeys(faults)))


def _too_many_rows(question: Question, feeds: Sequence[FeedTerms], figures: Sequence[int]) -> list[Fault]:
    """Reckoned from the contract alone, so that nothing is read for an answer that is not given."""
    rows = sum(
        shown * strata_of(question, feed) * len(buckets_of(question, selected_periods(question, feed)))
        for feed, shown in zip(feeds, figures, strict=True)
    )
    if rows <= MAX_ROWS:
        return []
    message = f"an answer has at most {MAX_ROWS} rows, and this one would have {rows}: "
    return [Fault("/by", "too_many_rows", message + "ask by less, for fewer measures or periods, or filter")]


def _repeated(question: Question) -> Iterator[Fault]:
    for name in sorted(repeated(question.by)):
        yield Fault("/by", "dimension_repeated", f"{name} is named twice; each dimension once")
    grains = sorted(TIME.intersection(question.by))
    if len(grains) > 1:
        yield Fault("/by", "dimension_repeated", f"one grain of time, and not {' and '.join(grains)}")


def require_few_strata(cuts: Sequence[Question], feeds: Sequence[FeedTerms], own: Collection[str] = ()) -> None:
    """Raises QuestionInvalid for too much to reckon, by the contract alone: strata and stretches of time, of each feed
    by its cut. own: dimensions that the statistic goes by as well."""
    for cut, feed in zip(cuts, feeds, strict=True):
        inner = prod(len(values) for name, values in feed.vocabularies.items() if name in own)
        strata = inner * strata_of(cut, feed) * len(buckets_of(cut, selected_periods(cut, feed)))
        if strata > MAX_STRATA:
            message = (
                f"an answer is reckoned from at most {MAX_STRATA} strata and stretches of time, and this one would be "
                f"from {strata} of {feed.name}: ask for fewer periods, by a coarser grain of time or less, or filter"
            )
            fault = Fault("/by", "too_many_strata", message)
            raise QuestionInvalid("The question does not fit this contract.", faults=(fault,))


def _feed_faults(question: Question, terms: Terms, feed: FeedTerms, feeds: Sequence[FeedTerms]) -> list[Fault]:
    """Of one of the feeds, with what would do for all of them."""
    grains = [grain.value for grain in terms.grains_of(feed) if all(grain in terms.grains_of(each) for each in feeds)]
    known = _listed((*_shared(feeds), *grains))
    faults = []
    for name in question.dimensions:
        if name not in feed.askable:
            faults.append(Fault("/by", "dimension_unknown", f"{_names(feeds)} can be asked by {known}"))
    faults += _nested(question, feed)
    faults += _filter_faults(question, feed, feeds)
    if question.time_grain and question.time_grain not in terms.grains_of(feed):
        faults.append(Fault("/by", "grain_unknown", f"{_names(feeds)} can be asked by {known}"))
    if question.as_of not in names_of(feed):
        faults.append(Fault("/as_of", "as_of_invalid", f"{feed.name} can be asked as of {', '.join(names_of(feed))}"))
    try:
        selected_periods(question, feed)
    except NotAPeriod as error:
        faults.append(Fault("/periods", "period_invalid", str(error)))
    return faults


def _nested(question: Question, feed: FeedTerms) -> Iterator[Fault]:
    """Of a dimension and what it rolls up to, both would be asked of the same cells: the finer tells the coarser."""
    by_own: dict[str, list[str]] = {}
    for name in dict.fromkeys(question.dimensions):
        if name in feed.askable:
            by_own.setdefault(feed.own_of(name), []).append(name)
    for own, names in by_own.items():
        if len(names) > 1:
            known = _listed(_going_by(feed, own))
            yield Fault("/by", "dimensions_nested", f"one of {known}, which go by the same cells; filter by the others")


def _shared(feeds: Sequence[FeedTerms]) -> list[str]:
    """The dimensions that every feed can be asked by."""
    return [name for name in feeds[0].askable if all(name in feed.askable for feed in feeds)]


def _names(feeds: Sequence[FeedTerms]) -> str:
    names = list(dict.fromkeys(feed.name for feed in feeds))
    return names[0] if len(names) == 1 else f"{' and '.join(names)} together"


def _filter_faults(question: Question, feed: FeedTerms, feeds: Sequence[FeedTerms]) -> list[Fault]:
    """Values that are not there, or, if all are, values of which no cell has all."""
    faults, known = [], _listed(_shared(feeds))
    for name, values in question.filters.items():
        if name not in feed.askable:
            faults.append(Fault("/where", "dimension_unknown", f"{_names(feeds)} can be filtered by {known}"))
        elif not values or not set(values) <= set(feed.groups_by(name)):
            faults.append(Fault("/where", "value_unknown", f"{name} is one of {_listed(feed.groups_by(name))}"))
    empty = [own for own in feed.dimensions if not values_left(question, feed, own)]
    return faults or [_contradiction(question, feed, own) for own in empty]


def _contradiction(question: Question, feed: FeedTerms, own: str) -> Fault:
    asked = [name for name in _going_by(feed, own) if name in question.filters]
    holds = (
        f"{value} is made of {_listed(feed.groups_by(name)[value])}"
        for name in asked
        if name != own
        for value in question.filters[name]
    )
    message = f"no {own} fits {' and '.join(asked)}; {'; '.join(holds)}"
    return Fault("/where", "filters_contradict", message)


def _going_by(feed: FeedTerms, own: str) -> list[str]:
    return [name for name in feed.askable if feed.own_of(name) == own]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
