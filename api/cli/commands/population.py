"""`parley population`."""

import click

from api.cli.commands.lifecycle import say_population_stands
from api.cli.operating import checked, registering, suspending
from api.cli.output import say
from api.schemas.contracts import PopulationStandsSchema, ReasonSchema
from api.schemas.organisations import GrantSchema, PopulationSchema
from contracts.drafting.budgets import DEFAULT_CEILING_RHO
from contracts.suspending import OPERATOR
from privacy.units import rho_text


@click.group()
def population() -> None:
    """Register and suspend populations, as the operator on the database of PARLEY_DATABASE_URL."""


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


@population.command(
    epilog="\b\nExample:\n  parley population grant sierra-members --rho 0.05 --reason 'amendment 2, signed'"
)
@click.argument("population_id", metavar="ID")
@click.option("--rho", required=True, metavar="DECIMAL", help="How much is added to the lifetime ceiling.")
@click.option("--reason", required=True, metavar="TEXT", help="Who decided it and why; it stays in the ledger.")
def grant(population_id: str, rho: str, reason: str) -> None:
    """Raise a population's lifetime ceiling by a recorded grant. What was lost before stays on show."""
    body = checked(GrantSchema(), rho=rho, reason=reason)
    with registering() as operator:
        entry = operator.grant(population_id, body["rho"], body["reason"])
    say(f"{population_id} has a lifetime ceiling of rho {rho_text(entry.granted_nano)} now.")


@population.command(epilog="\b\nExample:\n  parley population suspend sierra-members --reason 'wrong cells since May'")
@click.argument("population_id", metavar="ID")
@click.option("--reason", required=True, metavar="TEXT", help="Why. Kept for ever, and read by the parties.")
def suspend(population_id: str, reason: str) -> None:
    """Suspend every contract that draws on a population. Its owner: parley contract suspend --population."""
    body = checked(ReasonSchema(), reason=reason)
    with suspending() as use:
        stands = use.suspend_population(OPERATOR, population_id, body["reason"])
    say_population_stands(PopulationStandsSchema().dump(stands))


@population.command(epilog="\b\nExample:\n  parley population resume sierra-members --reason 'posted anew'")
@click.argument("population_id", metavar="ID")
@click.option("--reason", required=True, metavar="TEXT", help="Why. Kept for ever, and read by the parties.")
def resume(population_id: str, reason: str) -> None:
    """Lift the operator's suspension of a population; its owner's stays."""
    body = checked(ReasonSchema(), reason=reason)
    with suspending() as use:
        stands = use.resume_population(OPERATOR, population_id, body["reason"])
    say_population_stands(PopulationStandsSchema().dump(stands))
