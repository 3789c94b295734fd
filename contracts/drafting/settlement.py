"""Faults of a settlement clause: what cannot be decided by it, or not in time."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from contracts.drafting.document import find_date
from contracts.parties import JsonObject
from contracts.periods import NotAPeriod, Period, Stretch, parse_any
from contracts.refusals import Fault
from contracts.statistics.catalogue import OFFERED
from contracts.statistics.threshold import SUBJECTS, THRESHOLD_ASSESSMENT, covers
from contracts.terms import FeedTerms, Measured, read_feed


def settlement_faults(document: JsonObject, statistics: frozenset[str]) -> Iterator[Fault]:
    clause = document.get("settlement")
    if clause is None:
        return
    yield from _statistic(document, clause, statistics)
    if not Decimal("0.5") < Decimal(clause["decide_at"]) < 1:
        message = "a confidence above 0.5 and below 1: at 0.5 either side of the target is as likely"
        yield Fault("/settlement/decide_at", "decide_at_invalid", message)
    try:
        period = parse_any(clause["period"])
    except NotAPeriod as error:
        yield Fault("/settlement/period", "period_invalid", str(error))
    else:
        yield from _period(document, clause, period)


def _statistic(document: JsonObject, clause: JsonObject, statistics: frozenset[str]) -> Iterator[Fault]:
    name = clause["statistic"]
    if name not in statistics:
        known = ", ".join(sorted(statistics))
        yield Fault("/settlement/statistic", "statistic_unknown", f"the statistics are {known}")
    elif name not in SUBJECTS:
        message = f"a settlement is on a share of the posted members: {', '.join(SUBJECTS)}"
        yield Fault("/settlement/statistic", "settlement_unsuitable", message)
    elif not any(THRESHOLD_ASSESSMENT.name in grant["statistics"] for grant in document["grants"]):
        message = f"nobody may ask what is settled on: grant {THRESHOLD_ASSESSMENT.name} to a party that has to know"
        yield Fault("/settlement/statistic", "settlement_not_granted", message)
    if name in SUBJECTS and not 0 < Decimal(clause["target"]) < 1:
        yield Fault("/settlement/target", "target_invalid", f"{name} is a share: write a target between 0 and 1")


def _period(document: JsonObject, clause: JsonObject, period: Period) -> Iterator[Fault]:
    """Every feed that the statistic may be computed from has the whole period, and its final word in time."""
    feeds = list(_sound_feeds(document))
    statistic = OFFERED.get(clause["statistic"])
    asked = [[feed for feed in feeds if need.fits(feed)] for need in statistic.needs] if statistic else [feeds]
    having = [[feed for feed in fitting if covers(feed, period)] for fitting in asked]
    if len(feeds) == len(document["feeds"]) and not all(having):
        message = f"no feed that {clause['statistic']} could be computed from has the whole of {period}"
        yield Fault("/settlement/period", "settlement_without_feed", message)
        return
    if (named := clause.get("feed")) is not None:
        known = ", ".join(feed.name for fitting in having for feed in fitting)
        having = [[feed for feed in fitting if feed.name == named] for fitting in having]
        if not all(having):
            message = f"{clause['statistic']} over {period} could be computed from {known}"
            yield Fault("/settlement/feed", "settlement_feed_unsuitable", message)
            return
    several_fitting = (sorted(feed.name for feed in fitting) for fitting in having if len(fitting) > 1)
    for several in several_fitting if statistic and statistic.name in SUBJECTS else ():
        message = f"{' and '.join(several)} could each answer it, and differ: name one as settlement.feed"
        yield Fault("/settlement/statistic", "settlement_ambiguous", message)
    used = {feed.name: feed for fitting in having for feed in fitting}.values()
    if all(having) and not any(_reaches(grant, having, period) for grant in _grants_in_use(document)):
        names = " or ".join(sorted(feed.name for feed in used))
        message = f"a party whose grant of {THRESHOLD_ASSESSMENT.name} leaves {names}, and all of {period}, to ask of"
        yield Fault("/settlement/period", "settlement_out_of_reach", message)
    expires = find_date(document["expires"])
    due = max((_final_day(feed, period) for feed in used), default=0)
    if expires is not None and due > expires.toordinal():
        message = "the final word of this period falls due after the contract has expired: settle on an earlier one"
        yield Fault("/settlement/period", "settlement_after_expiry", message)
    vouched = sorted(feed.name for feed in used if feed.measured is Measured.SOURCE)
    if vouched and not clause.get("accept_measured_at_source"):
        message = (
            f"{', '.join(vouched)} is measured at source, on the word of its provider, who could draw until a target "
            "is met: write true to settle on it nevertheless"
        )
        yield Fault("/settlement/accept_measured_at_source", "source_not_accepted", message)


def _grants_in_use(document: JsonObject) -> Iterator[JsonObject]:
    """Those by which a party may ask for the assessment: its own, or else that of its role."""
    grants = document["grants"]
    for party in document["parties"]:
        of_role = [grant for grant in grants if grant["role"] == party["role"]]
        own = [grant for grant in of_role if grant.get("organisation") == party["organisation"]]
        for grant in (own or [grant for grant in of_role if not grant.get("organisation")])[:1]:
            if THRESHOLD_ASSESSMENT.name in grant["statistics"]:
                yield grant


def _reaches(grant: JsonObject, having: Sequence[Sequence[FeedTerms]], period: Period) -> bool:
    """Whether the grant leaves a feed for each need, and the whole period."""
    named, days = grant.get("feeds"), grant.get("periods")
    if not all(any(named is None or feed.name in named for feed in fitting) for fitting in having):
        return False
    try:
        return days is None or period in Stretch.parse(days["first"], days["last"])
    except NotAPeriod:
        return True  # a fault of its own


def _final_day(feed: FeedTerms, period: Period) -> int:
    """The day, as an ordinal, on which the last restatement of the period, or a measurement after the run-out, is due;
    the calendar of dates ends with the year 9999."""
    return period.last_day.toordinal() + feed.run_out_days + 1


def _sound_feeds(document: JsonObject) -> Iterator[FeedTerms]:
    """Those that can be read; the others have faults of their own."""
    for feed in document["feeds"]:
        try:
            yield read_feed(feed, document["vocabularies"])
        except (ValueError, KeyError):
            continue
