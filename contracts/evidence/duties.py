"""What the providers must do, with the days on which their periods fall due."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from contracts.evidence.given import Given
from contracts.periods import Period
from contracts.rendering.pages import Bullets, Facts, Paragraph, Section, Table
from contracts.terms import FeedTerms, LifeTable, Measured, Terms


@dataclass(frozen=True, slots=True)
class Due:
    """One period. from_day: the first on which it may be posted. restatements: from which days these are due. final:
    the first day on which its run-out is over. late_after: a party that has not posted it by then is answered about no
    pool; None where the contract has no such rule. after_expiry: due when the contract has ended."""

    period: str
    from_day: date
    restatements: tuple[date, ...]
    final: date
    late_after: date | None
    after_expiry: bool


@dataclass(frozen=True, slots=True)
class FeedDuties:
    """measured: where noise is drawn."""

    feed: str
    providers: tuple[str, ...]
    measured: str
    rules: tuple[str, ...]
    calendar: tuple[Due, ...]


@dataclass(frozen=True, slots=True)
class Duties:
    """off_limits_sha256: of the list of codes whose claims are dropped before anything is computed; None: no list."""

    expires: date
    off_limits_sha256: str | None
    reciprocity_days: int | None
    general: tuple[str, ...]
    feeds: tuple[FeedDuties, ...]


GENERAL = (
    "Each cell is a sum over persons of something computed from that person's records and public parameters alone; no "
    "cut point, size or bound is taken from the current data.",
    "The contribution bounds hold for every person, late records included.",
    "Small cells are not hidden, rounded or left out before posting: a threshold at the source would raise what one "
    "person can change. The noise protects them.",
    "Every period that is due is posted, all-zero when it is empty, since leaving one out would tell something.",
    "A restatement is posted when it is due, whether or not anything changed, and measures the whole period anew.",
    "Receipts are kept: they prove what was posted and released, also against a restored or altered database.",
    "Private keys stay with the organisation; a key that somebody else may have is revoked at once.",
)


def duties(given: Given, terms: Terms) -> Duties:
    off_limits = given.record.document["rules"].get("off_limits") or {}
    return Duties(
        expires=terms.expires,
        off_limits_sha256=off_limits.get("code_list_sha256"),
        reciprocity_days=terms.rules.reciprocity_days,
        general=GENERAL,
        feeds=tuple(_of_feed(feed, terms) for feed in terms.feeds),
    )


def _of_feed(feed: FeedTerms, terms: Terms) -> FeedDuties:
    calendar = tuple(_due(feed, period, terms) for period in feed.periods)
    return FeedDuties(feed.name, terms.providers_of(feed), feed.measured.value, tuple(_rules(feed)), calendar)


def _rules(feed: FeedTerms) -> Iterator[str]:
    bounds = ", ".join(f"{each.bound:,} {name}" for name, each in feed.measures.items())
    yield f"One person adds at most {bounds} to a period, in one stratum, in at most {feed.k:,} periods."
    if feed.measured is Measured.SOURCE:
        yield "Noise is drawn once on the premises, by parley measure, and what was drawn is posted: never drawn again."
    if feed.preparation_sha256:
        yield f"Cells are made of claims by the definitions with SHA-256 {feed.preparation_sha256}, and by no others."
    if feed.linked is not None:
        yield (
            f"The flag {feed.linked.dimension} of a person follows from that person's own records with "
            f"{feed.linked.organisation} and nobody else's, by a key that names one person. Nothing else in the cells "
            "follows from the brand's records: neither another dimension or measure, nor in which periods a person is "
            "counted."
        )
    if feed.life_table is LifeTable.STARTS:
        yield "Each person is posted once, in the period in which the first episode began; no cohort is posted again."
    if feed.life_table is LifeTable.EXITS:
        when = "period in which the exit became known"
        if feed.known_after_months is not None:
            when = f"month of the start + months_since_start + {feed.known_after_months}, always"
        yield f"Each person is posted once, in the {when}; no cohort is posted again."


def _due(feed: FeedTerms, period: Period, terms: Terms) -> Due:
    from_day = max(feed.earliest(period, 0), terms.effective)
    restated = tuple(feed.earliest(period, number) for number in range(1, feed.restatements + 1))
    grace = terms.rules.reciprocity_days
    return Due(
        period=str(period),
        from_day=from_day,
        restatements=restated,
        final=period.last_day + timedelta(days=feed.run_out_days + 1),
        late_after=None if grace is None else from_day + timedelta(days=grace),
        after_expiry=max((from_day, *restated)) > terms.expires,
    )


def duties_section(found: Duties) -> Section:
    off_limits = Facts(
        (
            (
                "list of codes that are off limits",
                f"SHA-256 {found.off_limits_sha256}: the provider drops their claims before it computes anything"
                if found.off_limits_sha256
                else "none is part of this contract",
            ),
        )
    )
    feeds = tuple(_feed(each, found) for each in found.feeds)
    return Section("What each provider must do", (Bullets(found.general), off_limits), feeds)


def _feed(feed: FeedDuties, found: Duties) -> Section:
    restated = any(due.restatements for due in feed.calendar)
    headings = (
        "period",
        "posted from",
        *(("restatements due from",) if restated else ()),
        "run-out is over",
        *(("late after",) if found.reciprocity_days is not None else ()),
    )
    calendar = Table("Calendar (days of UTC)", headings, tuple(_row(due, restated=restated) for due in feed.calendar))
    stated = Paragraph(f"Posted by {', '.join(feed.providers) or 'nobody in this contract'}.")
    late = [due.period for due in feed.calendar if due.after_expiry]
    warned = (
        (Paragraph(f"Due only after the contract's last day, {found.expires}, in part or whole: {', '.join(late)}."),)
        if late
        else ()
    )
    return Section(f"Feed {feed.feed}", (stated, Bullets(feed.rules), calendar, *warned))


def _row(due: Due, *, restated: bool) -> tuple[str, ...]:
    return (
        due.period,
        str(due.from_day),
        *((", ".join(map(str, due.restatements)),) if restated else ()),
        str(due.final),
        *((str(due.late_after),) if due.late_after is not None else ()),
    )
