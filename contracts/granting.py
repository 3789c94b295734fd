"""What the terms of a contract in force allow a question: version, purpose, and then clause by clause.

One order, in which the first failure wins (docs/reference/order-of-refusals.md). Every refusal names the clause that
refuses, as `term`, a JSON pointer into the contract document. Nothing here looks at data: reciprocity looks at dates
and at which periods the asker itself has posted.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from contracts.decisions import require_version
from contracts.grants import Grant
from contracts.in_force import InForce, obliged_since
from contracts.parties import JsonObject, Role
from contracts.periods import Grain, NotAPeriod, Period, Stretch, first_within
from contracts.records import ContractRecord, ReleaseRecord
from contracts.refusals import (
    MAX_FAULTS,
    Fault,
    NotGranted,
    PurposeNotGranted,
    PurposeProhibited,
    QuestionInvalid,
    ReciprocityUnmet,
)
from contracts.statistics.answerable import answerable_instead, asked_of
from contracts.statistics.catalogue import get_statistic
from contracts.statistics.checking import check_question, require_few_strata
from contracts.statistics.declarations import Asked, Statistic
from contracts.statistics.fitting import fit_to
from contracts.statistics.meeting import require_common
from contracts.statistics.questions import TIME, Compare, Question, days_asked, selected_periods
from contracts.statistics.selecting import FEED_MISSING, get_feeds
from contracts.terms import FeedTerms, Party, Terms


@dataclass(frozen=True, slots=True)
class Permitted:
    """A question that the terms allow. question: with the days that its grant is about."""

    question: Question
    purpose: str
    grant: Grant
    statistic: Statistic
    feeds: tuple[FeedTerms, ...]


def permit(record: ContractRecord, terms: Terms, party: Party, question: Question) -> Permitted:
    """Raises, in this order, ContractVersionOther, PurposeProhibited, PurposeNotGranted, StatisticNotFound, NotGranted
    (statistic), SettlementNotAgreed, NotGranted (what it is of), NotGranted (dimensions), QuestionInvalid (their
    number), NotGranted (periods, then feeds), or QuestionInvalid for what does not fit the feeds."""
    require_version(record, question.version)
    purpose = _get_purpose(terms, party, question.purpose)
    declared = get_statistic(question.statistic)
    grant = _get_grant(terms, party, question.statistic)
    question = declared.complete(asked_of(terms, grant, question))
    _require_subject(grant, party, declared, question)
    _require_dimensions(terms, grant, question, check_time=not declared.period_of_contract)
    _require_periods(grant, question)
    statistic = fit_to(declared, asked_of(terms, grant, question))
    granted = _granted_feeds(terms, grant, statistic, question)
    question = replace(question, within=grant.periods, grains=_grains_of(grant))
    feeds = _get_feeds(statistic, granted, asked_of(terms, grant, question))
    check_question(question, terms, feeds, statistic.figures_shown(question, feeds))
    cuts = [need.cut(question, feed) for need, feed in zip(statistic.needs, feeds, strict=True)]
    require_few_strata(cuts, feeds, statistic.own_dimensions if _is_standardised(statistic, question) else ())
    if statistic.same_periods:
        require_common(feeds, [selected_periods(cut, feed) for cut, feed in zip(cuts, feeds, strict=True)])
    return Permitted(question, purpose, grant, statistic, feeds)


def _is_standardised(statistic: Statistic, question: Question) -> bool:
    """Whether it is reckoned stratum by stratum of a standard, and of what it goes by itself."""
    return statistic.uses_standard or question.compare is Compare.STANDARDISED


def _get_feeds(statistic: Statistic, granted: Sequence[FeedTerms], asked: Asked) -> tuple[FeedTerms, ...]:
    """Raises QuestionInvalid, where a feed is missing with what can be asked `instead`."""
    try:
        return get_feeds(statistic, granted, asked.question)
    except QuestionInvalid as refused:
        if any(fault.code == FEED_MISSING for fault in refused.faults):
            refused.extra["instead"] = list(answerable_instead(statistic.name, asked))
        raise


def purposes_of(terms: Terms, grant: Grant | None) -> tuple[str, ...]:
    """For which purposes a holder of the grant may ask."""
    if grant is None or grant.purposes is None:
        return terms.allowed_purposes
    granted = set(grant.purposes)
    return tuple(purpose for purpose in terms.allowed_purposes if purpose in granted)


def _get_purpose(terms: Terms, party: Party, stated: str | None) -> str:
    if stated in terms.prohibited:
        raise PurposeProhibited("The contract prohibits this purpose.", term="/prohibited")
    purpose = terms.purpose if stated is None else stated
    grant = terms.find_grant(party)
    allowed = purposes_of(terms, grant)
    if purpose not in allowed:
        narrowed = grant is not None and grant.purposes is not None and purpose in terms.allowed_purposes
        term = f"{grant.pointer}/purposes" if narrowed and grant else "/purposes" if terms.purposes else "/purpose"
        detail = f"The contract grants you answers for {_listed(allowed)} only: state one of them as `purpose`."
        raise PurposeNotGranted(detail, granted=list(allowed), term=term)
    return purpose


def _get_grant(terms: Terms, party: Party, statistic: str) -> Grant:
    grant = terms.find_grant(party)
    if grant is None:
        who = f"{party.organisation}, or any {party.role}"
        raise NotGranted(f"The contract has no grant for {who}.", granted=[], term="/grants")
    if statistic not in grant.statistics:
        raise NotGranted(
            f"The contract does not grant {statistic} to the {party.role}.",
            granted=list(grant.statistics),
            term=f"{grant.pointer}/statistics",
        )
    return grant


def _require_subject(grant: Grant, party: Party, statistic: Statistic, question: Question) -> None:
    """What shows the figures of another statistic is granted with it, and not around it: also the one that it is of
    where nothing is said."""
    if statistic.of_granted and question.of in statistic.subjects and question.of not in grant.statistics:
        raise NotGranted(
            f"The contract does not grant {question.of}, of which this would be, to the {party.role}.",
            granted=list(grant.statistics),
            term=f"{grant.pointer}/statistics",
        )


def _require_dimensions(terms: Terms, grant: Grant, question: Question, *, check_time: bool) -> None:
    """check_time: whether the periods asked are of the asker's own choice."""
    asked = {*question.by, *question.filters}
    if grant.dimensions is not None:
        about = f"to ask by, and filter, {_listed(grant.dimensions)} only"
        if not asked <= set(grant.dimensions):
            raise NotGranted(
                f"The contract grants you {about}.",
                granted=list(grant.dimensions),
                term=f"{grant.pointer}/dimensions",
            )
        if check_time and not _is_time_granted(terms, grant, question, TIME.intersection(grant.dimensions)):
            raise NotGranted(
                f"The contract grants you {about}: name `periods` that are whole stretches of a grain of time among "
                "these, or none for all that is granted.",
                granted=list(grant.dimensions),
                term=f"{grant.pointer}/dimensions",
            )
    if len(asked) > grant.by_at_most:
        message = f"the contract grants at most {grant.by_at_most} at once, those filtered included"
        fault = Fault("/by", "too_many_dimensions", message)
        detail = "The question goes by more dimensions than the contract grants."
        raise QuestionInvalid(detail, faults=(fault,), term=f"{grant.pointer}/by_at_most")


def _grains_of(grant: Grant) -> tuple[Grain, ...] | None:
    """By which grains of time a holder may tell periods apart; None for any."""
    return None if grant.dimensions is None else tuple(grain for grain in Grain if grain in grant.dimensions)


def _is_time_granted(terms: Terms, grant: Grant, question: Question, grains: Collection[str]) -> bool:
    """Whether the periods that a question names are what it could tell apart by the grains of time granted, or all
    that it could be told without naming any: to ask period by period is to ask by period."""
    try:
        asked = days_asked(question)
    except NotAPeriod:
        return True  # said with the other faults of the question
    if asked is None or any(_is_whole(asked, Grain(grain)) for grain in grains):
        return True
    feeds = [feed for feed in terms.feeds if grant.feeds is None or feed.name in grant.feeds]
    named = [feed for feed in feeds if feed.name in question.feeds] or feeds
    return all(
        period in asked for feed in named for period in feed.periods if grant.periods is None or period in grant.periods
    )


def _is_whole(days: Stretch, grain: Grain) -> bool:
    """Whether the days begin with one period of the grain and end with one."""
    first, last = (Period(Grain.MONTH, day.year * 12 + day.month - 1) for day in (days.first, days.last))
    return first.rolled_up_to(grain).first_day == days.first and last.rolled_up_to(grain).last_day == days.last


def _require_periods(grant: Grant, question: Question) -> None:
    """Of the periods that a question names. Without any, it is about all that its grant is about."""
    if grant.periods is None:
        return
    try:
        asked = days_asked(question)
    except NotAPeriod:
        return  # said with the other faults of the question
    if asked is not None and (asked.first < grant.periods.first or asked.last > grant.periods.last):
        raise _periods_not_granted(grant)


def _periods_not_granted(grant: Grant) -> NotGranted:
    first, last = str(grant.periods and grant.periods.first), str(grant.periods and grant.periods.last)
    return NotGranted(
        f"The contract grants you whole periods from {first} to {last} only.",
        granted={"first": first, "last": last},
        term=f"{grant.pointer}/periods",
    )


def _granted_feeds(terms: Terms, grant: Grant, statistic: Statistic, question: Question) -> Sequence[FeedTerms]:
    """The feeds of which the grant leaves something. Raises NotGranted when the question needs another."""
    names = None if grant.feeds is None else set(grant.feeds)
    granted = [feed for feed in terms.feeds if names is None or feed.name in names]
    if _needs_more(statistic, question, terms.feeds, granted):
        raise NotGranted(
            f"The contract grants you these feeds only: {_listed([feed.name for feed in granted])}.",
            granted=[feed.name for feed in granted],
            term=f"{grant.pointer}/feeds",
        )
    if grant.periods is None:
        return granted
    reached = [feed for feed in granted if first_within(feed.periods, grant.periods) is not None]
    if _needs_more(statistic, question, granted, reached):
        raise _periods_not_granted(grant)
    return reached


def _needs_more(
    statistic: Statistic, question: Question, there: Sequence[FeedTerms], left: Sequence[FeedTerms]
) -> bool:
    """True if a feed that the question names is gone, or every feed that could have answered one of its needs."""
    gone = {feed.name for feed in there} - {feed.name for feed in left}
    return not gone.isdisjoint(question.feeds) or any(
        any(map(need.fits, there)) and not any(map(need.fits, left)) for need in statistic.needs
    )


def require_reciprocity(
    versions: Sequence[InForce],
    party: Party,
    feeds: Sequence[FeedTerms],
    releases: Sequence[ReleaseRecord],
    today: date,
) -> None:
    """Whoever has not posted its own share in time is answered about no pool. Raises ReciprocityUnmet.

    versions: those ever in force, the last of which decides. feeds: those that the question is answered from. releases:
    those of the contract.
    """
    terms = versions[-1].terms
    if terms.rules.reciprocity_days is None or not any(feed.provider is Role.PAYER for feed in feeds):
        return
    own = {(release.feed, release.period) for release in releases if release.provider == party.organisation}
    to_post = list(_overdue(versions, party, own, today))
    if to_post:
        named = "; ".join(f"{each['feed']} {each['periods'][0]}" for each in to_post)
        raise ReciprocityUnmet(
            "The contract answers about pools whoever has posted its own periods within "
            f"{terms.rules.reciprocity_days} days of their posting day. Post what is overdue, from {named} on.",
            to_post=to_post,
            term="/rules/reciprocity",
        )


def _overdue(versions: Sequence[InForce], party: Party, own: set[tuple[str, str]], today: date) -> Iterator[JsonObject]:
    """By feed of the party's role, the first of the periods whose days of grace have passed. Nobody can post before the
    contract comes into force, so they begin then at the earliest; an amendment does not begin them anew."""
    terms = versions[-1].terms
    waited = today.toordinal() - (terms.rules.reciprocity_days or 0)
    for feed in terms.feeds:
        if feed.provider is party.role:
            since = obliged_since(versions, party, feed)
            periods = [
                str(period)
                for period in feed.periods
                if max(feed.earliest(period, 0), since).toordinal() < waited and (feed.name, str(period)) not in own
            ]
            if periods:
                yield {"feed": feed.name, "periods": periods[:MAX_FAULTS], "periods_count": len(periods)}


def pool_term(terms: Terms, feed: FeedTerms) -> str:
    """The clause that decides when something of the feed is open: the rule of pools for those of payers."""
    if feed.provider is Role.PAYER:
        return "/rules/min_payers"
    return f"/feeds/{next(i for i, other in enumerate(terms.feeds) if other.name == feed.name)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing"
