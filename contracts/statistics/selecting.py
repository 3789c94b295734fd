"""Which feeds of a contract a question is answered from, or what is missing and what could be asked instead."""

from collections.abc import Iterator, Sequence

from contracts.refusals import Fault, QuestionInvalid
from contracts.statistics.declarations import Need, Statistic
from contracts.statistics.questions import Question
from contracts.terms import FeedTerms, repeated


def get_feeds(statistic: Statistic, granted: Sequence[FeedTerms], question: Question) -> tuple[FeedTerms, ...]:
    """One feed for each need of the statistic, among those granted. Raises QuestionInvalid with every fault."""
    fitting = [[feed for feed in granted if need.fits(feed)] for need in statistic.needs]
    chosen = [_choose(feeds, question) for feeds in fitting]
    faults = [
        *_dimensions_in_use(statistic, question),
        *_feeds_unsuitable(statistic, fitting, question),
        *(fault for need, feeds in zip(statistic.needs, fitting, strict=True)
          for fault in _unclear(statistic, need, feeds, granted, question)),
        *_grains_differ(statistic, chosen),
        *_measures_unclear(statistic, chosen, question),
    ]  # fmt: skip
    if faults:
        raise QuestionInvalid("The contract's feeds cannot answer this.", faults=tuple(faults))
    return tuple(feed for feed in chosen if feed is not None)


def _choose(feeds: list[FeedTerms], question: Question) -> FeedTerms | None:
    return next((feed for feed in feeds if feed.name in question.feeds), feeds[0] if feeds else None)


def _dimensions_in_use(statistic: Statistic, question: Question) -> Iterator[Fault]:
    for pointer, asked in (("/by", question.by), ("/where", question.filters)):
        for name in statistic.own_dimensions:
            if name in asked:
                message = f"{statistic.name} itself uses {name}; ask counts by it instead"
                yield Fault(pointer, "dimension_in_use", message)


def _feeds_unsuitable(statistic: Statistic, fitting: list[list[FeedTerms]], question: Question) -> Iterator[Fault]:
    names = list(dict.fromkeys(feed.name for feeds in fitting for feed in feeds))
    if set(question.feeds) - set(names):
        yield Fault("/feed", "feed_unsuitable", f"{statistic.name} can be asked of {', '.join(names)}")


def _unclear(
    statistic: Statistic, need: Need, feeds: list[FeedTerms], granted: Sequence[FeedTerms], question: Question
) -> Iterator[Fault]:
    names = [feed.name for feed in feeds]
    if not names:
        known = ", ".join(feed.name for feed in granted)
        yield Fault("/feed", "feed_missing", f"{statistic.name} needs {need}; this contract has {known}")
    elif len(names) > 1 and len(set(names) & set(question.feeds)) != 1:
        yield Fault("/feed", "feed_needed", f"name one of {', '.join(names)}")


def _grains_differ(statistic: Statistic, chosen: list[FeedTerms | None]) -> Iterator[Fault]:
    if statistic.same_periods and len({feed.grain for feed in chosen if feed}) > 1:
        yield Fault("/feed", "grains_differ", f"{statistic.name} divides feeds of one grain; these differ")


def _measures_unclear(statistic: Statistic, chosen: list[FeedTerms | None], question: Question) -> Iterator[Fault]:
    if statistic.choosable is None:
        if question.measures:
            yield Fault("/measures", "measures_fixed", f"{statistic.name} uses measures of its own; leave this out")
        return
    for name in sorted(repeated(question.measures)):
        yield Fault("/measures", "measure_repeated", f"{name} is named twice; each measure once")
    feed = chosen[statistic.choosable]
    if feed is not None and set(question.measures) - set(feed.measures):
        yield Fault("/measures", "measure_unknown", f"the measures of {feed.name} are {', '.join(feed.measures)}")
