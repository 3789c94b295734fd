"""`parley demo`."""

from pathlib import Path

import click


@click.command(epilog="\b\nExample:\n  parley demo --json > demo.json")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document; the story goes to standard error.")
@click.option(
    "--keep",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="A new or empty folder in which database, keys and log stay.",
)
@click.pass_context
def demo(ctx: click.Context, as_json: bool, keep: Path | None) -> None:
    """Play a whole exchange over HTTP on synthetic members: contract, signatures, submissions, answers.

    Starts a server of its own on a free port and stops it at the end. Needs no set-up and no network.
    """
    from api.demo.story import run_demo  # it loads the synthetic world, which `parley demo --help` need not

    ctx.exit(run_demo(as_json, keep))
