"""A brand's questions about three years of one payer's members: what the utility benchmark asks of every method."""

from dataclasses import dataclass
from math import prod
from typing import Final

import numpy as np

from privacy.arrays import Floats
from privacy.sensitivity import l2_squared_merged, l2_squared_period_dropped, l2_squared_with_period_as_key

MONTHS: Final = 36
SIZES: Final = {"region": 10, "age_band": 6, "sex": 2}
DIMENSIONS: Final = tuple(SIZES)
MEMBERS: Final = 50_000
K: Final = 12
RHO: Final = "0.5"
DELTA: Final = 1e-6
# Everybody is there for the twelve months that the contribution bound allows, so a month has a third of them.
PERSON_MONTHS: Final = MEMBERS * K

MONTHS_IN: Final = {"month": 1, "quarter": 3, "year": 12, "no time": MONTHS}


@dataclass(frozen=True, slots=True)
class Question:
    """One named table: persons by some dimensions and a grain of time."""

    by: tuple[str, ...]
    grain: str

    @property
    def name(self) -> str:
        return " x ".join((*self.by, self.grain)) if self.by else f"total x {self.grain}"

    @property
    def buckets(self) -> int:
        return MONTHS // MONTHS_IN[self.grain]

    @property
    def entries(self) -> int:
        return self.buckets * prod(SIZES[name] for name in self.by)

    @property
    def mean_entry(self) -> float:
        return PERSON_MONTHS / self.entries

    @property
    def over_time(self) -> Floats:
        """Months to buckets, a matrix of zeros and ones."""
        return np.kron(np.eye(self.buckets), np.ones((1, MONTHS_IN[self.grain]))).astype(np.float64)

    @property
    def l2_squared(self) -> int:
        """Of the whole table as one query, for a person in at most `K` months."""
        if self.grain == "month":
            return l2_squared_with_period_as_key(1, K)
        if self.grain == "no time":
            return l2_squared_period_dropped(1, K)
        return l2_squared_merged(1, K, [MONTHS_IN[self.grain]] * self.buckets)


# What a brand follows: every table by up to two dimensions, month by month as it is posted; and, by its roll-up to
# years, every one of them but the bare total.
QUESTIONS: Final = (
    Question((), "month"),
    Question(("region",), "month"),
    Question(("age_band",), "month"),
    Question(("sex",), "month"),
    Question(("region", "age_band"), "month"),
    Question(("region", "sex"), "month"),
    Question(("age_band", "sex"), "month"),
    Question(("region",), "year"),
    Question(("age_band",), "year"),
    Question(("sex",), "year"),
    Question(("region", "age_band"), "year"),
    Question(("region", "sex"), "year"),
    Question(("age_band", "sex"), "year"),
)

# Harder: tables that leave time out. One query over all time pays for the 12 months that one person is in; a sum of
# monthly releases has the noise of all 36, three times the variance, whatever the plan.
WITHOUT_TIME: Final = (
    Question((), "month"),
    Question(("region",), "month"),
    Question(("age_band",), "month"),
    Question(("sex",), "quarter"),
    Question(("region",), "quarter"),
    Question(("region", "sex"), "quarter"),
    Question(("age_band", "sex"), "quarter"),
    Question(("region",), "year"),
    Question(("region", "age_band"), "year"),
    Question(("region", "age_band", "sex"), "year"),
    Question((), "no time"),
    Question(("age_band", "sex"), "no time"),
    Question(("region", "age_band"), "no time"),
)
