"""The codebook: what every column, state, flag, label, unit and figure of an answer means.

Made from the declarations and the enumerations; what these cannot say themselves, in words, stands here once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from contracts.statistics.answers import Flag, Label, State
from contracts.statistics.catalogue import OFFERED
from contracts.statistics.declarations import Figure, Need, Statistic


class ColumnKind(StrEnum):
    """Of what type a column of a table is."""

    TEXT = "text"
    TEXTS = "texts"
    NUMBER = "number"
    WHOLE_NUMBER = "whole_number"


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of an answer as a table."""

    name: str
    kind: ColumnKind
    meaning: str


@dataclass(frozen=True, slots=True)
class Word:
    """One of a closed set of words, and what it means."""

    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class NeedDeclared:
    """A feed that a statistic is computed from. role: who posts it; None: anyone. linked: None where either will do."""

    text: str
    role: str | None
    dimensions: tuple[str, ...]
    measures: tuple[str, ...]
    condition: str
    linked: bool | None


@dataclass(frozen=True, slots=True)
class Declaration:
    """All that a statistic declares, for people and programs."""

    name: str
    title: str
    estimand: str
    formula: str
    source: str
    label: Label
    figures: tuple[Figure, ...]
    needs: tuple[NeedDeclared, ...]
    own_dimensions: tuple[str, ...]
    interval_method: str
    interval_covers: str
    total_interval_covers: str | None
    compares: tuple[str, ...]
    subjects: tuple[str, ...]
    whole_pools: bool
    settled_only: bool


@dataclass(frozen=True, slots=True)
class Codebook:
    """Everything that is needed to read an answer without asking anybody."""

    columns: tuple[TableColumn, ...]
    states: tuple[Word, ...]
    flags: tuple[Word, ...]
    labels: tuple[Word, ...]
    units: tuple[Word, ...]
    statistics: tuple[Declaration, ...]


NOT_IDENTIFIED: Final = "not_identified"
NOT_REACHED: Final = Flag.NOT_REACHED.value

COLUMNS: Final = (
    TableColumn("figure", ColumnKind.TEXT, "What the number is a figure of, such as `adherence_rate` or a measure."),
    TableColumn("unit", ColumnKind.TEXT, "The unit of the value and of the ends of its intervals."),
    TableColumn("value", ColumnKind.NUMBER, "The figure, unrounded; empty unless the state is `shown`."),
    TableColumn("interval_lower", ColumnKind.NUMBER, "For the noise; empty where only an upper limit is known."),
    TableColumn("interval_upper", ColumnKind.NUMBER, "For the noise; empty where there is no upper limit."),
    TableColumn("total_interval_lower", ColumnKind.NUMBER, "For noise and sampling; empty where there is none."),
    TableColumn("total_interval_upper", ColumnKind.NUMBER, "For noise and sampling; empty where there is none."),
    TableColumn("state", ColumnKind.TEXT, "Whether there is a value, and if not, why."),
    TableColumn("flags", ColumnKind.TEXTS, "What to know of this row before using it; in CSV parted by blanks."),
    TableColumn("labels", ColumnKind.TEXTS, "How the answer's figures relate to persons; in CSV parted by blanks."),
    TableColumn("statistic", ColumnKind.TEXT, "The statistic that was asked."),
    TableColumn("contract_id", ColumnKind.TEXT, "The contract under which it was asked."),
    TableColumn("contract_version", ColumnKind.WHOLE_NUMBER, "The version of the contract."),
    TableColumn("as_of", ColumnKind.TEXT, "Which measurement of each period it rests on."),
    TableColumn("confidence", ColumnKind.NUMBER, "How often intervals hold what they cover."),
)
KEY_MEANING: Final = "Dimension or grain of time that was asked by; empty for a figure over all its values."

STATES: Final[Mapping[State, str]] = {
    State.SHOWN: "There is a value, be it zero or, by noise, below.",
    State.SUPPRESSED: "The contract's small-cell rule hides it: a rule of display, not the protection, which is noise.",
    State.MISSING: "Nothing is open to you for these periods.",
}
NOT_IDENTIFIED_MEANING: Final = (
    "In tables alone: the data do not tell the value, as its flag says; limits stay. JSON says `shown` and the flag."
)
NOT_REACHED_MEANING: Final = (
    "In tables alone: there is no value within the months shown; limits stay. JSON says `shown` and the flag."
)

FLAGS: Final[Mapping[Flag, str]] = {
    Flag.WHOLE_RANGE: "The data cannot tell: every possible value is in the interval.",
    Flag.NEAREST_END: "No possible value fits the noisy numbers; the nearest end is given.",
    Flag.PARTIAL_PERIODS: "Some periods of this row are missing, or the stretch that it names is not wholly asked or "
    "not wholly in the contract.",
    Flag.PARTIAL_POOL: "Some provider of the feed is not in it in some of its periods; compare it with care.",
    Flag.UPPER_LIMIT_ONLY: "Only an upper limit is identified.",
    Flag.NOT_IDENTIFIED: "The cells do not identify a value; the interval holds all that is possible.",
    Flag.NOT_COMPARABLE: "The two stretches compared do not cover the same part by the same providers.",
    Flag.WEAK_STRATA: "A denominator that it rests on is hardly above its noise.",
    Flag.FEW_AT_RISK: "Too few remain at risk, beside the noise, to go on from here.",
    Flag.NOT_REACHED: "Within the months shown it does not come to that: the value, if any, lies beyond them.",
    Flag.NOT_FOLLOWED: "Who started is known, but the exits that would tell this are not open yet.",
    Flag.MET: "The target is met with the confidence that the contract asks for.",
    Flag.NOT_MET: "The target is missed with the confidence that the contract asks for.",
    Flag.UNDECIDED: "Neither is certain enough; the contract says what follows.",
}

LABELS: Final[Mapping[Label, str]] = {
    Label.ASSOCIATIONAL: "No cause is claimed.",
    Label.ECOLOGICAL: "Two sides are joined by stratum, or groups compared, and not persons: strata with more of one "
    "thing and more of another do not tell that the same persons have both.",
    Label.PROVISIONAL: "A release used was posted before its period's run-out, while records were still coming in.",
    Label.COVERAGE_MISMATCH: "The two sides are not about the same people.",
    Label.MEASURED_AT_SOURCE: "Providers drew the noise themselves, and that it is the plan's rests on their word.",
    Label.LINKED: "The payers counted by the brand's flag, person by person, on their own premises.",
}

UNITS: Final[Mapping[str, str]] = {
    "share": "A part of a whole, from 0 to 1; of a difference of two, from -1 to 1.",
    "ratio": "One rate or share divided by another; 1 where both are equal.",
    "confidence": "How sure it is, from 0 to 1.",
    "persons": "Each counted once.",
    "persons once a month": "A person counted in each of three months counts three times.",
    "persons once a quarter": "A person counted in each of two quarters counts twice.",
    "persons once a year": "A person counted in each of two years counts twice; no person-years of time.",
    "months": "Months.",
    "whole months": "Months, of which no parts are told.",
    "<unit>": "That which the contract states for the measure.",
}
# Counted, so that people read no part of one; as is all in the units that contracts state for their measures.
WHOLE_UNITS: Final = (
    "persons",
    "persons once a month",
    "persons once a quarter",
    "persons once a year",
    "whole months",
    "<unit>",
)


def codebook() -> Codebook:
    """That of this version: every statistic that it offers."""
    states = [Word(state, meaning) for state, meaning in STATES.items()]
    return Codebook(
        columns=COLUMNS,
        states=(*states, Word(NOT_IDENTIFIED, NOT_IDENTIFIED_MEANING), Word(NOT_REACHED, NOT_REACHED_MEANING)),
        flags=tuple(Word(flag, meaning) for flag, meaning in FLAGS.items()),
        labels=tuple(Word(label, meaning) for label, meaning in LABELS.items()),
        units=tuple(Word(unit, meaning) for unit, meaning in UNITS.items()),
        statistics=tuple(declare(statistic) for statistic in OFFERED.values()),
    )


def declare(statistic: Statistic) -> Declaration:
    """What it declares, without what it does."""
    return Declaration(
        name=statistic.name,
        title=statistic.title,
        estimand=statistic.estimand,
        formula=statistic.formula,
        source=statistic.source,
        label=statistic.label,
        figures=statistic.figures,
        needs=tuple(map(_declare_need, statistic.needs)),
        own_dimensions=statistic.own_dimensions,
        interval_method=statistic.interval_method,
        interval_covers=statistic.interval_covers,
        total_interval_covers=statistic.total_interval_covers,
        compares=tuple(statistic.compares),
        subjects=statistic.subjects,
        whole_pools=statistic.whole_pools,
        settled_only=statistic.settled_only,
    )


def _declare_need(need: Need) -> NeedDeclared:
    role = None if need.role is None else need.role.value
    return NeedDeclared(str(need), role, need.dimensions, need.measures, need.condition_text, need.linked)
