"""Where the value of a dimension can come from: a field of the claims, or something derived from them.

A dimension of a contract means the source of its name here, unless the definitions say otherwise.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Labels(StrEnum):
    """How the values of a vocabulary are read."""

    WORDS = "words"  # as they stand: what the claims say must be one of them, or be mapped to one
    REGIONS = "regions"  # the same, and states find their census region
    AGES = "ages"
    SHARES = "shares"  # bands of the share of days covered
    MONTHS = "months"
    REASONS = "reasons"


@dataclass(frozen=True, slots=True)
class Source:
    """needs: tables of the canonical model, or columns as `table.column`, any one of which gives it. by_treatment: only
    persons in a treatment period have it. by_exit: only persons whose first episode has ended have it."""

    name: str
    meaning: str
    source: str
    labels: Labels
    needs: frozenset[str] = frozenset()
    by_treatment: bool = False
    by_exit: bool = False


REGION: Final = Source(
    "region",
    "Where the person lives on the period's first day; a US state stands for its census region where the vocabulary "
    "has northeast, midwest, south and west.",
    "US Census Bureau, regions and divisions",
    Labels.REGIONS,
    frozenset({"members.region", "enrolment.region"}),
)
AGE_BAND: Final = Source(
    "age_band",
    "Age in completed years on the period's first day.",
    "PQA and HEDIS: age in completed years at the start",
    Labels.AGES,
    frozenset({"members.birth_day"}),
)
SEX: Final = Source("sex", "As the payer has it.", "the claims", Labels.WORDS, frozenset({"members.sex"}))
LINE_OF_BUSINESS: Final = Source(
    "line_of_business",
    "Line of business on the period's first day.",
    "the claims",
    Labels.WORDS,
    frozenset({"members.line_of_business", "enrolment.line_of_business"}),
)
PRODUCT: Final = Source(
    "product",
    "Product of the index fill, the first of its name where there are several; days are then that product's alone.",
    "PQA: the index prescription",
    Labels.WORDS,
    frozenset({"fills"}),
    by_treatment=True,
)
ADHERENCE_BAND: Final = Source(
    "adherence_band",
    "Share of days covered: p00_20, ..., lower edge included and 100 in the last; or nonadherent and adherent by the "
    "threshold.",
    "PQA, Proportion of Days Covered",
    Labels.SHARES,
    frozenset({"fills"}),
    by_treatment=True,
)
MONTHS_SINCE_START: Final = Source(
    "months_since_start",
    "Whole calendar months from the start of the first episode to the first day without supply.",
    "AdhereR, treatment episodes",
    Labels.MONTHS,
    frozenset({"fills"}),
    by_exit=True,
)
REASON: Final = Source(
    "reason",
    "Why the first episode ended: stopped, switched, or left_plan.",
    "ISPOR medication persistence (Cramer 2008)",
    Labels.REASONS,
    frozenset({"fills"}),
    by_exit=True,
)
SOURCES: Final = {
    each.name: each
    for each in (
        REGION, AGE_BAND, SEX, LINE_OF_BUSINESS, PRODUCT, ADHERENCE_BAND, MONTHS_SINCE_START, REASON,
    )
}  # fmt: skip
REASONS: Final = ("stopped", "switched", "left_plan")
