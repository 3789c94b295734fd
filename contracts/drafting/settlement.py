"""Faults of a settlement clause: what cannot be decided by it, or not in time."""

from collections.abc import Iterator
from decimal import Decimal

from contracts.drafting.document import find_date
from contracts.parties import JsonObject
from contracts.periods import NotAPeriod, Period, parse_any
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
    several_fitting = (sorted(feed.name for feed in fitting) for fitting in having if len(fitting) > 1)
    for several in several_fitting if statistic and statistic.name in SUBJECTS else ():
        message = f"{' and '.join(several)} could each answer it, and differ: leave one that has the period"
        yield Fault("/settlement/statistic", "settlement_ambiguous", message)
    used = {feed.name: feed for fitting in having for feed in fitting}.values()
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
