"""Is the process alive, can it serve, and what does it offer."""

from typing import Any

from flask import Response, current_app
from marshmallow import Schema, fields

from adapters.database import SchemaStale, check_schema
from api.auth.guards import public
from api.http import Blueprint
from api.openapi import openapi_yaml
from api.problems import ApiProblem
from api.wiring import wiring

blueprint = Blueprint("health", __name__, description="Health and description of the service.")


class StatusSchema(Schema):
    """One word."""

    status = fields.String(required=True)


@blueprint.route("/healthz", methods=["GET"])
@public("A load balancer asks it, and it tells nothing.")
@blueprint.response(200, StatusSchema)
def healthz() -> dict[str, Any]:
    """The process answers."""
    return {"status": "ok"}


@blueprint.route("/readyz", methods=["GET"])
@public("A load balancer asks it; it says whether the database can be used, and no more.")
@blueprint.response(200, StatusSchema)
def readyz() -> dict[str, Any]:
    """The database can be reached and has the schema of this version."""
    try:
        check_schema(wiring().settings.database_url)
    except SchemaStale:
        raise ApiProblem("not-ready", 503, "The database schema is not that of this version.") from None
    except Exception:
        raise ApiProblem("not-ready", 503, "The database cannot be reached.") from None
    return {"status": "ready"}


@blueprint.route("/openapi.yaml", methods=["GET"])
@public("The description of the API is no secret.")
@blueprint.response(200, content_type="application/yaml")
def get_openapi() -> Response:
    """This API as OpenAPI 3.1."""
    return Response(openapi_yaml(current_app), content_type="application/yaml")
