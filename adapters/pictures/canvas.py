"""What every picture has in common: the library, if it is there, one style, and files that are the same each time."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS: Final = (".svg", ".png")
# Dark and light, dashes and dots: readable without colours.
STYLES: Final = ("o-", "s--", "^-.", "D:", "v-", "x--", "P-.", "*:")


class PlottingMissing(Exception):
    """matplotlib is not installed."""

    def __init__(self) -> None:
        super().__init__("Pictures need matplotlib. In a checkout of Parley: pip install -c constraints.txt '.[plot]'")


@contextmanager
def canvas(width: float, height: float) -> Iterator["Figure"]:
    """A figure of so many inches, drawn and saved within. Raises PlottingMissing."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise PlottingMissing from None
    # Ids that depend on nothing but the drawing: the same picture is the same file.
    with rc_context({"svg.hashsalt": "parley", "svg.fonttype": "none", "font.size": 9.0}):
        yield Figure(figsize=(width, height), layout="constrained")


def written(figure: "Figure", suffix: str) -> bytes:
    """suffix: one of `FORMATS`. No date in it."""
    metadata: dict[str, Any] = {"Date": None, "Creator": None} if suffix == ".svg" else {"Software": None}
    file = BytesIO()
    figure.savefig(file, format=suffix.removeprefix("."), dpi=150, metadata=metadata)
    return file.getvalue()
