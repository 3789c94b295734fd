"""joint_table and psp_penetration: the payers' side and the brand's side, joined by stratum."""

import numpy as np

from contracts.parties import Role
from contracts.statistics.adherence import pdc_pooled_rows
from contracts.statistics.answers import Label
from contracts.statistics.counts import unit_of
from contracts.statistics.declarations import Computed, Need, Statistic
from contracts.statistics.figures import Shape, count_rows, rate_rows, upper_limit_rows
from contracts.statistics.questions import Question
from contracts.statistics.slices import Slice
from contracts.terms import Rules

ECOLOGICAL_WARNING = (
    "The two sides are joined by stratum, not by person: that strata with more of one thing have more of another "
    "does not tell that the same persons do."
)
COVERAGE = "coverage"
IN_NETWORK = "in_network"


def _joint_table(question: Question, rules: Rules, slices: tuple[Slice, ...]) -> Computed:
    payers, brand = slices
    rows = list(pdc_pooled_rows(question, rules, payers).rows)
    shape = Shape.of(brand, question.confidence, rules.mask_below)
    for measure in question.measures or brand.feed.measures:
        rows += count_rows(shape, measure, unit_of(brand.feed, measure), brand.estimate(measure))
    return Computed(rows, notes=(ECOLOGICAL_WARNING,))


def _psp_penetration(question: Question, rules: Rules, slices: tuple[Slice, ...]) -> Computed:
    payers, brand = slices
    comparable = COVERAGE in brand.feed.vocabularies and IN_NETWORK in brand.feed.vocabularies[COVERAGE]
    narrowed = {COVERAGE: (IN_NETWORK,)} if comparable else {}
    shape = _both(payers, brand, question, rules)
    enrolled, members = brand.estimate("enrolled", narrowed), payers.estimate("members")
    rows = rate_rows(shape, "psp_penetration", enrolled, members)
    notes = (ECOLOGICAL_WARNING, "Both sides count person-periods, over the same periods of both feeds.")
    if comparable:
        return Computed(rows, notes=notes)
    mismatch = "The brand's cells do not tell which patients the payers insure, so only an upper limit is identified."
    return Computed(upper_limit_rows(rows), labels=(Label.COVERAGE_MISMATCH,), notes=(*notes, mismatch))


def _both(payers: Slice, brand: Slice, question: Question, rules: Rules) -> Shape:
    """Rows that need both sides, which cover the same periods: missing or partial where either is."""
    return Shape(
        keys=payers.keys,
        missing=np.asarray(payers.missing | brand.missing),
        partial=np.asarray(payers.partial | brand.partial),
        confidence=question.confidence,
        mask_below=rules.mask_below,
    )


JOINT_TABLE = Statistic(
    name="joint_table",
    title="Joint table",
    estimand=(
        "Side by side for each stratum and period: pooled proportion of days covered of the payers' members, and the "
        "brand's measures."
    ),
    formula="sum of days_covered / sum of treatment_days; sums of the brand's measures",
    source="none: two margins side by side",
    needs=(Need(Role.PAYER, (), ("days_covered", "treatment_days")), Need(Role.BRAND)),
    interval_covers="privacy noise only",
    total_interval_covers=None,
    compute=_joint_table,
    label=Label.ECOLOGICAL,
    choosable=1,
)

PSP_PENETRATION = Statistic(
    name="psp_penetration",
    title="Penetration of the patient support programme",
    estimand="Enrolled patients insured by a payer of this contract, divided by the payers' treated members.",
    formula="enrolled with coverage in_network / members",
    source="none: a ratio of counts of two parties",
    needs=(Need(Role.PAYER, (), ("members", "treatment_days")), Need(Role.BRAND, (), ("enrolled",))),
    interval_covers="privacy noise only",
    total_interval_covers=None,
    compute=_psp_penetration,
    label=Label.ECOLOGICAL,
    own_dimensions=(COVERAGE,),
    same_periods=True,
    # The brand's patients are those of all payers: over some payers' members the share would come out too high.
    whole_pools=True,
)
