"""Pictures of accuracy against budget."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from adapters.pictures.canvas import STYLES, canvas, written
from contracts.predicting import By
from contracts.previewing import FeedPreview

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANEL_INCHES: Final = (8.0, 3.2)


def draw_accuracy(feeds: Sequence[FeedPreview], path: Path) -> None:
    """Draw half-width against the ceiling of each feed, with its epsilon above and the contract's ceiling marked.

    path ends in one of `FORMATS`. Raises PlottingMissing, OSError.
    """
    width, height = _PANEL_INCHES
    with canvas(width, height * len(feeds)) as figure:
        from matplotlib.ticker import StrMethodFormatter

        for axes, feed in zip(figure.subplots(len(feeds), squeeze=False)[:, 0], feeds, strict=True):
            _draw_feed(axes, feed)
            # 0.01 rather than a power of ten.
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        path.write_bytes(written(figure, path.suffix))


def _draw_feed(axes: "Axes", feed: FeedPreview) -> None:
    curve, lead = feed.curve, feed.lead
    rhos = [point.rho_nano / 1e9 for point in curve]
    for i, (by, _) in enumerate(curve[0].half_widths):
        widths = [point.half_widths[i][1] for point in curve]
        axes.plot(rhos, widths, STYLES[i % len(STYLES)], markersize=3.5, linewidth=1.2, label=_name(by))
    axes.axvline(feed.over_term.rho_nano / 1e9, color="0.35", linewidth=1, linestyle=":")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(f"rho of the feed {feed.feed.name} over the term (dotted: the contract's)")
    axes.set_ylabel(f"half-width, {lead.unit}")
    axes.grid(visible=True, which="both", linewidth=0.3)
    providers = f"{lead.span.providers} {feed.feed.provider}" + ("s pooled" if lead.span.providers > 1 else "")
    title = f"{lead.figure.name}, one {feed.feed.grain},\n{providers}"
    axes.legend(fontsize=8, title=title, title_fontsize=8, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    above = axes.secondary_xaxis("top")
    above.set_xlabel(f"epsilon at delta {feed.over_term.delta}")
    # Rounded up, so as not to look better than it is.
    above.set_xticks(rhos[::2], [f"{ceil(100 * point.epsilon) / 100:.2f}" for point in curve[::2]])
    above.minorticks_off()


def _name(by: By) -> str:
    return "\n  x ".join(by) or "total"
