"""Which feeds of a contract a question is answered from, or what is missing and what could be asked instead."""

from collections.abc import Iterator, Sequence
from typing import Final

from contracts.periods import Grain, NotAPeriod
from contracts.refusals import Fault, QuestionInvalid
from contracts.statistics.declarations import Asked, Need, Statistic
from contracts.statistics.questions import Question, days_asked, selected_periods
from contracts.terms import FeedTerms, repeated

FEED_MISSING: Final = "feed_missing"
_AMBIGUOUS: Final = "Several of the contract's feeds could answer this."
_UNANSWERABLE: Final = "The contract's feeds cannot answer this."


def get_feeds(statistic: Statistic, granted: Sequence[FeedTerms], question: Question) -> tuple[FeedTerms, ...]:
    """One feed for each need of the statistic, among those granted. Raises QuestionInvalid with every fault."""
    fitting = [[feed for feed in granted if need.fits(feed)] for need in statistic.needs]
    left = [candidates(need, granted, question) for need in statistic.needs]
    chosen = [feeds[0] if feeds else None for feeds in left]
    faults = [
        *_dimensions_in_use(statistic, chosen, question),
        *(_feeds_unsuitable(statistic, fitting, question) or _unclear(statistic, left, granted, question)),
        *_grains_differ(statistic, chosen),
        *_measures_unclear(statistic, chosen, question),
    ]
    if faults:
        several = all(fault.code == "feed_needed" for fault in faults)
        raise QuestionInvalid(_AMBIGUOUS if several else _UNANSWERABLE, faults=tuple(faults))
    return tuple(feed for feed in chosen if feed is not None)


def candidates(need: Need, feeds: Sequence[FeedTerms], question: Question) -> list[FeedTerms]:
    """Of the feeds that fit a need those that the question may mean: the ones that it names, or else those that have
    what it asks by the contract's calendar. All that fit where that leaves none: then its periods are refused."""
    fitting = [feed for feed in feeds if need.fits(feed)]
    named = [feed for feed in fitting if feed.name in question.feeds]
    return named or [feed for feed in fitting if _has_periods(need, feed, question)] or fitting


def _has_periods(need: Need, feed: FeedTerms, question: Question) -> bool:
    try:
        return bool(selected_periods(need.cut(question, feed), feed))
    except NotAPeriod:
        return False


def find_feed(need: Need, asked: Asked) -> FeedTerms | None:
    """The feed that `get_feeds` would choose for a need, for statistics that depend on it; it says what is unclear."""
    return next(iter(candidates(need, asked.feeds, asked.question)), None)


def _dimensions_in_use(statistic: Statistic, chosen: list[FeedTerms | None], question: Question) -> Iterator[Fault]:
    """Under whatever name: a roll-up of a dimension in use is one, too."""
    used = set(statistic.own_dimensions)
    for feed in filter(None, chosen):
        used |= {name for name in feed.askable if feed.own_of(name) in used}
    for pointer, asked in (("/by", question.by), ("/where", question.filters)):
        for name in asked:
            if name in used:
                message = f"{statistic.name} itself uses {name}; ask counts by it instead"
                if name in statistic.rows_by:
                    message = f"the rows of {statistic.name} already go by {name}, all of it; leave it out"
                yield Fault(pointer, "dimension_in_use", message)


def _feeds_unsuitable(statistic: Statistic, fitting: list[list[FeedTerms]], question: Question) -> list[Fault]:
    names = list(dict.fromkeys(feed.name for feeds in fitting for feed in feeds))
    if not names or not set(question.feeds) - set(names):
        return []
    return [Fault("/feed", "feed_unsuitable", f"{statistic.name} can be asked of {', '.join(names)}")]


def _unclear(
    statistic: Statistic, left: list[list[FeedTerms]], granted: Sequence[FeedTerms], question: Question
) -> Iterator[Fault]:
    for need, feeds in zip(statistic.needs, left, strict=True):
        if not feeds:
            yield Fault("/feed", FEED_MISSING, f"{statistic.name} needs {lacking(need, granted)}")
        elif len(feeds) > 1 and not _is_unreadable(question):
            known = ", ".join(_described(feed) for feed in feeds)
            yield Fault("/feed", "feed_needed", f"{len(feeds)} feeds could answer, say which: {known}")


def _is_unreadable(question: Question) -> bool:
    """Periods that are none are said first: they may leave one feed."""
    try:
        days_asked(question)
    except NotAPeriod:
        return True
    return False


def _described(feed: FeedTerms) -> str:
    """By what somebody can tell it from another."""
    last = f"..{feed.periods.last}" if feed.periods.last != feed.periods.first else ""
    by = f"; by {', '.join(feed.dimensions)}" if feed.dimensions else ""
    return f"{feed.name} ({feed.grain}, {feed.periods.first}{last}{by})"


def lacking(need: Need, feeds: Sequence[FeedTerms]) -> str:
    """What is needed, and what of it each feed does not have."""
    known = ", ".join(f"{feed.name} ({', '.join(need.lacks(feed))})" for feed in feeds)
    return f"{need}; this contract has {known or 'no feed for you'}"


def _grains_differ(statistic: Statistic, chosen: list[FeedTerms | None]) -> Iterator[Fault]:
    first, *others = [list(Grain).index(feed.grain) for feed in chosen if feed] or [0]
    if not statistic.same_periods or all(other == first for other in others):
        return
    if not statistic.finer_beside:
        yield Fault("/feed", "grains_differ", f"{statistic.name} divides feeds of one grain; these differ")
    elif any(other > first for other in others):
        needed = f"{statistic.name} divides feeds of one grain, or what the {statistic.needs[-1].role} posts is finer"
        yield Fault("/feed", "grains_differ", f"{needed}; here it is coarser")


def _measures_unclear(statistic: Statistic, chosen: list[FeedTerms | None], question: Question) -> Iterator[Fault]:
    if not statistic.choosing:
        if question.measures:
            yield Fault("/measures", "measures_fixed", f"{statistic.name} uses measures of its own; leave this out")
        return
    for name in sorted(repeated(question.measures)):
        yield Fault("/measures", "measure_repeated", f"{name} is named twice; each measure once")
    feeds = [feed for feed in map(chosen.__getitem__, statistic.choosing) if feed is not None]
    if feeds and set(question.measures).difference(*(feed.measures for feed in feeds)):
        known = "; ".join(f"the measures of {feed.name} are {', '.join(feed.measures)}" for feed in feeds)
        yield Fault("/measures", "measure_unknown", known)
