"""joint_table and psp_penetration: the payers' side and the brand's side, joined by stratum."""

from collections.abc import Sequence
from dataclasses import replace

from contracts.parties import Role
from contracts.periods import Grain, Period
from contracts.statistics.adherence import PDC_POOLED
from contracts.statistics.answers import Label
from contracts.statistics.columns import Column, Shape, upper_limits_only
from contracts.statistics.counts import COUNTS, columns_of_counts
from contracts.statistics.declarations import Asked, Computed, Figure, Need, Statistic
from contracts.statistics.masks import Figure as Sums
from contracts.statistics.masks import make_figure
from contracts.statistics.questions import Question
from contracts.statistics.quotients import FIELLER, share_column
from contracts.statistics.slices import Estimate, Slice
from contracts.terms import FeedTerms, Terms

COVERAGE = "coverage"
IN_NETWORK = "in_network"
BRANDS_MEASURES = Figure("<measure>", "<unit>", "the brand's measures")
# What the payers' side of a joint table can be: statistics of one feed of payers.
PAYERS_SIDES = (PDC_POOLED.name, "adherence_rate", "pdc_mean", "utilisation_rate", "cost_pmpm", COUNTS.name)


def _complete(asked: Asked) -> Question:
    """Of what the payers' side is where the question does not say."""
    return replace(asked.question, of=asked.question.of or PDC_POOLED.name)


def _joint_table_of(asked: Asked) -> Statistic:
    """The joint table whose payers' side is what the question says."""
    question = asked.question
    if question.of in (None, PDC_POOLED.name):
        return JOINT_TABLE
    beside = asked.get(str(question.of))
    if beside.derive is not None:
        beside = beside.derive(replace(asked, question=replace(question, of=None)))
    counted = beside.name == COUNTS.name
    needs = (Need(Role.PAYER, (), _measures_of_payers(asked)),) if counted else beside.needs
    sides = "the payers' measures" if counted else beside.title.lower()
    return replace(
        beside,
        name=JOINT_TABLE.name,
        title=JOINT_TABLE.title,
        estimand=f"Side by side for each stratum and period: {sides}, and the brand's measures. {beside.estimand}",
        formula=f"{beside.formula}; sums of the brand's measures",
        needs=(*needs, Need(Role.BRAND)),
        figures=(*beside.figures, BRANDS_MEASURES),
        interval_method=f"{beside.interval_method}; counts: as of counts",
        compute=lambda question, terms, slices: _side_by_side(beside, question, terms, slices),
        label=JOINT_TABLE.label,
        choosable=len(needs),
        all_choosable=counted,
        subjects=JOINT_TABLE.subjects,
        derive=None,
    )


def _measures_of_payers(asked: Asked) -> tuple[str, ...]:
    """Of the measures asked, those that only payers have: the feed that has them is meant."""
    brands = {name for feed in asked.feeds if feed.provider is Role.BRAND for name in feed.measures}
    payers = {name for feed in asked.feeds if feed.provider is Role.PAYER for name in feed.measures}
    return tuple(name for name in dict.fromkeys(asked.question.measures) if name in payers - brands)


def _side_by_side(beside: Statistic, question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
    *those, brand = slices
    payers = those[0]
    computed = beside.compute(_choosing(question, payers.feed), terms, tuple(those))
    counts = columns_of_counts(_choosing(question, brand.feed), terms.rules, brand)
    columns = _told_apart([(payers.feed, computed.columns), (brand.feed, counts)])
    return Computed(columns, computed.labels, (*computed.notes, *_stretches_differ(payers, brand)))


def _choosing(question: Question, feed: FeedTerms) -> Question:
    """Of one side: with those of the measures asked that it has."""
    return replace(question, measures=feed.chosen(question.measures))


def _told_apart(sides: Sequence[tuple[FeedTerms, list[Column]]]) -> list[Column]:
    """A figure of a name that both sides have is called after its feed, too."""
    names = [{column.name for column in columns} for _, columns in sides]
    both = set.intersection(*names)
    return [
        replace(column, name=f"{feed.name}.{column.name}") if column.name in both else column
        for feed, columns in sides
        for column in columns
    ]


def _stretches_differ(payers: Slice, brand: Slice) -> tuple[str, ...]:
    """Said where the sides do not rest on the same stretch of time: what is beside each other is then of two."""
    sides = (payers, brand)
    covered = [{month for period in _covered(side) for month in _months(period)} for side in sides]
    if covered[0] == covered[1]:
        return ()
    names = " and ".join(f"{side.feed.name} on {_count_text(side)}" for side in sides)
    return (f"The two sides do not rest on the same stretch of time: {names}. Coverage says on which.",)


def _count_text(side: Slice) -> str:
    count = len(_covered(side))
    return f"{count} {side.feed.grain}{'' if count == 1 else 's'}"


def _covered(side: Slice) -> set[Period]:
    return {Period.parse(release.period, side.feed.grain) for release in side.releases}


def _months(period: Period) -> range:
    length = period.length_in(Grain.MONTH)
    return range(period.index * length, (period.index + 1) * length)


def _psp_penetration(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
    payers, brand = slices
    rules = terms.rules
    comparable = COVERAGE in brand.feed.askable and IN_NETWORK in brand.feed.groups_by(COVERAGE)
    enrolled = make_figure(brand, "enrolled", rules, {COVERAGE: (IN_NETWORK,)} if comparable else None)
    members = make_figure(payers, "members", rules)
    shape, grain = Shape.of(question, rules, payers, brand), payers.feed.grain
    column = share_column(shape, "psp_penetration", _mean_over(grain, enrolled, brand.feed), members)
    notes = (f"Both sides count person-{grain}s, over the same {grain}s of both feeds.", *_mean_note(grain, brand.feed))
    if comparable:
        return Computed([column], notes=notes)
    mismatch = "The brand's cells do not tell which patients the payers insure, so only an upper limit is identified."
    return Computed([upper_limits_only(column)], labels=(Label.COVERAGE_MISMATCH,), notes=(*notes, mismatch))


def _mean_over(grain: Grain, sums: Sums, feed: FeedTerms) -> Sums:
    """Persons of a feed of a finer grain as their mean over each stretch of the coarser one."""
    parts = _parts(grain, feed)
    if parts == 1:
        return sums
    estimate = sums.estimate
    mean = Estimate(estimate.values / parts, estimate.variances / parts**2, estimate.fitted)
    return replace(sums, name=f"({sums.name} / {parts})", estimate=mean)


def _mean_note(grain: Grain, feed: FeedTerms) -> tuple[str, ...]:
    if feed.grain is grain:
        return ()
    mean = (
        f"{feed.name} is posted by the {feed.grain}: what is taken of it is its mean over the {_parts(grain, feed)} "
        f"{feed.grain}s of each {grain}, while a member counts who was treated in any part of the {grain}."
    )
    return (mean,)


def _parts(grain: Grain, feed: FeedTerms) -> int:
    """How many periods of the feed make one of a grain."""
    return feed.periods.first.rolled_up_to(grain).length_in(feed.grain)


JOINT_TABLE = Statistic(
    name="joint_table",
    title="Joint table",
    estimand=(
        "Side by side for each stratum and period: pooled proportion of days covered of the payers' members, and the "
        "brand's measures."
    ),
    formula="sum of days_covered / sum of treatment_days; sums of the brand's measures",
    source="none: two margins side by side",
    needs=(*PDC_POOLED.needs, Need(Role.BRAND)),
    figures=(
        Figure("pdc_pooled", "share", "days covered / treatment days of the payers' members"),
        BRANDS_MEASURES,
    ),
    interval_method=f"shares: {FIELLER}; counts: as of counts",
    interval_covers="privacy noise only",
    total_interval_covers=None,
    compute=lambda question, terms, slices: _side_by_side(PDC_POOLED, question, terms, slices),
    label=Label.ECOLOGICAL,
    choosable=1,
    subjects=PAYERS_SIDES,
    of_granted=True,
    complete=_complete,
    derive=_joint_table_of,
)

PSP_PENETRATION = Statistic(
    name="psp_penetration",
    title="Penetration of the patient support programme",
    estimand=(
        "Enrolled patients insured by a payer of this contract, divided by the payers' treated members. Where the "
        "brand's feed is of a finer grain, its mean over each period of the payers'."
    ),
    formula="enrolled with coverage in_network / members",
    source="none: a ratio of counts of two parties",
    needs=(Need(Role.PAYER, (), ("members", "treatment_days")), Need(Role.BRAND, (), ("enrolled",))),
    figures=(Figure("psp_penetration", "share", "enrolled patients in network / treated members"),),
    interval_method=FIELLER,
    interval_covers="privacy noise only",
    total_interval_covers=None,
    compute=_psp_penetration,
    label=Label.ECOLOGICAL,
    own_dimensions=(COVERAGE,),
    same_periods=True,
    finer_beside=True,
    # The brand's patients are those of all payers: over some payers' members the share would come out too high.
    whole_pools=True,
)
