"""`parley population`."""

import click

from api.cli.operating import checked, registering
from api.cli.output import say
from api.schemas.organisations import PopulationSchema
from contracts.drafting import DEFAULT_CEILING_RHO


@click.group()
def population() -> None:
    """Register populations, as the operator on the database of PARLEY_DATABASE_URL."""


@population.command(epilog="\b\nExample:\n  parley population add sierra-members --organisation sierra --rho 0.1")
@click.argument("population_id", metavar="ID")
@click.option("--organisation", required=True, metavar="ID", help="Whose members or patients they are.")
@click.option(
    "--rho",
    default=DEFAULT_CEILING_RHO,
    show_default=True,
    metavar="DECIMAL",
    help="The most that one person may ever lose, over all contracts, as zCDP rho.",
)
@click.option(
    "--attestation", metavar="TEXT", help="For a second population: your statement that no person is in both."
)
def add(population_id: str, organisation: str, rho: str, attestation: str | None) -> None:
    """Register all the persons whose records a provider may ever post, and grant their lifetime ceiling."""
    body = checked(PopulationSchema(), id=population_id, rho=rho, attestation=attestation)
    with registering() as operator:
        operator.add_population(organisation, body["id"], body["rho"], body["attestation"])
    say(f"Population {population_id} of {organisation} is registered with a lifetime ceiling of rho {rho}.")
