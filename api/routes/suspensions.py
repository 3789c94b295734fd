"""What stops a contract and lets it go on: by its parties, by the owner of a population, and by the operator."""

from typing import Any, Final

from api.auth.guards import requires
from api.http import Blueprint
from api.schemas.contracts import PopulationStandsSchema, ReasonSchema, StandsSchema
from api.wiring import wiring
from contracts.parties import Caller, Scope
from contracts.registering import require_operator
from contracts.suspending import actor_of

blueprint = Blueprint("suspensions", __name__, description="Suspending, resuming and terminating.")

_CONTRACT: Final = "/v1/contracts/<string:contract_id>"
_POPULATION: Final = "/v1/populations/<string:population_id>"
_OPERATED_CONTRACT: Final = "/v1/operator/contracts/<string:contract_id>"
_OPERATED_POPULATION: Final = "/v1/operator/populations/<string:population_id>"


@blueprint.route(f"{_CONTRACT}/suspension", methods=["POST"])
@requires(Scope.CONTRACTS_WRITE)
@blueprint.arguments(ReasonSchema)
@blueprint.response(201, StandsSchema)
def suspend_contract(body: dict[str, Any], contract_id: str, caller: Caller) -> Any:
    """Suspend a contract, at once and by yourself: nothing is answered or taken under it."""
    return wiring().suspending.suspend(caller, contract_id, body["reason"])


@blueprint.route(f"{_CONTRACT}/resumption", methods=["POST"])
@requires(Scope.CONTRACTS_SIGN)
@blueprint.arguments(ReasonSchema)
@blueprint.response(201, StandsSchema)
def resume_contract(body: dict[str, Any], contract_id: str, caller: Caller) -> Any:
    """Agree to resume a suspended contract; it resumes when all parties have agreed."""
    return wiring().suspending.resume(caller, contract_id, body["reason"])


@blueprint.route(f"{_CONTRACT}/termination", methods=["POST"])
@requires(Scope.CONTRACTS_SIGN)
@blueprint.arguments(ReasonSchema)
@blueprint.response(201, StandsSchema)
def terminate_contract(body: dict[str, Any], contract_id: str, caller: Caller) -> Any:
    """Agree to terminate a contract; it ends, for good, when all parties have agreed."""
    return wiring().suspending.terminate(caller, contract_id, body["reason"])


@blueprint.route(f"{_POPULATION}/suspension", methods=["POST"])
@requires(Scope.CONTRACTS_WRITE)
@blueprint.arguments(ReasonSchema)
@blueprint.response(201, PopulationStandsSchema)
def suspend_population(body: dict[str, Any], population_id: str, caller: Caller) -> Any:
    """Suspend every contract that draws on a population of yours."""
    return wiring().suspending.suspend_own_population(caller, population_id, body["reason"])


@blueprint.route(f"{_POPULATION}/resumption", methods=["POST"])
@requires(Scope.CONTRACTS_SIGN)
@blueprint.arguments(ReasonSchema)
@blueprint.response(201, PopulationStandsSchema)
def resume_population(body: dict[str, Any], population_id: str, caller: Caller) -> Any:
    """Lift your own suspension of a population."""
    return wiring().suspending.resume_own_population(caller, population_id, body["reason"])


@blueprint.route(f"{_OPERATED_CONTRACT}/suspension", methods=["POST"])
@requires(Scope.ORG_ADMIN)
@blueprint.arguments(ReasonSchema)
@blueprint.response(201, StandsSchema)
def suspend_contract_as_operator(body: dict[str, Any], contract_id: str, caller: Caller) -> Any:
    """Suspend any contract."""
    require_operator(caller)
    return wiring().suspending.suspend_as_operator(actor_of(caller), contract_id, body["reason"])


@blueprint.route(f"{_OPERATED_CONTRACT}/resumption", methods=["POST"])
@requires(Scope.ORG_ADMIN)
@blueprint.arguments(ReasonSchema)
@blueprint.response(201, StandsSchema)
def resume_contract_as_operator(body: dict[str, Any], contract_id: str, caller: Caller) -> Any:
    """Resume a suspended contract in place of the agreement of all, with a reason that they can read."""
    require_operator(caller)
    return wiring().suspending.resume_as_operator(actor_of(caller), contract_id, body["reason"])


@blueprint.route(f"{_OPERATED_CONTRACT}/termination", methods=["POST"])
@requires(Scope.ORG_ADMIN)
@blueprint.arguments(ReasonSchema)
@blueprint.response(201, StandsSchema)
def terminate_contract_as_operator(body: dict[str, Any], contract_id: str, caller: Caller) -> Any:
    """Terminate a contract in place of the agreement of all, with a reason that they can read."""
    require_operator(caller)
    return wiring().suspending.terminate_as_operator(actor_of(caller), contract_id, body["reason"])


@blueprint.route(f"{_OPERATED_POPULATION}/suspension", methods=["POST"])
@requires(Scope.ORG_ADMIN)
@blueprint.arguments(ReasonSchema)
@blueprint.response(201, PopulationStandsSchema)
def suspend_population_as_operator(body: dict[str, Any], population_id: str, caller: Caller) -> Any:
    """Suspend every contract that draws on a population."""
    require_operator(caller)
    return wiring().suspending.suspend_population(actor_of(caller), population_id, body["reason"])


@blueprint.route(f"{_OPERATED_POPULATION}/resumption", methods=["POST"])
@requires(Scope.ORG_ADMIN)
@blueprint.arguments(ReasonSchema)
@blueprint.response(201, PopulationStandsSchema)
def resume_population_as_operator(body: dict[str, Any], population_id: str, caller: Caller) -> Any:
    """Lift the operator's suspension of a population; its owner's stays."""
    require_operator(caller)
    return wiring().suspending.resume_population(actor_of(caller), population_id, body["reason"])
