"""A forest: a line a figure and stratum, its point and its intervals, on one scale; that of logarithms for ratios."""

from textwrap import fill
from typing import TYPE_CHECKING, Final

from adapters.answers.lines import is_identified
from adapters.pictures.panels import Forest, all_ends, gap_of, in_words
from contracts.parties import JsonObject
from contracts.statistics.answers import Flag

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINE_INCHES: Final = 0.26
_INTERVALS: Final = (("total_interval", 0.8, 7.0), ("interval", 2.4, 0.0))
_INK, _PALE = "0.1", "0.45"
_LETTERS: Final = 34
_TOLD_AS_GAPS: Final = (Flag.WHOLE_RANGE, Flag.NOT_IDENTIFIED, Flag.NOT_REACHED)


def draw_forest(axes: "Axes", panel: Forest) -> None:
    """From the top, in the order of the answer."""
    rows = [row for _, row in panel.lines if row is not None]
    numbers = all_ends(rows)
    if panel.unit == "ratio" and numbers and min(numbers) > 0:
        _scale_ratios(axes, wide=max(numbers) > 10 * min(numbers))
    for y, (_, row) in enumerate(panel.lines):
        if row is not None:
            _draw_row(axes, y, row)
    _draw_references(axes, panel, numbers)
    axes.set_title(panel.title, loc="left")
    axes.set_xlabel(panel.unit)
    axes.set_ylim(len(panel.lines) - 0.5, -0.6)
    axes.set_yticks(range(len(panel.lines)), [fill(_label(text, row), _LETTERS) for text, row in panel.lines])
    for label, (_, row) in zip(axes.get_yticklabels(), panel.lines, strict=True):
        label.set_fontweight("bold" if row is None else "normal")
    axes.grid(visible=True, axis="x", linewidth=0.3)


def _scale_ratios(axes: "Axes", *, wide: bool) -> None:
    """Half is as far from 1 as twice."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)) if wide else MaxNLocator(6))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _label(text: str, row: JsonObject | None) -> str:
    flags = [] if row is None else [flag for flag in row["flags"] if flag not in _TOLD_AS_GAPS]
    return text + (f" ({', '.join(map(in_words, flags))})" if flags else "")


def _draw_row(axes: "Axes", y: float, row: JsonObject) -> None:
    for member, width, cap in _INTERVALS:
        if row[member] is not None:
            _draw_interval(axes, y, row[member], width, cap)
    if is_identified(row):
        axes.plot([row["value"]], [y], "D", color=_INK, markersize=4)
    gap = gap_of(row)
    if gap:
        # Above the interval, which a figure that is not identified may have.
        lift, across = (3, "bottom") if row["interval"] else (0, "center")
        words = axes.annotate(
            gap,
            (0.01, y),
            (0, lift),
            ("axes fraction", "data"),
            "offset points",
            va=across,
            size=8,
            annotation_clip=False,
        )
        words.set_in_layout(False)


def _draw_interval(axes: "Axes", y: float, ends: JsonObject, width: float, cap: float) -> None:
    """One without an end goes on, as dots with an arrow, to the edge of what is drawn."""
    lower, upper = ends["lower"], ends["upper"]
    if lower is not None and upper is not None:
        marker = "|" if cap else "None"
        axes.plot([lower, upper], [y, y], "-", color=_INK, linewidth=width, marker=marker, markersize=cap)
    elif lower is not upper:
        end, edge = (lower, 1.0) if upper is None else (upper, 0.0)
        arrow = {"arrowstyle": "->", "linestyle": "dotted", "color": _INK, "shrinkA": 0, "shrinkB": 0}
        across = ("axes fraction", "data")
        axes.annotate("", (edge, y), (end, y), across, "data", arrowprops=arrow).set_in_layout(False)
        axes.plot([end], [y], "|", color=_INK, markersize=7)


def _draw_references(axes: "Axes", panel: Forest, numbers: list[float]) -> None:
    """Where both are equal, where nothing differs, and what the contract's target is."""
    if panel.unit == "ratio":
        axes.axvline(1, color=_PALE, linewidth=0.9)
    elif numbers and min(numbers) < 0 < max(numbers):
        axes.axvline(0, color=_PALE, linewidth=0.9)
    for target in panel.targets:
        axes.axvline(target, color=_INK, linewidth=1.2, linestyle="--")
    if panel.targets:
        told = ", ".join(f"{target:g}" for target in panel.targets)
        axes.set_title(f"dashed: target {told}", loc="right", fontsize=8.5)
