"""adherence_rate and pdc_pooled: who takes the medicine, and how much of the time is covered."""

import re

from contracts.parties import Role
from contracts.statistics.columns import Column, Shape
from contracts.statistics.declarations import Computed, Figure, Need, Statistic
from contracts.statistics.masks import make_figure
from contracts.statistics.questions import Compare, Question
from contracts.statistics.quotients import FIELLER, share_column
from contracts.statistics.slices import Slice
from contracts.statistics.stratified import Amount, Quotient
from contracts.terms import FeedTerms, Rules, Terms

BAND = "adherence_band"
ADHERENT_FROM_PERCENT = 80
_BAND_NAME = re.compile(r"p(\d{2})_(\d{2,3})", re.ASCII)


def adherent_bands(vocabulary: tuple[str, ...]) -> tuple[str, ...]:
    """The bands from 80% up, by their names: p80_100 holds a PDC of 0.80 to 1.00, both included."""
    return tuple(band for band in vocabulary if edges_of(band)[0] >= ADHERENT_FROM_PERCENT)


def splits_at_threshold(feed: FeedTerms) -> bool:
    """True if every band lies on one side of the threshold, and some on either side."""
    edges = [edges_of(band) for band in feed.vocabularies[BAND]]
    below = [high <= ADHERENT_FROM_PERCENT for _, high in edges]
    above = [low >= ADHERENT_FROM_PERCENT for low, _ in edges]
    return any(below) and any(above) and all(b or a for b, a in zip(below, above, strict=True))


def is_a_band(name: str) -> bool:
    """Whether its name tells its edges, in percent."""
    return _find_edges(name) is not None


def edges_of(band: str) -> tuple[int, int]:
    """The percents of a band's name; a name without them straddles everything."""
    return _find_edges(band) or (0, 100)


def _find_edges(band: str) -> tuple[int, int] | None:
    match = _BAND_NAME.fullmatch(band)
    low, high = (int(match[1]), int(match[2])) if match else (0, 0)
    return (low, high) if low < high <= 100 else None


def _adherence_rate(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
    (part,) = slices
    rules = terms.rules
    adherent = {BAND: adherent_bands(part.feed.vocabularies[BAND])}
    column = share_column(
        Shape.of(question, rules, part),
        "adherence_rate",
        make_figure(part, "members", rules, adherent),
        make_figure(part, "members", rules),
        covariance=part.covariance("members", adherent, {}),
        sampling_periods=part.periods_covered,
    )
    return Computed([column])


def adherence_quotients(feed: FeedTerms) -> tuple[Quotient, ...]:
    adherent = Amount("members", {BAND: adherent_bands(feed.vocabularies[BAND])})
    return (Quotient("adherence_rate", "share", adherent, Amount("members"), share=True, of_persons=True),)


def pdc_pooled_column(question: Question, rules: Rules, part: Slice) -> Column:
    """Covered days over treatment days; both measures are noised independently."""
    covered, treated = (make_figure(part, measure, rules) for measure in ("days_covered", "treatment_days"))
    return share_column(Shape.of(question, rules, part), "pdc_pooled", covered, treated)


ADHERENCE_RATE = Statistic(
    name="adherence_rate",
    title="Adherence rate",
    estimand=(
        f"Share of the posted members whose proportion of days covered (PDC) in the period is at least "
        f"{ADHERENT_FROM_PERCENT}%. Over several periods a member counts once in each."
    ),
    formula="members in bands from p80 up / members in all bands",
    source="Pharmacy Quality Alliance, PDC measures: threshold of 80%",
    needs=(
        Need(
            Role.PAYER,
            (BAND,),
            ("members",),
            condition=splits_at_threshold,
            condition_text=f"whose bands are named like p60_80 and split at {ADHERENT_FROM_PERCENT}",
        ),
    ),
    figures=(Figure("adherence_rate", "share", "share of members at or above the threshold"),),
    interval_method=FIELLER,
    interval_covers="privacy noise: the rate of the posted members themselves (Fieller)",
    total_interval_covers=(
        "privacy noise and sampling: the rate behind them, the sampling term times the number of periods pooled, "
        "since they may be the same people (Fieller with Wilson's term)"
    ),
    compute=_adherence_rate,
    own_dimensions=(BAND,),
    compares=(Compare.PREVIOUS, Compare.STANDARDISED),
    quotients=adherence_quotients,
)

PDC_POOLED = Statistic(
    name="pdc_pooled",
    title="Pooled proportion of days covered",
    estimand="Days covered divided by treatment days, both summed over the posted members (a ratio of sums).",
    formula="sum of days_covered / sum of treatment_days",
    source="Pharmacy Quality Alliance, PDC definition, pooled over persons",
    needs=(Need(Role.PAYER, (), ("days_covered", "treatment_days")),),
    figures=(Figure("pdc_pooled", "share", "days covered / treatment days"),),
    interval_method=FIELLER,
    interval_covers="privacy noise only: the days of single persons, which sampling needs, are not in the cells",
    total_interval_covers=None,
    compute=lambda question, terms, slices: Computed([pdc_pooled_column(question, terms.rules, slices[0])]),
    compares=(Compare.PREVIOUS, Compare.STANDARDISED),
    quotients=lambda feed: (
        Quotient("pdc_pooled", "share", Amount("days_covered"), Amount("treatment_days"), share=True),
    ),
)
