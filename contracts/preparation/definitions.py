"""The definitions of a feed: the public rules by which a provider makes its cells from claims.

What a definitions file leaves out has the default written here. The whole file has one digest, which a contract may
name (`preparation_sha256` of the feed) and every manifest does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Final


class Persons(StrEnum):
    """Which persons a period of a feed is about."""

    ENROLLED = "enrolled"  # enrolled on a day of the period
    # in a treatment period of the drug class on a day of the period; with Window.INDEX, on its last
    TREATED = "treated"
    STARTING = "starting"  # whose first episode of treatment begins in the period
    # whose first episode is known in the period to have ended; judged as in the period in which it began
    EXITING = "exiting"


class Window(StrEnum):
    """Where a treatment period begins and how far it reaches: from the index, the first fill of the class in the
    window, to the last day of the window, of enrolment or of life."""

    PERIOD = "period"  # the period itself
    YEAR = "year"  # the calendar year that holds the period; its later part is not looked at
    # `window_days` from the first fill of all, counted as a whole in the one period in which they end
    INDEX = "index"


class StayDays(StrEnum):
    """What days in hospital do to the proportion of days covered."""

    COUNTED = "counted"  # as any other day
    REMOVED = "removed"  # the inpatient and SNF adjustment: no days of treatment, and supply is used up after them


class EmergencyAdmissions(StrEnum):
    """Emergency visits on a day of a hospital stay, which usually led to it."""

    COUNTED = "counted"  # as visits, beside the stay
    LEFT_OUT = "left_out"  # the stay says it (HEDIS, but for the day before an admission)


@dataclass(frozen=True, slots=True)
class CodeList:
    """Codes as `system|code`, normalised; a code without a system stands as `|code` and means any system.

    sha256: of the file, or of the inline list in canonical JSON.
    """

    codes: frozenset[str]
    sha256: str


@dataclass(frozen=True, slots=True)
class FromClaims:
    """Where the values of one dimension come from.

    source: a field of the canonical model, or a derived one (adherence_band, months_since_start, ...). values: what a
    value of the claims is called in the vocabulary; a value that is not named stands for itself. otherwise: the
    vocabulary's value for everything else; None: such a person is in no cell, and counted.
    """

    source: str
    values: Mapping[str, str] = field(default_factory=dict)
    otherwise: str | None = None


LEAST_AGE_OF_PDC: Final = 18


@dataclass(frozen=True, slots=True)
class FeedDefinition:
    """How one feed is prepared. Days are whole days.

    products: the drug class, by the product that a code belongs to; None: any drug is of the class, each its own.
    threshold: least share of days covered of an adherent person. exclusions: by name, codes of which one claim in the
    window puts a person out. measures, dimensions: what a name of the contract means, where it is not its own meaning.
    """

    persons: Persons
    window: Window
    window_days: int | None = None
    products: Mapping[str, CodeList] | None = None
    least_fill_dates: int = 2
    least_treatment_days: int = 91
    least_age: int | None = LEAST_AGE_OF_PDC
    threshold: Fraction = Fraction(4, 5)
    stay_days: StayDays = StayDays.COUNTED
    emergency_admissions: EmergencyAdmissions = EmergencyAdmissions.COUNTED
    exclusions: Mapping[str, CodeList] = field(default_factory=dict)
    gap_days: int = 30
    washout_days: int = 180
    enrolment_gap_days: int = 0
    measures: Mapping[str, str] = field(default_factory=dict)
    dimensions: Mapping[str, FromClaims] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Definitions:
    """A whole definitions file. sha256: of its canonical form with the digests of the code lists that it names; None
    when no file was given and everything is by default."""

    feeds: Mapping[str, FeedDefinition]
    sha256: str | None
