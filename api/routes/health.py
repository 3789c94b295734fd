"""Is the process alive, can it serve, and what does it offer."""

from typing import Any

from flask import Response, current_app
from marshmallow import Schema, fields

from api.auth.guards import public
from api.auth.routes import PUBLISHED_HEADERS
from api.description.document import openapi_yaml
from api.http import Blueprint
from api.problems import ApiProblem
from api.readiness import Readiness
from api.wiring import wiring

blueprint = Blueprint("health", __name__, description="Health and description of the service.")


class HealthSchema(Schema):
    """One word."""

    status = fields.String(required=True)


@blueprint.route("/healthz", methods=["GET"])
@public("A load balancer asks it, and it tells nothing.", limited=False)
@blueprint.response(200, HealthSchema)
def healthz() -> dict[str, Any]:
    """The process answers."""
    return {"status": "ok"}


@blueprint.route("/readyz", methods=["GET"])
@public("A load balancer asks it; it says which part cannot be used, and no more.", limited=False)
@blueprint.response(200, HealthSchema)
def readyz() -> dict[str, Any]:
    """The database answers and has the schema of this version, the ledger's witness can be written, and the exchange
    is not stopping."""
    found = wiring().readiness.ask()
    if found is not Readiness.READY:
        raise ApiProblem("not-ready", 503, found)
    return {"status": "ready"}


@blueprint.route("/openapi.yaml", methods=["GET"])
@public("The description of the API is no secret.")
@blueprint.doc(responses={"200": {"description": "This document, as application/yaml."}})
def get_openapi() -> Response:
    """This API as OpenAPI 3.1."""
    return Response(openapi_yaml(current_app), 200, PUBLISHED_HEADERS, content_type="application/yaml")
