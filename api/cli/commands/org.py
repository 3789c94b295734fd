"""`parley org`."""

import click

from api.cli.operating import checked, operating, registering
from api.cli.output import say, say_json, say_table
from api.schemas.organisations import OrganisationSchema
from contracts.parties import Role


@click.group()
def org() -> None:
    """Register organisations, as the operator on the database of PARLEY_DATABASE_URL."""


@org.command(epilog="\b\nExample:\n  parley org add sierra --name 'Sierra Health Plan' --role payer")
@click.argument("organisation_id", metavar="ID")
@click.option("--name", required=True, help="Its name, for people.")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True, help="What it is here.")
def add(organisation_id: str, name: str, role: str) -> None:
    """Register an organisation. ID is small letters, digits and hyphens, and never changes."""
    body = checked(OrganisationSchema(), id=organisation_id, name=name, role=role)
    with registering() as operator:
        operator.add_organisation(body["id"], body["name"], Role(body["role"]))
    say(f"{role} {organisation_id} is registered.")


@org.command("list", epilog="\b\nExample:\n  parley org list")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def list_organisations(as_json: bool) -> None:
    """List the organisations registered here. `parley client list` says who gets in for them."""
    with operating() as database, database.reading() as stores:
        found = stores.parties.list_organisations()
    if as_json:
        say_json({"organisations": OrganisationSchema(many=True).dump(found)})
    elif found:
        rows = [(each.id, each.role, each.created_at.date().isoformat(), each.name) for each in found]
        say_table(("organisation", "role", "registered", "name"), rows)
    else:
        say("There are none.")
