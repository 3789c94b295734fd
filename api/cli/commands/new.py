"""`parley contract new`."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import click
import yaml

from adapters.clock import SystemClock
from api.cli.files import PUBLIC_MODE, write_new
from api.cli.operating import checked, max_cells, said_plainly
from api.cli.output import Failure, say, say_table, tell
from api.contract_templates import SettingInvalid, fill_in, settings_for, summary_of, template_names
from api.schemas.contracts import ContractDocumentSchema
from contracts.drafting import check_terms
from contracts.statistics.catalogue import GRANTABLE


@click.command(
    epilog="\b\nExamples:\n  parley contract new --list\n"
    "  parley contract new --template adherence-exchange --set payers=acme,sierra,lakeshore --set brand=helix \\\n"
    "    --out helixor.yaml"
)
@click.option("--template", metavar="NAME", help="Which contract to start from.")
@click.option("--list", "listing", is_flag=True, help="List the templates, and what can be set in them.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Set a value; repeat it for several.")
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path), help="A new file; standard output unless given."
)
def new(template: str | None, listing: bool, settings: tuple[str, ...], out: Path | None) -> None:
    """Write a whole contract with comments, to be read, changed and drafted. Calls nobody."""
    today = SystemClock().now().date()
    if listing:
        _list(today)
        return
    if template not in template_names():
        raise click.BadParameter(f"one of {', '.join(template_names())}", param_hint="--template")
    try:
        text = fill_in(template, dict(_pairs(settings)), today)
    except SettingInvalid as invalid:
        raise Failure(f"{invalid}.") from None
    _require_sense(text, today)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_new(out, text, PUBLIC_MODE)
        tell(f"Written: {out}. Next: read it, then parley contract preview {out}")


def _list(today: date) -> None:
    names = template_names()
    for name in names:
        say(f"{name}: {summary_of(name)}")
    say()
    say("What can be set, with what it is unless set (PAYER and BRAND stand for their ids):")
    known = settings_for("TEMPLATE", today, title="the line above")
    say_table(("setting", "default", "meaning"), [(n, s.default, s.explanation) for n, s in known.items()])


def _pairs(settings: Iterable[str]) -> Iterable[tuple[str, str]]:
    for setting in settings:
        name, found, value = setting.partition("=")
        if not found:
            raise click.BadParameter(f"{setting} is not NAME=VALUE", param_hint="--set")
        yield name.strip(), value.strip()


def _require_sense(text: str, today: date) -> None:
    """Nothing is written that could not be drafted, once its organisations are registered."""
    document = checked(ContractDocumentSchema(), **yaml.safe_load(text))
    with said_plainly():
        check_terms(document, statistics=GRANTABLE, max_cells=max_cells(), today=today)
