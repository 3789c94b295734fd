"""`parley openapi`."""

from pathlib import Path

import click
import yaml

from api.app import describe_app
from api.cli.files import read_file
from api.cli.output import Failure, say
from api.description.document import openapi_yaml


@click.command(epilog="\b\nExample:\n  parley openapi --check")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    default=Path("openapi.yaml"),
    show_default=True,
    help="The file to write or to check.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 when the file is not current.")
def openapi(out: Path, check: bool) -> None:
    """Write the OpenAPI document of this version from its routes, or check that a copy is current."""
    current = _describe()
    if check:
        _require_current(out, current)
        say(f"{out} is current.")
        return
    try:
        out.write_text(current, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{out} cannot be written: {error.strerror}.") from None
    say(f"{out} is written.")


def _describe() -> str:
    app = describe_app()
    with app.app_context():
        return openapi_yaml(app)


def _require_current(out: Path, current: str) -> None:
    try:
        written = read_file(out).decode()
        same = yaml.safe_load(written) == yaml.safe_load(current)
    except (UnicodeDecodeError, yaml.YAMLError):
        raise Failure(f"{out} is not YAML: run `parley openapi`.") from None
    if not same:
        raise Failure(f"{out} is stale: run `parley openapi`.")
    if written != current:
        raise Failure(f"{out} says the same in another form: run `parley openapi`.")
