"""An answer as a picture: what is asked, the figures with their intervals, and below what must be known to read them.

By months since start it is a curve with its band, by a grain of time a line a stratum, and otherwise a forest: a line a
figure and stratum. What has no value is told in words at its place.
"""

from typing import TYPE_CHECKING, Final

from adapters.pictures.canvas import canvas, written
from adapters.pictures.courses import draw_course
from adapters.pictures.forest import LINE_INCHES, draw_forest
from adapters.pictures.panels import Course, Forest, panels_of
from adapters.pictures.told import caption, heading
from contracts.parties import JsonObject

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH_INCHES: Final = 8.0
_COURSE_INCHES: Final = 3.0
_AROUND_INCHES: Final = 0.7
_TEXT_INCHES: Final = 0.16
_HEADING_INCHES: Final = 0.2


def draw_answer(answer: JsonObject, suffix: str) -> bytes:
    """The file. suffix: `.svg` or `.png`. Raises PlottingMissing, NotDrawn."""
    panels = panels_of(answer)
    above, below = heading(answer), caption(answer, panels)
    heights = [_inches(panel) for panel in panels]
    words = _HEADING_INCHES * (above.count("\n") + 2) + _TEXT_INCHES * (below.count("\n") + 2)
    with canvas(_WIDTH_INCHES, sum(heights) + words) as figure:
        places = figure.subplots(len(panels), squeeze=False, height_ratios=heights)[:, 0]
        for axes, panel in zip(places, panels, strict=True):
            if isinstance(panel, Course):
                draw_course(axes, panel)
            else:
                draw_forest(axes, panel)
        _tell(figure, above, below)
        return written(figure, suffix)


def _inches(panel: Course | Forest) -> float:
    """With its title and its axis."""
    return _COURSE_INCHES if isinstance(panel, Course) else _AROUND_INCHES + LINE_INCHES * max(2, len(panel.lines))


def _tell(figure: "Figure", above: str, below: str) -> None:
    """As title and as label of the whole figure's axis they are given room of their own."""
    figure.suptitle(_plain(above), fontsize=10.5, fontweight="bold", x=0.01, ha="left")
    figure.supxlabel(_plain(below), fontsize=7.5, x=0.01, ha="left")


def _plain(text: str) -> str:
    """No formulas."""
    return text.replace("$", r"\$")
