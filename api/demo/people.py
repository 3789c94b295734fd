"""The persons of the demo's world: who they are, how they take their medicine, who enrols, who falls ill.

All assumptions are the constants below; nobody exists and no number comes from real data. Persons are rows of
arrays, so a world of tens of thousands is drawn in a fraction of a second. The contribution bounds of the
demo's contract hold person by person because of how the numbers are drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

VOCABULARIES: Final[dict[str, list[str]]] = {
    "region": ["northeast", "midwest", "south", "west"],
    "age_band": ["18-44", "45-54", "55-64", "65-74", "75+"],
    "sex": ["F", "M"],
    "line_of_business": ["commercial", "medicare_advantage"],
    "product": ["helixor", "comparator"],
    "adherence_band": ["p00_20", "p20_40", "p40_60", "p60_80", "p80_100"],
    "coverage": ["in_network", "other"],
}

# Who they are.
AGE_SHARES: Final = (0.10, 0.15, 0.23, 0.31, 0.21)
FEMALE_SHARE: Final = 0.53
MEDICARE_ADVANTAGE_SHARE_BY_AGE: Final = (0.01, 0.02, 0.06, 0.86, 0.92)
TREATED_BEFORE_SHARE: Final = 0.55

# How they take it, as log odds that a day is covered.
MEAN_LOGIT: Final = 2.15
LOGIT_BY_AGE: Final = (-0.80, -0.40, 0.0, 0.35, 0.10)
LOGIT_BY_REGION: Final = (0.15, 0.30, -0.45, 0.0)
LOGIT_OF_PROGRAMME: Final = 0.9
LOGIT_SD_BETWEEN_PERSONS: Final = 1.5
LOGIT_SD_BETWEEN_MONTHS: Final = 0.7

# The programme: the month in which a region opens, who takes it up, what the enrolled bring to the brand.
OPENING_MONTH_BY_REGION: Final = (4, 1, 9, 15)
UPTAKE_BY_AGE: Final = (0.55, 0.50, 0.45, 0.35, 0.25)
MONTHLY_SIGN_UP: Final = 0.3
CONTACTS_A_MONTH: Final = 0.8
COMPLAINTS_A_MONTH: Final = 0.02
ADVERSE_EVENT_REPORTS_A_MONTH: Final = 0.03
MOST_CONTACTS: Final = 5
MOST_ADVERSE_EVENT_REPORTS: Final = 5

# How often they are in hospital: per year at full adherence, and up to e times as often at none.
STAYS_A_YEAR_BY_AGE: Final = (0.05, 0.07, 0.11, 0.18, 0.30)
LOG_RATE_OF_MISSING_ALL_DAYS: Final = 1.8
MOST_STAYS: Final = 10


@dataclass(frozen=True, slots=True)
class Members:
    """Persons on treatment. `codes` are places in VOCABULARIES, one a person; the rest is person x month.

    `start_month` is -1 for those on treatment before the first month, who are never a new start.
    """

    codes: dict[str, IntArray]
    start_month: IntArray
    treatment_days: IntArray
    days_covered: IntArray
    enrolled: BoolArray


@dataclass(frozen=True, slots=True)
class MemberYears:
    """The years of the same persons, person x year."""

    treated: BoolArray
    adherence_band: IntArray
    hospital_stays: IntArray


@dataclass(frozen=True, slots=True)
class Patients:
    """Everyone whom the brand's programme may enrol, person x month."""

    codes: dict[str, IntArray]
    enrolled: BoolArray
    contacts: IntArray
    complaints: IntArray
    adverse_event_reports: IntArray


def draw_members(
    rng: Generator, count: int, region_shares: Sequence[float], helixor_share: float, month_days: IntArray
) -> Members:
    """Draw `count` persons, each with at least one treatment day in the months given by their lengths."""
    codes = _draw_codes(rng, count, region_shares, helixor_share)
    propensity = (
        MEAN_LOGIT
        + np.take(LOGIT_BY_AGE, codes["age_band"])
        + np.take(LOGIT_BY_REGION, codes["region"])
        + rng.normal(0, LOGIT_SD_BETWEEN_PERSONS, count)
    )
    start_month, treatment_days = _draw_treatment(rng, propensity, month_days)
    enrolled = _draw_enrolment(rng, codes, start_month, treatment_days > 0)
    days_covered = _draw_days_covered(rng, propensity, enrolled, treatment_days)
    return Members(codes, start_month, treatment_days, days_covered, enrolled)


def draw_years(rng: Generator, members: Members) -> MemberYears:
    """Sum the months of each year to a PDC, and draw the hospital stays that go with it."""
    count, months = members.treatment_days.shape
    treatment_days = members.treatment_days.reshape(count, months // 12, 12).sum(axis=2)
    days_covered = members.days_covered.reshape(count, months // 12, 12).sum(axis=2)
    bands = len(VOCABULARIES["adherence_band"])
    # In whole numbers, so that a PDC of exactly 0.8 falls into the band that begins there.
    adherence_band = np.minimum(bands * days_covered // np.maximum(treatment_days, 1), bands - 1)

    missed_share = 1 - days_covered / np.maximum(treatment_days, 1)
    stays_a_year = np.take(STAYS_A_YEAR_BY_AGE, members.codes["age_band"])[:, None]
    stays_a_year = stays_a_year * np.exp(LOG_RATE_OF_MISSING_ALL_DAYS * missed_share)
    hospital_stays = np.minimum(rng.poisson(stays_a_year * treatment_days / 365), MOST_STAYS)
    return MemberYears(treatment_days > 0, adherence_band, hospital_stays)


def draw_patients(rng: Generator, insured_in_network: Sequence[Members], insured_elsewhere: Members) -> Patients:
    """Join everyone the programme may enrol, and draw what the enrolled bring to the brand each month."""
    groups = [*insured_in_network, insured_elsewhere]
    codes = {
        name: np.concatenate([group.codes[name] for group in groups]) for name in ("region", "age_band", "product")
    }
    coverages = ["in_network"] * len(insured_in_network) + ["other"]
    codes["coverage"] = np.repeat(
        [VOCABULARIES["coverage"].index(coverage) for coverage in coverages],
        [len(group.start_month) for group in groups],
    )
    enrolled = np.concatenate([group.enrolled for group in groups])

    def draw_amounts(mean: float, most: int) -> IntArray:
        amounts = np.zeros(enrolled.shape, np.int64)
        amounts[enrolled] = np.minimum(rng.poisson(mean, np.count_nonzero(enrolled)), most)
        return amounts

    return Patients(
        codes,
        enrolled,
        contacts=draw_amounts(CONTACTS_A_MONTH, MOST_CONTACTS),
        complaints=draw_amounts(COMPLAINTS_A_MONTH, 1),
        adverse_event_reports=draw_amounts(ADVERSE_EVENT_REPORTS_A_MONTH, MOST_ADVERSE_EVENT_REPORTS),
    )


def _draw_codes(
    rng: Generator, count: int, region_shares: Sequence[float], helixor_share: float
) -> dict[str, IntArray]:
    age_band = rng.choice(len(AGE_SHARES), count, p=AGE_SHARES)
    medicare_advantage = rng.random(count) < np.take(MEDICARE_ADVANTAGE_SHARE_BY_AGE, age_band)
    return {
        "region": rng.choice(len(region_shares), count, p=region_shares),
        "age_band": age_band,
        "sex": (rng.random(count) >= FEMALE_SHARE).astype(np.int64),
        "line_of_business": medicare_advantage.astype(np.int64),
        "product": (rng.random(count) >= helixor_share).astype(np.int64),
    }


def _draw_treatment(rng: Generator, propensity: FloatArray, month_days: IntArray) -> tuple[IntArray, IntArray]:
    """Draw start months, and treatment days by month until a person discontinues (the less adherent sooner).

    The first month counts from the day of the first fill, later ones in full.
    """
    count, months = len(propensity), len(month_days)
    treated_before = rng.random(count) < TREATED_BEFORE_SHARE
    start_month = np.where(treated_before, -1, rng.integers(0, months, count))
    monthly_exit = 0.01 + 0.05 * _share(-propensity)
    # Those treated before are followed from the first month on, so that they too have a month in the world.
    end_month = np.maximum(start_month, 0) + rng.geometric(monthly_exit)
    month = np.arange(months)
    active = (month >= start_month[:, None]) & (month < end_month[:, None])
    days_before_first_fill = rng.integers(0, 28, count)[:, None] * (month == start_month[:, None])
    return start_month, np.where(active, month_days - days_before_first_fill, 0)


def _draw_enrolment(
    rng: Generator, codes: Mapping[str, IntArray], start_month: IntArray, active: BoolArray
) -> BoolArray:
    """Enrol Helixor patients who are willing, some time after they have started and their region has opened.

    Willingness does not depend on a person's own adherence, so that the programme's effect is what it seems.
    """
    count, months = active.shape
    willing = rng.random(count) < np.take(UPTAKE_BY_AGE, codes["age_band"])
    on_helixor = codes["product"] == VOCABULARIES["product"].index("helixor")
    possible_month = np.maximum(start_month, np.take(OPENING_MONTH_BY_REGION, codes["region"]))
    enrolment_month = possible_month + rng.geometric(MONTHLY_SIGN_UP, count) - 1
    enrolled: BoolArray = active & (willing & on_helixor)[:, None] & (np.arange(months) >= enrolment_month[:, None])
    return enrolled


def _draw_days_covered(
    rng: Generator, propensity: FloatArray, enrolled: BoolArray, treatment_days: IntArray
) -> IntArray:
    """Draw covered days by month, never more than treatment days."""
    month_to_month = rng.normal(0, LOGIT_SD_BETWEEN_MONTHS, enrolled.shape)
    share = _share(propensity[:, None] + LOGIT_OF_PROGRAMME * enrolled + month_to_month)
    rounded_at_random = np.floor(share * treatment_days + rng.random(enrolled.shape)).astype(np.int64)
    return np.minimum(rounded_at_random, treatment_days)


def _share(log_odds: FloatArray) -> FloatArray:
    share: FloatArray = 1 / (1 + np.exp(-log_odds))
    return share
