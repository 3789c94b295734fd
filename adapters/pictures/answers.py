"""An answer as a picture: a panel a figure, with its intervals, and below what must be known to read it.

By months since start it is a curve with its band, by a grain of time a line a stratum, and otherwise a bar a stratum.
Thick: the interval for the noise; thin: that for noise and sampling. What has no value is told in words at its place.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Final

from adapters.answers.lines import is_identified, keys_of
from adapters.pictures.canvas import STYLES, canvas, written
from contracts.parties import JsonObject
from contracts.periods import Grain
from contracts.rendering.pages import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DURATION: Final = "months_since_start"
PANELS_AT_MOST: Final = 8
PLACES_AT_MOST: Final = 60
_WIDTH_INCHES, _PANEL_INCHES, _LINE_INCHES = 8.0, 3.0, 0.16
_LETTERS_A_LINE: Final = 115
_GRAINS: Final = tuple(grain.value for grain in Grain)
_BARS: Final = "0.8"


class TooMuchToDraw(Exception):
    """A picture of so much tells nothing."""


@dataclass(frozen=True, slots=True)
class _Panel:
    """One figure: places along the axis, and by series (the rest of the key, in words) the row at each place."""

    figure: str
    unit: str
    along: str
    places: list[str]
    series: dict[str, dict[str, JsonObject]]


def draw_answer(answer: JsonObject, suffix: str) -> bytes:
    """The file. suffix: `.svg` or `.png`. Raises PlottingMissing, TooMuchToDraw."""
    panels = list(_panels(answer["rows"]))
    if len(panels) > PANELS_AT_MOST:
        raise TooMuchToDraw(f"A picture has at most {PANELS_AT_MOST} figures, and this answer has {len(panels)}.")
    told = "\n".join(fill(line, _LETTERS_A_LINE) for line in _told(answer))
    height = _PANEL_INCHES * len(panels) + _LINE_INCHES * (told.count("\n") + 2)
    with canvas(_WIDTH_INCHES, height) as figure:
        for axes, panel in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels, strict=True):
            _draw(axes, panel)
        _tell(figure, told)
        return written(figure, suffix)


def _panels(rows: Sequence[JsonObject]) -> Iterator[_Panel]:
    """Raises TooMuchToDraw."""
    keys = keys_of(rows)
    along = next((name for name in (DURATION, *_GRAINS) if name in keys), "")
    for figure, unit in dict.fromkeys((row["figure"], row["unit"]) for row in rows):
        found = [row for row in rows if row["figure"] == figure]
        # A figure that does not go along the axis, as a median beside its curve, has bars of its own.
        own = along if all(along in row["key"] for row in found) else ""
        placed: dict[str, dict[str, JsonObject]] = {}
        for row in found:
            rest = ", ".join(text for name, text in row["key"].items() if name != own) or "all"
            place, series = (row["key"][own], rest) if own else (rest, "")
            placed.setdefault(printable(series), {})[printable(place)] = row
        places = list(dict.fromkeys(place for line in placed.values() for place in line))
        if len(places) > PLACES_AT_MOST and own != DURATION:
            raise TooMuchToDraw(f"A picture shows at most {PLACES_AT_MOST} strata or periods; ask by less, or filter.")
        if len(placed) > len(STYLES):
            raise TooMuchToDraw(f"A picture shows at most {len(STYLES)} lines; ask by less, or filter.")
        yield _Panel(figure, unit, own, places, placed)


def _draw(axes: "Axes", panel: _Panel) -> None:
    draw: Callable[[Axes, _Panel], None] = (
        _draw_curve if panel.along == DURATION else _draw_trend if panel.along else _draw_bars
    )
    draw(axes, panel)
    axes.set_title(panel.figure.replace("_", " "), loc="left")
    axes.set_ylabel(panel.unit)
    axes.set_xticks(range(len(panel.places)), panel.places)
    if panel.along == DURATION:
        axes.locator_params(axis="x", nbins=13)
    elif sum(map(len, panel.places)) > 90:
        axes.tick_params(axis="x", rotation=90)
    if panel.along:
        axes.set_xlabel(panel.along.replace("_", " "))
    axes.margins(x=0.03)
    axes.grid(visible=True, axis="y", linewidth=0.3)
    _tell_gaps(axes, panel)
    if len(panel.series) > 1:
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)


def _draw_bars(axes: "Axes", panel: _Panel) -> None:
    rows = [panel.series[""][place] for place in panel.places]
    drawn = [(x, row["value"]) for x, row in enumerate(rows) if is_identified(row)]
    axes.bar([x for x, _ in drawn], [value for _, value in drawn], width=0.6, color=_BARS, edgecolor="0.3")
    axes.axhline(0, color="0.3", linewidth=0.6)
    for x, row in enumerate(rows):
        _draw_intervals(axes, x, row, "0.1")


def _draw_trend(axes: "Axes", panel: _Panel) -> None:
    """Beside each other, so that intervals of several series stay apart; a gap where there is no value."""
    step = 0.5 / max(len(panel.series), 1)
    for i, (name, line) in enumerate(panel.series.items()):
        shift = (i - (len(panel.series) - 1) / 2) * step
        rows = [line.get(place) for place in panel.places]
        values = [row["value"] if row is not None and is_identified(row) else float("nan") for row in rows]
        xs = [x + shift for x in range(len(rows))]
        axes.plot(xs, values, STYLES[i], color=f"C{i}", markersize=4, linewidth=1.2, label=name)
        for x, row in zip(xs, rows, strict=True):
            if row is not None:
                _draw_intervals(axes, x, row, f"C{i}")


def _draw_curve(axes: "Axes", panel: _Panel) -> None:
    """As steps, since a month's events are known to lie in it; the band is that of each month."""
    for i, (name, line) in enumerate(panel.series.items()):
        rows = [(x, line[place]) for x, place in enumerate(panel.places) if place in line]
        shown = [(x, row) for x, row in rows if is_identified(row)]
        xs = [x for x, _ in shown]
        values = [row["value"] for _, row in shown]
        (drawn,) = axes.plot(xs, values, STYLES[i], color=f"C{i}", markersize=3, linewidth=1.3, label=name)
        drawn.set_drawstyle("steps-post")
        for member, shade in (("total_interval", 0.12), ("interval", 0.25)):
            ends = [(x, row[member]) for x, row in shown if row[member] and None not in row[member].values()]
            lower, upper = ([each[end] for _, each in ends] for end in ("lower", "upper"))
            axes.fill_between([x for x, _ in ends], lower, upper, step="post", alpha=shade, color=f"C{i}", linewidth=0)


def _draw_intervals(axes: "Axes", x: float, row: JsonObject, colour: str) -> None:
    """An interval without an end goes on, as dots with an arrow, to the edge of what is drawn."""
    for member, width, cap in (("total_interval", 0.8, "_"), ("interval", 2.2, "")):
        ends = row[member]
        if ends is None or ends["lower"] is ends["upper"] is None:
            continue
        lower, upper = ends["lower"], ends["upper"]
        if lower is not None and upper is not None:
            axes.plot([x, x], [lower, upper], "-", color=colour, linewidth=width, marker=cap or None, markersize=7)
        else:
            end, edge = (lower, 1.0) if upper is None else (upper, 0.0)
            arrow = {"arrowstyle": "->", "linestyle": "dotted", "color": colour, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", (x, edge), (x, end), ("data", "axes fraction"), "data", arrowprops=arrow)


def _tell_gaps(axes: "Axes", panel: _Panel) -> None:
    """Suppressed, missing and not identified, where a value would be; how many of several series."""
    for x, place in enumerate(panel.places):
        rows = [line[place] for line in panel.series.values() if place in line]
        states = [_gap(row) for row in rows if _gap(row)]
        for i, state in enumerate(dict.fromkeys(states)):
            count = f"{states.count(state)} " if len(panel.series) > 1 else ""
            # Beside an interval, which a figure that is not identified may have.
            offset = (-8.0, 4.0 + 70 * i)
            axes.annotate(
                f"{count}{state}",
                (x, 0),
                offset,
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                rotation=90,
                ha="center",
                va="bottom",
                size=8,
            )


def _gap(row: JsonObject) -> str:
    if row["state"] != "shown":
        return str(row["state"])
    return "" if is_identified(row) else "not identified"


def _told(answer: JsonObject) -> Iterator[str]:
    percent = f"{answer['confidence'] * 100:g}%"
    yield answer["estimand"]
    yield f"Thick line or dark band ({percent}): {answer['interval_covers']}"
    if answer["total_interval_covers"]:
        yield f"Thin line or light band ({percent}): {answer['total_interval_covers']}"
    yield f"Labels: {', '.join(label.replace('_', ' ') for label in answer['labels'])}"
    yield from (f"Note: {note}" for note in answer["notes"])
    yield f"Contract {answer['contract_id']}, version {answer['contract_version']}; as of {answer['as_of']}"


def _tell(figure: "Figure", told: str) -> None:
    lines = "\n".join(printable(line) for line in told.split("\n"))
    # As the label of the whole figure's axis it is given room of its own.
    figure.supxlabel(lines.replace("$", r"\$"), fontsize=7.5, x=0.01, ha="left")
