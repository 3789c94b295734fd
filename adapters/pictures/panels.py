"""An answer parted into panels: what goes along time or months is a course, and everything else a forest of intervals.

Figures of one unit share a forest, so that they can be compared on one scale. Nothing here draws.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from adapters.answers.lines import SHOWN, keys_of, state_of
from adapters.pictures.canvas import STYLES
from contracts.parties import JsonObject
from contracts.periods import Grain
from contracts.rendering.pages import printable
from contracts.statistics.threshold import CONFIDENCE, TARGET

DURATION: Final = "months_since_start"
# Shares that begin at one, with everyone still there.
CURVES: Final = ("persistence", "persistence_band")
PANELS_AT_MOST: Final = 8
PLACES_AT_MOST: Final = 60
_GRAINS: Final = tuple(grain.value for grain in Grain)


class NotDrawn(Exception):
    """A picture of this tells nothing."""


@dataclass(frozen=True, slots=True)
class Course:
    """One figure along an axis: by series (the rest of the key, in words) the row at each place."""

    figure: str
    unit: str
    along: str
    places: list[str]
    series: dict[str, dict[str, JsonObject]]

    @property
    def is_curve(self) -> bool:
        return self.along == DURATION and self.figure in CURVES


@dataclass(frozen=True, slots=True)
class Forest:
    """Figures of one unit, a line each. None: a heading. targets: what they are to be held against."""

    title: str
    unit: str
    lines: list[tuple[str, JsonObject | None]]
    targets: list[float]


def panels_of(answer: JsonObject) -> list[Course | Forest]:
    """At least one. Raises NotDrawn."""
    rows = answer["rows"]
    if not any(is_drawn(row) for row in rows if row["figure"] != TARGET):
        states = " or ".join(dict.fromkeys(row["state"] for row in rows)) or "absent"
        raise NotDrawn(f"There is nothing to draw: every figure of this answer is {states}.")
    courses, rest = _parted([row for row in rows if row["unit"] != CONFIDENCE])
    panels: list[Course | Forest] = [*courses, *_forests(rest)]
    if len(panels) > PANELS_AT_MOST:
        message = f"A picture has at most {PANELS_AT_MOST} panels, and this answer needs {len(panels)}"
        raise NotDrawn(f"{message}; ask for fewer measures, or not by time.")
    return panels


def is_drawn(row: JsonObject) -> bool:
    """Whether it has a value or a limit."""
    return row["value"] is not None or any(row[name] for name in ("interval", "total_interval"))


def gap_of(row: JsonObject) -> str:
    """Why a row shows no value; empty where it does."""
    state = state_of(row)
    return "" if state == SHOWN else in_words(state)


def in_words(name: str) -> str:
    """A name of the exchange as people write it."""
    return name.replace("_", " ").replace("pdc", "PDC")


def _parted(rows: Sequence[JsonObject]) -> tuple[list[Course], list[JsonObject]]:
    """The courses, and the rows of all other figures: those that stand at one place, as a median beside its curve."""
    keys = keys_of(rows)
    along = next((name for name in (DURATION, *_GRAINS) if name in keys), "")
    by_figure = {figure: list(found) for figure, found in groupby(rows, lambda row: (row["figure"], row["unit"]))}
    going = {name: found for name, found in by_figure.items() if along and _goes(found, along)}
    places = sorted({row["key"][along] for found in going.values() for row in found}, key=_order)
    courses = [_course(*name, found, along, places) for name, found in going.items()]
    return courses, [row for name, found in by_figure.items() if name not in going for row in found]


def _goes(rows: Sequence[JsonObject], along: str) -> bool:
    if not all(along in row["key"] for row in rows):
        return False
    # A figure up to a month, such as a restricted mean, is one row a stratum.
    strata = {tuple(text for name, text in row["key"].items() if name != along) for row in rows}
    return along != DURATION or len(rows) > len(strata)


def _order(place: str) -> tuple[int, str]:
    """Months as numbers, an open last one after them; periods as they are written."""
    number = place.rstrip("+")
    return (int(number), place) if number.isdigit() else (0, place)


def _course(figure: str, unit: str, rows: Sequence[JsonObject], along: str, places: list[str]) -> Course:
    """Raises NotDrawn."""
    placed: dict[str, dict[str, JsonObject]] = {}
    for row in rows:
        series = ", ".join(text for name, text in row["key"].items() if name != along) or "all"
        placed.setdefault(printable(series), {})[printable(row["key"][along])] = row
    if len(places) > PLACES_AT_MOST and along != DURATION:
        raise NotDrawn(f"A picture shows at most {PLACES_AT_MOST} periods; ask for fewer, or by a coarser grain.")
    if len(placed) > len(STYLES):
        raise NotDrawn(f"A picture shows at most {len(STYLES)} lines; ask by less, or filter.")
    return Course(figure, unit, along, list(map(printable, places)), placed)


def _forests(rows: Sequence[JsonObject]) -> Iterator[Forest]:
    """One a unit, or one a figure where that would be too much for one. Raises NotDrawn."""
    for unit in dict.fromkeys(row["unit"] for row in rows):
        found = [row for row in rows if row["unit"] == unit]
        targets = sorted({row["value"] for row in found if row["figure"] == TARGET and row["value"] is not None})
        figures = {name: list(each) for name, each in groupby(found, lambda row: row["figure"]) if name != TARGET}
        together = (
            [figures] if sum(map(len, figures.values())) <= PLACES_AT_MOST else [{k: v} for k, v in figures.items()]
        )
        for part in together:
            if any(len(each) > PLACES_AT_MOST for each in part.values()):
                raise NotDrawn(f"A picture shows at most {PLACES_AT_MOST} strata; ask by less, or filter.")
            title = in_words(next(iter(part))) if len(part) == 1 else ""
            yield Forest(title, unit, list(_lines(part)), targets)


def _lines(figures: dict[str, list[JsonObject]]) -> Iterator[tuple[str, JsonObject | None]]:
    """A figure without strata is a line; one of several with strata is a heading, and a line a stratum."""
    for figure, rows in figures.items():
        strata = [stratum_of(row) for row in rows]
        if strata == ["all"]:
            yield in_words(figure), rows[0]
            continue
        if len(figures) > 1:
            yield in_words(figure), None
        yield from zip(strata, rows, strict=True)


def stratum_of(row: JsonObject) -> str:
    """The key in words."""
    return ", ".join(_part(name, text) for name, text in row["key"].items()) or "all"


def _part(name: str, text: str) -> str:
    return printable(f"months 1 to {text}" if name == DURATION and text.isdigit() else text)


def all_ends(rows: Iterable[JsonObject]) -> list[float]:
    """Every number that is drawn."""
    ends = [row[name] for row in rows for name in ("interval", "total_interval") if row[name]]
    found = [row["value"] for row in rows] + [end for each in ends for end in each.values()]
    return [number for number in found if number is not None]
