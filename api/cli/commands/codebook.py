"""`parley codebook`."""

from dataclasses import asdict
from typing import Final

import click

from api.cli.codebook_page import codebook_page, statistics_table
from api.cli.output import say_json
from contracts.statistics.codebook import codebook as read_codebook

JSON: Final = "json"


@click.command(epilog="\b\nExamples:\n  parley codebook --format json\n  parley codebook >codebook.md")
@click.option(
    "--format",
    "form",
    type=click.Choice(("markdown", JSON)),
    default="markdown",
    show_default=True,
    help="markdown is for people; json is as GET /v1/codebook answers it.",
)
@click.option("--table", is_flag=True, help="Of the Markdown only the table of statistics, a line each.")
def codebook(form: str, table: bool) -> None:
    """Print what every column, state, flag, label, unit and figure of an answer means. Asks nobody."""
    if form == JSON:
        say_json(asdict(read_codebook()))
    else:
        click.echo("\n".join(statistics_table()) if table else codebook_page().removesuffix("\n"))
