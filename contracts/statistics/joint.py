"""joint_table and psp_penetration: the payers' side and the brand's side, joined by stratum."""

from contracts.parties import Role
from contracts.statistics.adherence import pdc_pooled_column
from contracts.statistics.answers import Label
from contracts.statistics.columns import Shape, upper_limits_only
from contracts.statistics.counts import columns_of_counts
from contracts.statistics.declarations import Computed, Figure, Need, Statistic
from contracts.statistics.masks import make_figure
from contracts.statistics.questions import Question
from contracts.statistics.quotients import FIELLER, share_column
from contracts.statistics.slices import Slice
from contracts.terms import Terms

ECOLOGICAL_WARNING = (
    "The two sides are joined by stratum, not by person: that strata with more of one thing have more of another "
    "does not tell that the same persons do."
)
COVERAGE = "coverage"
IN_NETWORK = "in_network"


def _joint_table(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
    payers, brand = slices
    rules = terms.rules
    columns = [pdc_pooled_column(question, rules, payers), *columns_of_counts(question, rules, brand)]
    return Computed(columns, notes=(ECOLOGICAL_WARNING,))


def _psp_penetration(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
    payers, brand = slices
    rules = terms.rules
    comparable = COVERAGE in brand.feed.vocabularies and IN_NETWORK in brand.feed.vocabularies[COVERAGE]
    enrolled = make_figure(brand, "enrolled", rules, {COVERAGE: (IN_NETWORK,)} if comparable else None)
    members = make_figure(payers, "members", rules)
    column = share_column(Shape.of(question, rules, payers, brand), "psp_penetration", enrolled, members)
    notes = (ECOLOGICAL_WARNING, "Both sides count person-periods, over the same periods of both feeds.")
    if comparable:
        return Computed([column], notes=notes)
    mismatch = "The brand's cells do not tell which patients the payers insure, so only an upper limit is identified."
    return Computed([upper_limits_only(column)], labels=(Label.COVERAGE_MISMATCH,), notes=(*notes, mismatch))


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
    figures=(
        Figure("pdc_pooled", "share", "days covered / treatment days of the payers' members"),
        Figure("<measure>", "<unit>", "the brand's measures"),
    ),
    interval_method=f"shares: {FIELLER}; counts: as of counts",
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
    figures=(Figure("psp_penetration", "share", "enrolled patients in network / treated members"),),
    interval_method=FIELLER,
    interval_covers="privacy noise only",
    total_interval_covers=None,
    compute=_psp_penetration,
    label=Label.ECOLOGICAL,
    own_dimensions=(COVERAGE,),
    same_periods=True,
    # The brand's patients are those of all payers: over some payers' members the share would come out too high.
    whole_pools=True,
)
