"""`parley contract render`."""

from pathlib import Path

import click

from api.cli.pages import FORMATS, read_contract, write_page


@click.command(
    epilog="\b\nExamples:\n  parley contract render helixor.yaml\n"
    "  parley contract render contract.json --format html --out helixor.html"
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="markdown", show_default=True, help="What to write."
)
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path), help="A new file; standard output unless given."
)
def render(file: Path, form: str, out: Path | None) -> None:
    """Write the contract in FILE in plain words, for the people who sign it. Nothing that it says is left out.

    FILE is a contract as for `draft`, or what `parley contract show ID --json` printed. Calls nobody.
    """
    write_page(read_contract(file), form, out)
