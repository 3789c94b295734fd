"""Restatements are planned, never improvised: how many, and when, is a term of the contract (DESIGN section 3).

Each is posted when its day has come and the one before is out, whether or not anything changed, since its mere
occurrence would tell. So every rule here looks at the contract, the calendar and what was released: never at data.
"""

from datetime import date

from contracts.periods import Period
from contracts.ports import Stores
from contracts.records import SubmissionRecord
from contracts.refusals import (
    CohortReposted,
    Conflict,
    Fault,
    PeriodTaken,
    Refusal,
    RestatementNotDue,
    RestatementNotPlanned,
    RestatementOutOfOrder,
)
from contracts.terms import FeedTerms

_MATURING = (
    "A life table is posted as increments, each person once: to post a maturing cohort again would measure the same "
    "persons again. What became known since belongs to the period in which it became known."
)


def require_due(feed: FeedTerms, period: Period, restatement: int, today: date) -> None:
    """Raises RestatementNotPlanned, CohortReposted or RestatementNotDue."""
    if restatement > feed.restatements:
        raise _not_planned(feed, period)
    due = feed.earliest(period, restatement)
    if today < due:
        raise RestatementNotDue(
            f"Restatement {restatement} of {period} is due from {due}: the contract spreads its restatements over the "
            f"{feed.run_out_days} days in which late records arrive.",
            due=due.isoformat(),
        )


def require_previous(stores: Stores, period: Period, restatement: int, previous: SubmissionRecord | None) -> None:
    """previous: the submission of the measurement before. Raises RestatementOutOfOrder unless it was released."""
    if previous is None or stores.releases.find_for_submission(previous.id) is None:
        what = f"restatement {restatement - 1}" if restatement > 1 else "the first measurement"
        raise RestatementOutOfOrder(
            f"Restatement {restatement} of {period} comes after {what}, which is not released yet. Every one that the "
            "contract schedules is posted, in order.",
            missing=restatement - 1,
        )


def posted_twice(feed: FeedTerms, period: Period, restatement: int, submission_id: str) -> Conflict:
    """The refusal of a measurement that was submitted under another id, with what can be posted instead."""
    what = f"Restatement {restatement} of {period}" if restatement else f"The period {period}"
    posted = f"{what} of {feed.name} was submitted under another id."
    if feed.life_table is not None:
        return CohortReposted(f"{posted} {_MATURING}", submission_id=submission_id)
    if restatement < feed.restatements:
        following = restatement + 1
        rule = f"what changed since goes into restatement {following}, from {feed.earliest(period, following)}."
    else:
        rule = "the contract schedules no further restatement."
    return PeriodTaken(f"{posted} It is measured once; {rule}", submission_id=submission_id)


def _not_planned(feed: FeedTerms, period: Period) -> Refusal:
    if feed.life_table is not None:
        return CohortReposted(f"{feed.name} has no restatements. {_MATURING}")
    planned = {0: "no restatement", 1: "1 restatement"}.get(feed.restatements, f"{feed.restatements} restatements")
    message = f"the contract schedules {planned} of each period of {feed.name}"
    fault = Fault("/restatement", "restatement_not_planned", message)
    return RestatementNotPlanned(f"The contract schedules no such restatement of {period}.", faults=(fault,))
