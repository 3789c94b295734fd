"""Where an answer goes and in which form: a table, CSV, Parquet or JSON; printed, or in a file that is whole or not
there."""

from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import wraps
from io import StringIO
from pathlib import Path
from typing import Any, Final

import click

from api.cli.files import ORDINARY_MODE, refuse_taken, write_whole
from api.cli.output import say_json, tell
from contracts.parties import JsonObject

TABLE: Final = "table"
CSV: Final = "csv"
PARQUET: Final = "parquet"
JSON: Final = "json"


@dataclass(frozen=True, slots=True)
class Output:
    """form: table, csv, parquet or json. with_notes: of CSV. replace: what is there already."""

    form: str
    with_notes: bool
    out: Path | None
    replace: bool

    def write(
        self,
        document: JsonObject,
        as_text: Callable[[], None],
        as_csv: Callable[[], str],
        as_parquet: Callable[[], bytes] | None = None,
    ) -> None:
        """Raises Failure when the file cannot be written; it is then as it was."""
        if self.out is None:
            self._print(document, as_text, as_csv)
            return
        if self.form == PARQUET:
            if as_parquet is None:
                raise click.UsageError("--format parquet goes with a statistic.")
            content: str | bytes = as_parquet()
        else:
            with redirect_stdout(StringIO()) as printed:
                self._print(document, as_text, as_csv)
            content = printed.getvalue()
        write_whole(self.out, content, ORDINARY_MODE, replace=self.replace)
        tell(f"Written to {self.out}.")

    def _print(self, document: JsonObject, as_text: Callable[[], None], as_csv: Callable[[], str]) -> None:
        if self.form == TABLE:
            as_text()
        elif self.form == CSV:
            click.echo(as_csv(), nl=False)
        else:
            say_json(document)


def output_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of a command that prints something that may be wanted in several forms; it gets an Output."""

    @click.option(
        "--format",
        "form",
        type=click.Choice((TABLE, CSV, PARQUET, JSON)),
        help="table, unless given, is for people; csv and parquet for programs; json is the whole answer.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Short for --format json.")
    @click.option("--with-notes", is_flag=True, help="With csv: in front, behind #, what must be known to read it.")
    @click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Write to this new file instead.")
    @click.option("--force", is_flag=True, help="With --out or --plot: replace a file that is there.")
    @wraps(command)
    def with_output(
        form: str | None, as_json: bool, with_notes: bool, out: Path | None, force: bool, **values: Any
    ) -> None:
        if as_json and form not in (None, JSON):
            raise click.UsageError(f"--json is short for --format json, and does not go with --format {form}.")
        chosen = JSON if as_json else form or TABLE
        if with_notes and chosen != CSV:
            raise click.UsageError("--with-notes goes with --format csv; the other forms have them anyway.")
        if chosen == PARQUET and out is None:
            raise click.UsageError("--format parquet goes with --out: it is nothing to be printed.")
        if force and out is None and values.get("plot") is None:
            raise click.UsageError("--force goes with --out or --plot.")
        if out is not None:
            refuse_taken(out, replace=force)
        command(output=Output(chosen, with_notes, out, force), **values)

    return with_output
