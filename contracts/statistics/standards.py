"""Which of a contract's public weights a question is standardised by."""

from contracts.refusals import Fault, QuestionInvalid
from contracts.statistics.declarations import Asked, Statistic
from contracts.statistics.questions import Question
from contracts.statistics.selecting import find_feed
from contracts.terms import FeedTerms, Standard


def get_standard(statistic: Statistic, asked: Asked) -> Standard | None:
    """The one named, or the only one that fits; None where no feed fits, says `get_feeds`. Raises QuestionInvalid."""
    return _get(statistic, asked, needed=True)


def find_standard(statistic: Statistic, asked: Asked) -> Standard | None:
    """The same, where the statistic has an answer without one, too. Raises QuestionInvalid where it is not clear."""
    return _get(statistic, asked, needed=False)


def own_of_standard(standard: Standard, feed: FeedTerms) -> tuple[str, ...]:
    """The feed's own dimensions that its strata are made of."""
    return tuple(feed.own_of(name) for name in standard.by)


def _get(statistic: Statistic, asked: Asked, *, needed: bool) -> Standard | None:
    feed, named = find_feed(statistic.needs[0], asked), asked.question.standard
    if feed is None:
        return None
    fitting = {each.name: each for each in asked.terms.standards if _fits(each, feed, statistic, asked.question)}
    if named in fitting or (named is None and len(fitting) == 1):
        return fitting[named] if named else next(iter(fitting.values()))
    known = ", ".join(fitting) or "none"
    if named is not None:
        message = f"the public weights of the contract that fit are: {known}"
        raise _refused(Fault("/standard", "standard_unknown", message))
    if fitting:
        raise _refused(Fault("/standard", "standard_needed", f"name one of {known}"))
    if needed:
        raise _refused(_missing(statistic, asked, feed))
    return None


def _missing(statistic: Statistic, asked: Asked, feed: FeedTerms) -> Fault:
    left = ", ".join(name for name in feed.dimensions if name not in _in_use(statistic, asked.question, feed))
    has = "; ".join(f"{each.name} by {', '.join(each.by)}" for each in asked.terms.standards) or "none"
    message = f"{feed.name} can be standardised by what it goes by and the question leaves: {left or 'nothing'}; "
    return Fault("/standard", "standard_missing", f"{message}the public weights of the contract are: {has}")


def _fits(standard: Standard, feed: FeedTerms, statistic: Statistic, question: Question) -> bool:
    """The feed goes by all its dimensions, by other cells each, and neither the statistic nor the question does."""
    if not set(standard.by) <= set(feed.askable):
        return False
    own = own_of_standard(standard, feed)
    return len(set(own)) == len(own) and set(own).isdisjoint(_in_use(statistic, question, feed))


def _in_use(statistic: Statistic, question: Question, feed: FeedTerms) -> set[str]:
    asked = {*question.dimensions, *question.filters} & set(feed.askable)
    return {*statistic.own_dimensions, *(feed.own_of(name) for name in asked)}


def _refused(fault: Fault) -> QuestionInvalid:
    return QuestionInvalid("The question does not fit this contract's public weights.", faults=(fault,))
