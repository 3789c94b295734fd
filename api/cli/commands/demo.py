"""`parley demo`."""

import click


@click.command(epilog="\b\nExample:\n  parley demo --json > demo.json")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document in place of the story.")
@click.option(
    "--keep", is_flag=True, help="Keep the demo's folder with its database and keys, and say where it is."
)
def demo(as_json: bool, keep: bool) -> None:
    """Play a whole exchange over HTTP on synthetic members: contract, signatures, submissions, answers.

    Starts a server of its own on a free port and stops it at the end. Needs no set-up and no network.
    """
    from api.demo.story import run_demo  # it loads the synthetic world, which `parley demo --help` need not

    run_demo(as_json=as_json, keep=keep)
