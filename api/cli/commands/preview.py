"""`parley contract preview`."""

from pathlib import Path

import click

from adapters.clock import SystemClock
from adapters.pictures.accuracy import draw_accuracy
from adapters.pictures.canvas import FORMATS, PlottingMissing
from api.cli.operating import max_cells, said_plainly
from api.cli.output import Failure, say_json, tell
from api.cli.pages import read_drafted
from api.cli.preview_text import say_preview
from api.schemas.previews import preview_json
from contracts.previewing import Preview, Previewing
from contracts.statistics.catalogue import GRANTABLE


@click.command(
    epilog="\b\nExamples:\n  parley contract preview helixor.yaml\n"
    "  parley contract preview helixor.yaml --accuracy adherence_rate:region=1.0pp\n"
    "  parley contract preview helixor.yaml --plot accuracy.svg"
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--accuracy",
    "accuracies",
    multiple=True,
    metavar="WANTED",
    help="Find the smallest rho that reaches it, like adherence_rate:region=1.0pp or counts.members:region@year=5%.",
)
@click.option(
    "--plot",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Draw half-widths against budgets, .svg or .png; needs the extra `plot`.",
)
@click.option("--plans", is_flag=True, help="Print the measurement plan of each feed too, in sentences.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole preview, with the points of the picture.")
def preview(file: Path, accuracies: tuple[str, ...], plot: Path | None, plans: bool, as_json: bool) -> None:
    """Show what the contract in FILE would give and cost, on this machine: no exchange, token or data is needed.

    FILE is a contract as for `draft`, or what `parley contract show ID --json` printed.
    """
    if plot is not None and plot.suffix not in FORMATS:
        raise click.BadParameter(f"a picture's name ends in {' or '.join(FORMATS)}", param_hint="--plot")
    document = read_drafted(file)
    with said_plainly():
        found = Previewing(SystemClock(), GRANTABLE, max_cells()).preview(document, accuracies)
    if as_json:
        say_json(preview_json(found))
    else:
        say_preview(preview_json(found), with_plans=plans)
    if plot is not None:
        _draw(found, plot)


def _draw(found: Preview, plot: Path) -> None:
    try:
        draw_accuracy(found.feeds, plot)
    except PlottingMissing as missing:
        raise Failure(f"{missing}.") from None
    except OSError as error:
        raise Failure(f"{plot} cannot be written: {error.strerror}.") from None
    tell(f"Drawn: {plot}")
