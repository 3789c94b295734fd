"""A synthetic world for the demo: payers with their members over two years, a brand with its patients.

It is made so that joint statistics have a story to tell: each payer is at home in another region, adherence
differs by age and region, a support programme opens region by region and moves it, and hospital stays fall as
adherence rises. One person keeps one region, age band (that of the first year), sex, line of business and
product, so is in one stratum a period. Everything follows from the seed; `people` draws the persons.
"""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

import numpy as np

from api.demo.people import (
    VOCABULARIES,
    BoolArray,
    IntArray,
    Members,
    MemberYears,
    Patients,
    draw_members,
    draw_patients,
    draw_years,
)

__all__ = ["VOCABULARIES", "Cells", "World"]

YEARS: Final = 2
# Shares by region, one row a payer; a fourth payer begins again at the first row.
REGION_SHARES_BY_PAYER: Final = ((0.46, 0.12, 0.34, 0.08), (0.14, 0.60, 0.16, 0.10), (0.07, 0.13, 0.25, 0.55))
REGION_SHARES_ELSEWHERE: Final = (0.20, 0.20, 0.40, 0.20)
HELIXOR_SHARE: Final = 0.55
PATIENTS_ELSEWHERE_PER_MEMBER: Final = 0.2


@dataclass(frozen=True, slots=True)
class Cells:
    """One period of one feed: parallel columns, one row a stratum, only strata that are not all zero."""

    dimensions: dict[str, list[str]]
    measures: dict[str, list[int]]

    def columns(self) -> dict[str, list[str] | list[int]]:
        """Dimensions and measures together: what is posted."""
        return {**self.dimensions, **self.measures}


class World:
    """Everybody, drawn at once; cells are summed when asked for.

    An unknown payer raises KeyError, a period outside the two years ValueError.
    """

    def __init__(
        self,
        seed: int,
        payers: Sequence[str],
        first_year: int,
        members: Sequence[int] = (24_000, 18_000, 30_000),
    ) -> None:
        """Draw the world. `members` says, payer by payer, how many persons are treated in the two years.

        Raises:
            ValueError: `payers` and `members` differ in length.
        """
        *payer_rngs, elsewhere_rng, brand_rng = np.random.default_rng(seed).spawn(len(payers) + 2)
        self.years = [str(first_year + year) for year in range(YEARS)]
        self.months = [f"{year}-{month:02d}" for year in self.years for month in range(1, 13)]
        month_days = np.array([monthrange(int(month[:4]), int(month[5:]))[1] for month in self.months])

        self._members: dict[str, Members] = {}
        self._years: dict[str, MemberYears] = {}
        for place, (payer, count, rng) in enumerate(zip(payers, members, payer_rngs, strict=True)):
            region_shares = REGION_SHARES_BY_PAYER[place % len(REGION_SHARES_BY_PAYER)]
            self._members[payer] = draw_members(rng, count, region_shares, HELIXOR_SHARE, month_days)
            self._years[payer] = draw_years(rng, self._members[payer])
        count_elsewhere = int(sum(members) * PATIENTS_ELSEWHERE_PER_MEMBER)
        elsewhere = draw_members(elsewhere_rng, count_elsewhere, REGION_SHARES_ELSEWHERE, 1.0, month_days)
        self._patients = draw_patients(brand_rng, list(self._members.values()), elsewhere)

    def get_members(self, payer: str) -> Members:
        """The persons behind the cells of `fills`."""
        return self._members[payer]

    def get_member_years(self, payer: str) -> MemberYears:
        """The persons behind the cells of `adherence`, in the order of `get_members`."""
        return self._years[payer]

    @property
    def patients(self) -> Patients:
        """The persons behind the cells of `support`."""
        return self._patients

    def fills(self, payer: str, period: str) -> Cells:
        """What a payer posts for a month, such as "2025-03"."""
        members, month = self._members[payer], self.months.index(period)
        return _sum_cells(
            members.codes,
            {
                "members": members.treatment_days[:, month] > 0,
                "days_covered": members.days_covered[:, month],
                "treatment_days": members.treatment_days[:, month],
                "new_starts": members.start_month == month,
            },
        )

    def adherence(self, payer: str, year: str) -> Cells:
        """What a payer posts for a year: everyone with a treatment day in it, by the PDC they reached."""
        members, years, place = self._members[payer], self._years[payer], self.years.index(year)
        codes = {name: members.codes[name] for name in ("region", "age_band", "sex", "line_of_business")}
        hospital_stays = years.hospital_stays[:, place]
        return _sum_cells(
            codes | {"adherence_band": years.adherence_band[:, place]},
            {
                "members": years.treated[:, place],
                "hospitalised_members": hospital_stays > 0,
                "hospital_stays": hospital_stays,
            },
        )

    def support(self, period: str) -> Cells:
        """What the brand posts for a month."""
        patients, month = self._patients, self.months.index(period)
        return _sum_cells(
            patients.codes,
            {
                "enrolled": patients.enrolled[:, month],
                "contacts": patients.contacts[:, month],
                "complaints": patients.complaints[:, month],
                "adverse_event_reports": patients.adverse_event_reports[:, month],
            },
        )


def _sum_cells(codes: Mapping[str, IntArray], amounts: Mapping[str, IntArray | BoolArray]) -> Cells:
    """Add what each person contributes to the cells of their stratum."""
    shape = tuple(len(VOCABULARIES[name]) for name in codes)
    stratum = np.ravel_multi_index(tuple(codes.values()), shape)
    # bincount adds in float64, which is exact for whole numbers below 2^53.
    totals = {
        name: np.bincount(stratum, weights=amount, minlength=prod(shape)).astype(np.int64)
        for name, amount in amounts.items()
    }
    filled = np.flatnonzero(np.any(np.stack(list(totals.values())) > 0, axis=0))
    places = np.unravel_index(filled, shape)
    return Cells(
        {name: [VOCABULARIES[name][i] for i in place] for name, place in zip(codes, places, strict=True)},
        {name: total[filled].tolist() for name, total in totals.items()},
    )
