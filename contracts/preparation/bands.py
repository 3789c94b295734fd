"""The bands of a contract's vocabularies as whole numbers: ages, shares of days covered, months since start.

The labels are public, and so are the cut points read from them. None ever comes from data.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import Final

EPOCH: Final = date(1970, 1, 1)
PERCENT: Final = 100
_RANGE: Final = re.compile(r"(\d{1,3})\s*(?:-|to)\s*(\d{1,3})", re.ASCII)
_BELOW: Final = re.compile(r"(?:under_|under |<\s*)(\d{1,3})", re.ASCII)
_FROM: Final = re.compile(r"(\d{1,3})\s*(?:\+|_plus| and over)", re.ASCII)
_SHARE: Final = re.compile(r"p(\d{2,3})_(\d{2,3})", re.ASCII)
_MONTH: Final = re.compile(r"(\d{1,4})(\+?)", re.ASCII)


class NotBands(ValueError):
    """Labels that cannot be read as bands, or bands with gaps or overlaps; says which and what is wrong."""


@dataclass(frozen=True, slots=True)
class Band:
    """Whole numbers from `least` on, and below `end`; None: without end."""

    label: str
    least: int
    end: int | None

    def holds(self, number: int) -> bool:
        return self.least <= number and (self.end is None or number < self.end)


@dataclass(frozen=True, slots=True)
class ShareBands:
    """Bands of a share in parts of `scale`: of covered days c and treatment days t, a band holds the person when
    least * t <= scale * c < end * t. Whole numbers, so that an edge is exact."""

    scale: int
    bands: tuple[Band, ...]


def age_bands(labels: Iterable[str]) -> tuple[Band, ...]:
    """Of `18-44` (both included), `75+`, `under_65`, `<65`. Raises NotBands."""
    return _checked(labels, _age_band, "`18-44`, `75+` or `under_65`")


def month_bands(labels: Iterable[str]) -> tuple[Band, ...]:
    """Of `0`, `1`, ... and an open last one, `12+`. Raises NotBands."""
    return _checked(labels, _month_band, "`0`, `1` or `12+`")


def share_bands(labels: Iterable[str], threshold: Fraction) -> ShareBands:
    """Of `p00_20`, ..., `p80_100` in percent: a lower edge belongs to its band, and 100 to the last; or of
    `nonadherent` and `adherent`, which begins at the threshold. Raises NotBands."""
    found = tuple(labels)
    if found and set(found) <= {"nonadherent", "adherent"}:
        edges = {"nonadherent": (0, threshold.numerator), "adherent": (threshold.numerator, None)}
        return ShareBands(threshold.denominator, tuple(Band(label, *edges[label]) for label in found))
    return ShareBands(PERCENT, _checked(found, _share_band, "`p80_100`, or `nonadherent` and `adherent`"))


def latest_birth_day(age: int, on: date) -> int | None:
    """The latest day of birth, in days since 1970-01-01, of whoever has completed so many years on a day; None where
    the calendar has none. Whoever was born on 29 February completes a year on 1 March, where there is no such day."""
    year = on.year - age
    if year < 1:
        return None
    try:
        born = on.replace(year=year)
    except ValueError:
        born = on.replace(year=year, day=28)
    return (born - EPOCH).days


def _checked(labels: Iterable[str], read: Callable[[str], Band | None], examples: str) -> tuple[Band, ...]:
    found = tuple(labels)
    bands = [read(label) for label in found]
    faults = [f"`{label}` is not written like {examples}" for label, band in zip(found, bands, strict=True) if not band]
    readable = tuple(band for band in bands if band)
    faults += list(_gaps_and_overlaps(readable))
    if faults:
        raise NotBands("; ".join(faults))
    return readable


def _gaps_and_overlaps(bands: Sequence[Band]) -> Iterator[str]:
    for band in bands:
        if band.end is not None and band.end <= band.least:
            yield f"`{band.label}` ends before it begins"
    for below, above in pairwise(sorted(bands, key=lambda band: (band.least, band.end is None, band.end))):
        if below.end is None or below.end > above.least:
            yield f"`{below.label}` and `{above.label}` overlap"
        elif below.end < above.least:
            yield f"nothing lies between `{below.label}` and `{above.label}`"


def _age_band(label: str) -> Band | None:
    if found := _RANGE.fullmatch(label):
        return Band(label, int(found[1]), int(found[2]) + 1)
    if found := _BELOW.fullmatch(label):
        return Band(label, 0, int(found[1]))
    if found := _FROM.fullmatch(label):
        return Band(label, int(found[1]), None)
    return None


def _share_band(label: str) -> Band | None:
    found = _SHARE.fullmatch(label)
    if found is None or int(found[2]) > PERCENT:
        return None
    return Band(label, int(found[1]), None if int(found[2]) == PERCENT else int(found[2]))


def _month_band(label: str) -> Band | None:
    found = _MONTH.fullmatch(label)
    if found is None:
        return None
    return Band(label, int(found[1]), None if found[2] else int(found[1]) + 1)
