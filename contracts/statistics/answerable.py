"""What a contract's feeds lack for a statistic, and which of those granted they can answer instead."""

from dataclasses import replace

from contracts.grants import Grant
from contracts.refusals import Refusal
from contracts.statistics.catalogue import OFFERED, get_statistic
from contracts.statistics.declarations import Asked, Statistic
from contracts.statistics.fitting import fit_to
from contracts.statistics.questions import Question
from contracts.statistics.selecting import lacking
from contracts.terms import Terms


def unanswered(terms: Terms) -> list[str]:
    """What the contract grants and its feeds cannot answer to anybody: nobody should sign without knowing."""
    granted = {name for grant in terms.grants for name in grant.statistics if name in OFFERED}
    answered = {
        name
        for grant in terms.grants
        for name in grant.statistics
        if name in OFFERED and not missing_from(OFFERED[name], asked_of(terms, grant, Question(name)))
    }
    return sorted(granted - answered)


def asked_of(terms: Terms, grant: Grant, question: Question) -> Asked:
    """A question as the grant narrows it."""
    names = None if grant.feeds is None else set(grant.feeds)
    feeds = tuple(feed for feed in terms.feeds if names is None or feed.name in names)
    return Asked(replace(question, within=grant.periods), terms, feeds, grant.statistics, get_statistic)


def missing_from(declared: Statistic, asked: Asked) -> tuple[str, ...]:
    """What there would have to be, in words; nothing where some question of it can be answered. Of a statistic that is
    about another one: of the first that it can be about."""
    subjects: list[str | None] = [of for of in declared.subjects if of in asked.granted] or [*declared.subjects[:1]]
    found = [_missing(declared, asked, of) for of in [*subjects, None]]
    return () if not all(found) else found[0]


def answerable_instead(statistic: str, asked: Asked) -> tuple[str, ...]:
    """Those granted of which nothing is missing, first what has most in common with the one that cannot be answered."""
    wanted = _measures_of(OFFERED[statistic])
    others = [OFFERED[name] for name in asked.granted if name in OFFERED and name != statistic]
    found = [other for other in others if not missing_from(other, asked)]
    return tuple(each.name for each in sorted(found, key=lambda other: -len(wanted & _measures_of(other))))


def _missing(declared: Statistic, asked: Asked, of: str | None) -> tuple[str, ...]:
    """By what asking it, and nothing more, would be refused for lack of."""
    question = replace(asked.question, statistic=declared.name, of=of, by=(), where=None, compare=None, standard=None)
    try:
        question = declared.complete(replace(asked, question=question))
        statistic = fit_to(declared, replace(asked, question=question))
    except Refusal as refused:
        if [fault.code for fault in refused.faults] == ["standard_needed"]:
            return ()  # several would do
        return tuple(fault.message for fault in refused.faults) or (refused.detail,)
    unmet = [need for need in statistic.needs if not any(map(need.fits, asked.feeds))]
    return tuple(lacking(need, asked.feeds) for need in unmet)


def _measures_of(statistic: Statistic) -> set[str]:
    return {measure for need in statistic.needs for measure in need.measures}
