"""`parley org`."""

import click

from api.cli.operating import checked, registering
from api.cli.output import say
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
