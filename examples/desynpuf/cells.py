"""From claims to cells: yearly adherence of the persons in a folder of CMS DE-SynPUF files.

DE-SynPUF is CMS's public, synthetic Medicare file of 2008 to 2010. Two of its tables are read:

- `bene.csv`, one row a person and year: CMS's yearly beneficiary summaries with BENE_YEAR put in front.
  Sex 1 is male, 2 female. Births and deaths stand on the first of their month, a death in its own year's row.
- `pde.csv`, one row a fill. It has no SEGMENT: only inpatient and outpatient claims come in segments.

CMS scrambled the drug codes (NDC), so drugs cannot be put into classes: only "any drug" PDC means something.
The rules are those of PQA's proportion of days covered (PDC), applied to any drug:

1. One person is one DESYNPUF_ID. Each year stands alone: supply from fills of the year before is not counted.
2. The window runs from the first fill of the year to 31 December or death, both ends included.
3. A person is eligible with fills on two different days at least, and a window of 91 days at least.
4. Supply of one NDC is used up before the next begins; different NDCs run side by side; supply ends with the
   window. A day covered by one drug or more is one covered day.
5. PDC is covered days / days of the window; adherent is a PDC of 0.8 or more.

Our choices, where PQA is silent or the file cannot tell: a fill of 0 days (supply in this file is in tens) is
a fill and covers no day; whoever has a row in `bene.csv` for the year counts as enrolled throughout, since it
says how many months of drug cover a person had, not which.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import product
from pathlib import Path
from typing import NamedTuple

YEARS = ("2008", "2009")
VOCABULARIES = {
    "sex": ["F", "M"],
    "age_band": ["under_65", "65-74", "75-84", "85+"],
    "adherence_band": ["p00_20", "p20_40", "p40_60", "p60_80", "p80_100"],
}
SEX_OF_CODE = {"1": "M", "2": "F"}
MIN_FILL_DATES = 2
MIN_WINDOW_DAYS = 91


class Fill(NamedTuple):
    ndc: str
    day: date
    supply_days: int


class Member(NamedTuple):
    """An eligible person in one year."""

    sex: str
    age_band: str
    covered_days: int
    window_days: int

    @property
    def adherence_band(self) -> str:
        """The fifth that PDC falls into: lower edge included, 1 in the last; whole numbers keep it exact."""
        bands = VOCABULARIES["adherence_band"]
        return bands[min(len(bands) * self.covered_days // self.window_days, len(bands) - 1)]


class Rate(NamedTuple):
    """An exact adherence rate: persons with a PDC of 0.8 or more among all eligible persons."""

    adherent: int
    members: int

    @property
    def value(self) -> float:
        return self.adherent / self.members


def adherence_cells(members: Iterable[Member]) -> dict[str, list[str] | list[int]]:
    """The cells of one year as columns, ready to post: the three dimensions and `members`, no empty rows."""
    counts = Counter[tuple[str, ...]]((one.sex, one.age_band, one.adherence_band) for one in members)
    strata = [stratum for stratum in product(*VOCABULARIES.values()) if stratum in counts]
    dimensions = {name: [stratum[place] for stratum in strata] for place, name in enumerate(VOCABULARIES)}
    return {**dimensions, "members": [counts[stratum] for stratum in strata]}


def exact_adherence(members: Iterable[Member]) -> dict[str, Rate]:
    """Exact adherence by sex and `overall`, to be held against the exchange's answers."""
    adherent, everyone = Counter[str](), Counter[str]()
    for member in members:
        for group in ("overall", member.sex):
            everyone[group] += 1
            adherent[group] += member.adherence_band == "p80_100"
    return {group: Rate(adherent[group], everyone[group]) for group in ("overall", *VOCABULARIES["sex"])}


def read_members(folder: Path, year: str) -> list[Member]:
    """The eligible persons of one year, from `bene.csv` and `pde.csv` in `folder`."""
    fills_of: defaultdict[str, list[Fill]] = defaultdict(list)
    for row in _read_rows(folder / "pde.csv"):
        day = date.fromisoformat(row["SRVC_DT"])
        if day.year == int(year):
            fill = Fill(row["PROD_SRVC_ID"], day, int(row["DAYS_SUPLY_NUM"]))
            fills_of[row["DESYNPUF_ID"]].append(fill)

    year_start, year_end = date(int(year), 1, 1), date(int(year), 12, 31)
    members = []
    for row in _read_rows(folder / "bene.csv"):
        death = date.fromisoformat(row["BENE_DEATH_DT"]) if row["BENE_DEATH_DT"] else year_end
        window = measure_window(fills_of[row["DESYNPUF_ID"]], min(death, year_end))
        if row["BENE_YEAR"] == year and window is not None:
            age_band = band_age(date.fromisoformat(row["BENE_BIRTH_DT"]), year_start)
            members.append(Member(SEX_OF_CODE[row["BENE_SEX_IDENT_CD"]], age_band, *window))
    return members


def measure_window(fills: Iterable[Fill], end: date) -> tuple[int, int] | None:
    """Covered days and days from the first fill to `end`, both included; None if not eligible (rule 3)."""
    fills = [fill for fill in fills if fill.day <= end]
    fill_dates = {fill.day for fill in fills}
    if len(fill_dates) < MIN_FILL_DATES:
        return None
    window_days = (end - min(fill_dates)).days + 1
    if window_days < MIN_WINDOW_DAYS:
        return None
    return count_covered_days(fills, end), window_days


def count_covered_days(fills: Iterable[Fill], end: date) -> int:
    """Days up to `end` on which one drug at least was supplied: the union of all supply, cut at `end`."""
    covered_days, uncounted_from = 0, 0
    for first, last in sorted(shift_supply(fills)):
        after_last = min(last, end.toordinal()) + 1
        covered_days += max(0, after_last - max(first, uncounted_from))
        uncounted_from = max(uncounted_from, after_last)
    return covered_days


def shift_supply(fills: Iterable[Fill]) -> Iterator[tuple[int, int]]:
    """First and last day of each fill's supply, as ordinals: per NDC start_i = max(fill_i, end_(i-1) + 1)."""
    free_from: dict[str, int] = {}
    for fill in sorted(fills, key=lambda fill: fill.day):
        first = max(fill.day.toordinal(), free_from.get(fill.ndc, 0))
        free_from[fill.ndc] = first + fill.supply_days
        yield first, first + fill.supply_days - 1


def band_age(birth: date, on: date) -> str:
    age = on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))
    under_65, *older = VOCABULARIES["age_band"]
    return under_65 if age < 65 else older[min((age - 65) // 10, 2)]


def _read_rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)
