"""An answer as a picture in a file: `parley ask --plot`."""

from pathlib import Path

import click

from api.cli.answer_text import notes_of
from api.cli.files import ORDINARY_MODE, refuse_taken, write_whole
from api.cli.output import Failure, tell
from contracts.parties import JsonObject


def require_picture_file(path: Path, *, replace: bool) -> None:
    """Before anything is asked. Raises click.BadParameter, Failure."""
    # Loaded for the few who want pictures.
    from adapters.pictures.canvas import FORMATS

    if path.suffix not in FORMATS:
        raise click.BadParameter(f"a picture's name ends in {' or '.join(FORMATS)}", param_hint="--plot")
    refuse_taken(path, replace=replace)


def draw_to(path: Path, answer: JsonObject, *, replace: bool) -> None:
    """Raises Failure."""
    from adapters.pictures.answers import draw_answer
    from adapters.pictures.canvas import PlottingMissing
    from adapters.pictures.panels import NotDrawn

    try:
        picture = draw_answer({**answer, "notes": notes_of(answer)}, path.suffix)
    except (PlottingMissing, NotDrawn) as error:
        raise Failure(f"{str(error).removesuffix('.')}.") from None
    write_whole(path, picture, ORDINARY_MODE, replace=replace)
    tell(f"Drawn: {path}")
