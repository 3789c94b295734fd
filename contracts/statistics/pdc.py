"""pdc_mean and pdc_distribution: the mean over persons of their proportion of days covered, and how it is spread."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from contracts.parties import Role
from contracts.statistics.adherence import BAND, edges_of, is_a_band
from contracts.statistics.columns import Column, Shape
from contracts.statistics.declarations import Asked, Computed, Figure, Need, Statistic
from contracts.statistics.masks import Figure as Sum
from contracts.statistics.masks import make_figure
from contracts.statistics.questions import Question
from contracts.statistics.quotients import FIELLER, share_column
from contracts.statistics.selecting import find_feed
from contracts.statistics.slices import Estimate, Slice
from contracts.terms import FeedTerms, Rules, Terms
from privacy.arrays import Floats
from privacy.bounded_means import squares_at_most, with_sampling
from privacy.contrasts import rate_limits, share_interval

MEMBERS = "members"
BASIS_POINTS = "pdc_basis_points"
WHOLE = 10_000
PERCENT = 100
IN_BAND = "share_in_band"
NO_HISTOGRAM = (
    "There is no total interval: how far persons differ, which sampling needs, is not in sums; a feed with "
    f"{BAND} has it."
)


def pdc_mean_column(question: Question, rules: Rules, part: Slice) -> Column:
    """Both measures are noised independently. With a total interval where the feed has a histogram."""
    shape, members = Shape.of(question, rules, part), make_figure(part, MEMBERS, rules)
    points = make_figure(part, BASIS_POINTS, rules)
    summed = Sum(f"({BASIS_POINTS} / {WHOLE})", _as_shares(points.estimate), points.hidden)
    column = share_column(shape, "pdc_mean", summed, members)
    # What remains of the whole are no persons, whom alone the rule of small cells is about.
    column = replace(column, hidden=points.hidden | members.hidden)
    return _with_total(column, part, shape.confidence) if BAND in part.feed.vocabularies else column


def _as_shares(points: Estimate) -> Estimate:
    return Estimate(points.values / WHOLE, points.variances / WHOLE**2, points.fitted)


def _with_total(column: Column, part: Slice, confidence: float) -> Column:
    if column.rate is None:
        raise ValueError("a share without what it is the quotient of")
    rate = with_sampling(column.rate, _squares(part), part.periods_covered)
    total = share_interval(rate, confidence)
    return replace(column, total=total, total_limits=lambda: rate_limits(rate, confidence))


def _squares(part: Slice) -> Floats:
    bands = part.feed.vocabularies[BAND]
    sums = [_as_shares(part.estimate(BASIS_POINTS, {BAND: (band,)})).values for band in bands]
    persons = [part.estimate(MEMBERS, {BAND: (band,)}).values for band in bands]
    edges = [(low / PERCENT, high / PERCENT) for low, high in map(edges_of, bands)]
    return squares_at_most(sums, persons, edges)


def _pdc_mean(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
    (part,) = slices
    column = pdc_mean_column(question, terms.rules, part)
    return Computed([column], notes=(NO_HISTOGRAM,) if column.total is None else ())


def _derive_mean(asked: Asked) -> Statistic:
    feed = find_feed(MEAN_NEED, asked)
    return replace(PDC_MEAN, total_interval_covers=None) if feed and BAND not in feed.vocabularies else PDC_MEAN


def _pdc_distribution(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
    (part,) = slices
    shape = Shape.of(question, terms.rules, part)
    whole = make_figure(part, MEMBERS, terms.rules)
    columns = [_share_of(shape, terms.rules, part, whole, *figure) for figure in _shares_shown(part.feed)]
    return Computed(_without_differences(columns))


def _without_differences(columns: Sequence[Column]) -> list[Column]:
    """Where a band is hidden, no share from a band up is shown of its row: of two of them, or of one and the shares
    above it, the difference is what is hidden. Those that would tell no more than the bands shown go with them."""
    some = np.logical_or.reduce([column.hidden for column in columns if column.name == IN_BAND])
    return [column if column.name == IN_BAND else replace(column, hidden=column.hidden | some) for column in columns]


def _shares_shown(feed: FeedTerms) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Figure, band, and the bands whose members are counted. From the lowest edge up that is all: no figure."""
    bands = sorted(feed.vocabularies[BAND], key=edges_of)
    yield from ((IN_BAND, band, (band,)) for band in bands)
    yield from (("share_from_band_up", band, tuple(bands[place:])) for place, band in enumerate(bands) if place)


def _share_of(
    shape: Shape, rules: Rules, part: Slice, whole: Sum, figure: str, band: str, counted: tuple[str, ...]
) -> Column:
    narrowed = {BAND: counted}
    return share_column(
        replace(shape, keys=[{**key, BAND: band} for key in shape.keys]),
        figure,
        make_figure(part, MEMBERS, rules, narrowed),
        whole,
        covariance=part.covariance(MEMBERS, narrowed, {}),
        sampling_periods=part.periods_covered,
    )


def _is_histogram(feed: FeedTerms) -> bool:
    bands = sorted(feed.vocabularies[BAND], key=edges_of)
    apart = all(edges_of(band)[1] <= edges_of(above)[0] for band, above in pairwise(bands))
    return apart and all(map(is_a_band, bands))


def _how_many(question: Question, feeds: Sequence[FeedTerms]) -> int:
    return len(list(_shares_shown(feeds[0])))


MEAN_NEED = Need(Role.PAYER, measures=(MEMBERS, BASIS_POINTS))

PDC_MEAN = Statistic(
    name="pdc_mean",
    title="Mean proportion of days covered",
    estimand=(
        "Mean over the posted members of their proportion of days covered (PDC) in the period: each counts the same, "
        "however long treated. Over several periods a member counts once in each."
    ),
    formula=f"sum of {BASIS_POINTS} / ({WHOLE} * members)",
    source="Pharmacy Quality Alliance, PDC definition; mean of persons",
    needs=(MEAN_NEED,),
    figures=(Figure("pdc_mean", "share", "mean PDC of the members"),),
    interval_method=(
        f"{FIELLER.partition(';')[0]}; with sampling, beside the noise the sum of squared deviations, bounded by the "
        f"chords of the histogram of {BAND}, or Wilson's term where that holds too few who differ (Bhatia and Davis "
        "2000)"
    ),
    interval_covers="privacy noise: the mean of the posted members themselves (Fieller)",
    total_interval_covers=(
        f"of a feed with {BAND}, privacy noise and sampling: the mean behind them. The sampling term is an upper bound "
        "that the bands give, since they do not tell where in a band a member lies, times the number of periods "
        "pooled; it takes a member's band and PDC to be of the same days"
    ),
    compute=_pdc_mean,
    derive=_derive_mean,
)

PDC_DISTRIBUTION = Statistic(
    name="pdc_distribution",
    title="Distribution of the proportion of days covered",
    estimand=(
        "Share of the posted members in each band of the proportion of days covered (PDC) in the period, and share in "
        "that band or a higher one. Over several periods a member counts once in each."
    ),
    formula="members in a band / members in all bands; members in a band and all above it / members in all bands",
    source="none: shares of a histogram",
    needs=(
        Need(
            Role.PAYER,
            (BAND,),
            (MEMBERS,),
            condition=_is_histogram,
            condition_text="whose bands are named like p60_80 and do not overlap",
        ),
    ),
    figures=(
        Figure(IN_BAND, "share", f"share of members in the {BAND} of the row"),
        Figure(
            "share_from_band_up",
            "share",
            f"share of members in the {BAND} of the row or a higher one; hidden where the small-cell rule hides a band",
        ),
    ),
    interval_method=FIELLER,
    interval_covers="privacy noise: the shares of the posted members themselves (Fieller), each share on its own",
    total_interval_covers=(
        "privacy noise and sampling: the share behind them, each on its own, the sampling term times the number of "
        "periods pooled, since they may be the same people (Fieller with Wilson's term)"
    ),
    compute=_pdc_distribution,
    own_dimensions=(BAND,),
    rows_by=(BAND,),
    most_figures=_how_many,
)
