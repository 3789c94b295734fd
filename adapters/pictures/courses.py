"""A figure along time, or along the months since a start: a line a series, and what has no value told in words."""

from itertools import groupby
from typing import TYPE_CHECKING, Final

from adapters.answers.lines import is_identified
from adapters.pictures.canvas import STYLES
from adapters.pictures.panels import Course, all_ends, gap_of, in_words
from contracts.parties import JsonObject

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HATCHES: Final = ("", "////", "\\\\\\\\", "....", "||||", "----", "xxxx", "++++")
_Run = list[tuple[int, JsonObject]]


def draw_course(axes: "Axes", panel: Course) -> None:
    if panel.is_curve:
        _draw_curves(axes, panel)
    else:
        _draw_lines(axes, panel)
    axes.set_title(in_words(panel.figure), loc="left")
    axes.set_ylabel(panel.unit)
    axes.set_xlabel(in_words(panel.along))
    axes.grid(visible=True, axis="y", linewidth=0.3)
    handles, names = axes.get_legend_handles_labels()
    if names and names != ["all"]:
        axes.legend(handles, names, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)


def _draw_lines(axes: "Axes", panel: Course) -> None:
    """Beside each other, so that intervals of several series stay apart; a gap where there is no value."""
    step = 0.5 / len(panel.series)
    for i, (name, line) in enumerate(panel.series.items()):
        shift = (i - (len(panel.series) - 1) / 2) * step
        rows = [line.get(place) for place in panel.places]
        values = [row["value"] if row is not None and is_identified(row) else float("nan") for row in rows]
        xs = [x + shift for x in range(len(rows))]
        axes.plot(xs, values, STYLES[i], color=f"C{i}", markersize=4, linewidth=1.2, label=name)
        for x, row in zip(xs, rows, strict=True):
            if row is not None:
                _draw_intervals(axes, x, row, f"C{i}")
    numbers = all_ends(row for line in panel.series.values() for row in line.values())
    if numbers and min(numbers) < 0 < max(numbers):
        axes.axhline(0, color="0.45", linewidth=0.9)
    labels = [_place(panel, place) for place in panel.places]
    axes.set_xticks(range(len(labels)), labels)
    if sum(max(map(len, label.split("\n"))) for label in labels) > 90:
        axes.tick_params(axis="x", rotation=90)
    axes.set_xlim(-0.5, len(labels) - 0.5)


def _place(panel: Course, place: str) -> str:
    """Below it what is suppressed, missing or not identified there; how many of several series."""
    gaps = [gap_of(line[place]) for line in panel.series.values() if place in line and gap_of(line[place])]
    counts = {gap: f"{gaps.count(gap)} " if len(panel.series) > 1 else "" for gap in dict.fromkeys(gaps)}
    return "\n".join([place, *(f"{count}{gap}" for gap, count in counts.items())])


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
            across = ("data", "axes fraction")
            axes.annotate("", (x, edge), (x, end), across, "data", arrowprops=arrow).set_in_layout(False)
            axes.plot([x], [end], "_", color=colour, markersize=7)


def _draw_curves(axes: "Axes", panel: Course) -> None:
    """From month 0, straight from month to month, as a restricted mean has it. Filled: for the noise; between dotted
    lines: with sampling."""
    months = [int(place) for place in panel.places]
    for i, (name, line) in enumerate(panel.series.items()):
        rows = [(int(place), row) for place, row in line.items()]
        for run in _runs([(0, _START), *((x, row) for x, row in rows if is_identified(row))]):
            _draw_run(axes, run, i)
        axes.plot([], [], STYLES[i], color=f"C{i}", markersize=4, label="\n".join([name, *_gaps(rows)]))
    axes.set_xlim(-0.3, max(months) + 0.3)
    numbers = all_ends(row for line in panel.series.values() for row in line.values())
    # Of a point itself noise can make more than all, or less than nobody.
    axes.set_ylim(min([0, *numbers]), max([1, *numbers]) + 0.03)
    axes.locator_params(axis="x", integer=True, nbins=13)


_START: Final[JsonObject] = {
    "value": 1.0,
    "unit": "share",
    "flags": [],
    "interval": {"lower": 1.0, "upper": 1.0},
    "total_interval": {"lower": 1.0, "upper": 1.0},
}


def _runs(rows: _Run) -> list[_Run]:
    """Those whose months follow each other."""
    runs = groupby(enumerate(rows), lambda each: each[1][0] - each[0])
    return [[row for _, row in run] for _, run in runs]


def _draw_run(axes: "Axes", run: _Run, i: int) -> None:
    colour, xs = f"C{i}", [x for x, _ in run]
    axes.plot(xs, [row["value"] for _, row in run], STYLES[i], color=colour, linewidth=1.3, markersize=3.5)
    if len(run) == 1 and xs != [0]:
        _draw_intervals(axes, *run[0], colour)
        return
    lower, upper = (_ends(run, "interval", end) for end in ("lower", "upper"))
    axes.fill_between(xs, lower, upper, alpha=0.3, facecolor=colour, edgecolor=colour, linewidth=0, hatch=_HATCHES[i])
    for end in ("lower", "upper"):
        axes.plot(xs, _ends(run, "total_interval", end), ":", color=colour, linewidth=1.0)


def _ends(run: _Run, member: str, end: str) -> list[float]:
    """Nothing where there is none."""
    ends = [row[member] for _, row in run]
    return [each[end] if each and None not in each.values() else float("nan") for each in ends]


def _gaps(rows: _Run) -> list[str]:
    """The months without a value, and why."""
    gaps = dict.fromkeys(gap_of(row) for _, row in rows if gap_of(row))
    told = []
    for gap in gaps:
        runs = _runs([(x, row) for x, row in rows if gap_of(row) == gap])
        ends = [(run[0][0], run[-1][0]) for run in runs]
        told.append(f"{gap}: " + " and ".join(str(a) if a == b else f"{a} to {b}" for a, b in ends))
    return told
