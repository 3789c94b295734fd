"""reporting_rate: complaints and adverse-event reports that reach a brand, per patient-month. No safety signal."""

from collections.abc import Sequence
from dataclasses import replace

from contracts.parties import Role
from contracts.statistics.columns import Shape
from contracts.statistics.declarations import Asked, Computed, Figure, Need, Statistic
from contracts.statistics.masks import make_figure
from contracts.statistics.person_time import get_person_time
from contracts.statistics.questions import Question
from contracts.statistics.quotients import FIELLER, rate_column
from contracts.statistics.selecting import find_feed
from contracts.statistics.slices import Slice
from contracts.terms import FeedTerms, Terms

ENROLLED = "enrolled"
PATIENT_MONTHS = 1000
# By the measure that they are made of.
REPORTS = {
    "complaints": Figure("complaint_rate", "complaints per 1000 patient-months", "complaints / patient-months"),
    "adverse_event_reports": Figure(
        "adverse_event_report_rate", "reports per 1000 patient-months", "adverse-event reports / patient-months"
    ),
}
NO_SIGNAL = (
    "This is no safety signal. It counts reports, not events: who is in contact with a programme reports more, and a "
    "report says nothing about cause. Whether a medicine is safe is for pharmacovigilance to judge, case by case."
)


def _figures_of(feed: FeedTerms) -> tuple[Figure, ...]:
    return tuple(figure for measure, figure in REPORTS.items() if measure in feed.measures)


def _compute(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
    (part,) = slices
    shape, time = Shape.of(question, terms.rules, part), get_person_time(part.feed, ENROLLED, measured=())
    patients = make_figure(part, time.measure, terms.rules)
    columns = [
        rate_column(
            shape,
            figure.name,
            figure.unit,
            make_figure(part, measure, terms.rules),
            patients,
            scale=PATIENT_MONTHS * time.per_month,
        )
        for measure, figure in REPORTS.items()
        if measure in part.feed.measures
    ]
    return Computed(columns, notes=(NO_SIGNAL, time.words))


def _derive(asked: Asked) -> Statistic:
    feed = find_feed(NEED, asked)
    return REPORTING_RATE if feed is None else replace(REPORTING_RATE, figures=_figures_of(feed))


def _how_many(question: Question, feeds: Sequence[FeedTerms]) -> int:
    return len(_figures_of(feeds[0]))


NEED = Need(
    Role.BRAND,
    measures=(ENROLLED,),
    condition=lambda feed: bool(_figures_of(feed)),
    condition_text=f"and {' or '.join(REPORTS)}",
)

REPORTING_RATE = Statistic(
    name="reporting_rate",
    title="Reporting rate",
    estimand=(
        "Complaints and adverse-event reports that reached the brand per 1,000 months of its own enrolled patients. "
        "No safety signal."
    ),
    formula="1000 * sum of reports / (sum of enrolled * months of a period)",
    source="none: a ratio of one party's counts; why reports are no rate of events: FDA, FAERS, questions and answers",
    needs=(NEED,),
    figures=tuple(REPORTS.values()),
    interval_method=FIELLER,
    interval_covers=(
        "privacy noise only: how reports are spread over patients, which sampling needs, is not in the cells"
    ),
    total_interval_covers=None,
    compute=_compute,
    derive=_derive,
    most_figures=_how_many,
)
