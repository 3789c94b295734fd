"""Where no cell holds both outcome and programme: what the margins of both parties leave possible, and no value."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from contracts.parties import Role
from contracts.periods import Grain
from contracts.refusals import Fault, QuestionInvalid
from contracts.statistics.adherence import BAND
from contracts.statistics.answers import Flag, Label, Working
from contracts.statistics.columns import Column, Shape
from contracts.statistics.declarations import Asked, Compute, Computed, Cut, Figure, Need, Statistic
from contracts.statistics.joint import COVERAGE, IN_NETWORK
from contracts.statistics.masks import in_small_cell
from contracts.statistics.programme import margins
from contracts.statistics.programme.linked import tells_apart
from contracts.statistics.programme.margins import Margin, weights_of
from contracts.statistics.programme.outcomes import Outcome, narrowed_need
from contracts.statistics.questions import Bucket, Question, buckets_of
from contracts.statistics.selecting import candidates
from contracts.statistics.slices import Slice
from contracts.terms import FeedTerms, Terms
from privacy.arrays import Floats
from privacy.bounds import Margins, joint_bounds
from privacy.intervals import Interval

ENROLLED = "enrolled"
NOT_IDENTIFIED = (
    "Not identified: no cell tells who is both in the programme and has the outcome. Each interval is what the margins "
    "of both parties leave possible, all three at once with the confidence stated; the truth is no likelier in its "
    "middle."
)
ASSUMPTION = (
    "Taken for granted: the brand's enrolled patients in network are among the payers' members of the same stratum and "
    "period. Where the brand's periods are shorter than the payers', enrolled are those of an average one of them."
)
BRAND: Need = Need(
    Role.BRAND, (COVERAGE,), (ENROLLED,), condition=lambda feed: IN_NETWORK in feed.vocabularies[COVERAGE]
)


def bounds_of(declared: Statistic, outcome: Outcome, asked: Asked) -> Statistic:
    """The statistic of a contract that tells no more. Raises QuestionInvalid for an outcome that has no bounds."""
    _require_persons(outcome)
    (payers, brand), own = needs_of_bounds(outcome, asked), (*outcome.own_dimensions, COVERAGE)
    feeds = [feed for need in (payers, brand) for feed in candidates(need, asked.feeds, asked.question)]
    cut = _by_all_shared(feeds, own)
    return replace(
        declared,
        estimand=(
            f"Of the payers' members, {outcome.meaning}: of those in the programme, of those outside it, and the "
            "difference. Not identified: bounds of all three."
        ),
        formula=(
            "n / e - (a - n) / (m - e), for n from sum of max(0, e - (m - a)) to sum of min(a, e) over the strata that "
            "both sides have; a of m members with the outcome, e enrolled with coverage in_network"
        ),
        source="Frechet (1951); Duncan and Davis (1953)",
        needs=(replace(payers, cut=cut), replace(brand, cut=cut)),
        figures=(
            Figure(f"{outcome.figure}_inside", "share", f"bounds of the {outcome.meaning}, in the programme"),
            Figure(f"{outcome.figure}_outside", "share", "the same outside it"),
            Figure("difference", "share", "bounds of the first less the second"),
        ),
        interval_method="bounds of all margins within simultaneous limits (Bonferroni), strata added up after that",
        interval_covers="all that is possible, given margins of which only privacy noise is unknown; no sampling",
        total_interval_covers=None,
        compute=_bounds(outcome),
        label=Label.ECOLOGICAL,
        own_dimensions=own,
        # The brand's patients are those of all payers.
        whole_pools=True,
        most_figures=lambda question, feeds: 3,
    )


def _require_persons(outcome: Outcome) -> None:
    if not outcome.of_persons:
        message = (
            f"{outcome.of} counts no persons, so margins do not bound it: that needs a linked feed, or a rollout that "
            "a feed reaches across; this contract may tell another"
        )
        raise QuestionInvalid("The contract's feeds cannot answer this.", faults=(Fault("/of", "no_bounds", message),))


def needs_of_bounds(outcome: Outcome, asked: Asked) -> tuple[Need, Need]:
    """The payers' feed, and a brand's whose periods fit into its. A feed that tells more than bounds serves where it is
    named, or where there is no other."""
    fitting = [feed for feed in asked.feeds if outcome.need.fits(feed)]
    plain = {feed.name for feed in fitting if not tells_apart(feed)} or {feed.name for feed in fitting}
    wanted = plain | set(asked.question.feeds)
    payers = narrowed_need(outcome.need, lambda feed: feed.name in wanted, "")
    lengths = [_length(feed.grain) for feed in candidates(payers, asked.feeds, asked.question)]
    finest = min(lengths, default=_length(Grain.YEAR))
    text = f"with {COVERAGE} {IN_NETWORK}, of periods no longer than the payers'"
    return payers, narrowed_need(BRAND, lambda feed: _length(feed.grain) <= finest, text)


def _length(grain: Grain) -> int:
    return list(Grain).index(grain)


def _by_all_shared(feeds: Sequence[FeedTerms], own: Sequence[str]) -> Cut:
    """Each feed by its own periods, and by whatever all of them go by, one name for each of their dimensions: the
    finer the strata, the narrower the bounds."""
    common = [name for name in feeds[0].askable if name not in own] if feeds else []
    common = [name for name in common if all(name in feed.askable for feed in feeds)]

    def cut(question: Question, feed: FeedTerms) -> Question:
        by = [name for name in question.dimensions if all(name in each.askable for each in feeds)]
        # What a feed itself has before what it rolls up to.
        for name in sorted(common, key=lambda name: sum(name not in each.vocabularies for each in feeds)):
            if not any(each.own_of(name) == each.own_of(other) for each in feeds for other in by):
                by.append(name)
        return replace(question, by=(feed.grain, *by))

    return cut


def _bounds(outcome: Outcome) -> Compute:
    def compute(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
        payers, brand = (margins.Cut(part, question.dimensions) for part in slices)
        buckets = buckets_of(question, payers.periods)
        over, brand_over = weights_of(payers, brand, buckets)
        having, lacking = _of_members(outcome, payers, slices[0].feed, over)
        inside = brand.margin("enrolled of in_network", ENROLLED, {COVERAGE: (IN_NETWORK,)}, brand_over)
        found = joint_bounds(
            Margins(having.strata, lacking.strata, inside.strata),
            Margins(having.totals, lacking.totals, inside.totals),
            question.confidence,
        )
        shape = _shape(question, terms, payers, buckets, over)
        columns = [
            _column(shape, name, interval, (having, lacking, inside))
            for name, interval in (
                (f"{outcome.figure}_inside", found.inside),
                (f"{outcome.figure}_outside", found.outside),
                ("difference", found.difference),
            )
        ]
        return Computed(columns, notes=(NOT_IDENTIFIED, ASSUMPTION))

    return compute


def _of_members(outcome: Outcome, payers: margins.Cut, feed: FeedTerms, over: Floats) -> tuple[Margin, Margin]:
    """Those with the outcome, and those without."""
    cells = outcome.narrowed(feed)
    having = payers.margin("members with the outcome", outcome.part, cells, over)
    if outcome.banded:
        others = tuple(band for band in feed.vocabularies[BAND] if band not in cells[BAND])
        return having, payers.margin("members without", outcome.whole, {BAND: others}, over)
    return having, payers.margin("members", outcome.whole, {}, over).less(having, "members without")


def _shape(question: Question, terms: Terms, payers: margins.Cut, buckets: Sequence[Bucket], over: Floats) -> Shape:
    grain = question.time_grain
    keys = [{**row, **({grain: str(bucket.key)} if grain else {})} for bucket in buckets for row in payers.rows]
    covered = np.repeat(over.sum(axis=1), len(payers.rows))
    lengths = np.repeat([bucket.length for bucket in buckets], len(payers.rows))
    flags = {
        Flag.PARTIAL_PERIODS: (covered > 0) & (covered < lengths),
        Flag.NOT_IDENTIFIED: np.ones(len(keys), dtype=bool),
    }
    return Shape(
        [{name: key[name] for name in question.by} for key in keys],
        covered == 0,
        flags,
        question.confidence,
        terms.rules.mask_below,
        question.explain,
    )


def _column(shape: Shape, name: str, bounds: Interval, found: tuple[Margin, Margin, Margin]) -> Column:
    having, lacking, inside = (margin.totals.values for margin in found)
    small = [in_small_cell(each, shape.mask_below) for each in (having, lacking, inside, having + lacking - inside)]

    def working(i: int) -> Working:
        words = "no value: what margins within their simultaneous limits leave possible"
        return Working(words, tuple(margin.term(i) for margin in found), None, None, None)

    return Column(shape, name, "share", [None] * len(shape.keys), bounds, np.logical_or.reduce(small), working)
