"""The OpenAPI document (3.1), generated from the routes and their schemas; openapi.yaml at the root is its copy."""

from threading import Lock
from typing import Any, Final

import yaml
from flask import Flask
from flask_smorest import Api, Blueprint
from werkzeug.exceptions import HTTPException

from api.auth.metadata import security_schemes
from api.description.completing import complete
from api.idempotency import with_keys
from api.problems import http_response
from api.schemas.fields import ProblemSchema
from api.versions import mark_deprecated
from contracts.parties import JsonObject

VERSION: Final = "1"
_DESCRIPTION: Final = (
    "Insurers post longitudinal claims aggregates, brands post outcome aggregates, and both read joint statistics that "
    "reveal almost nothing about any single person; the ledger says how much. A provider's period is measured once, "
    "under differential privacy, and answered for ever: every answer is post-processing of stored noisy releases. "
    "Every error is a problem document (RFC 9457) with a stable type, `urn:parley:problem:<code>`. "
    "A JSON body may be sent with `Content-Encoding: gzip` or `zstd`, and answers to GET are compressed for whoever "
    "sends `Accept-Encoding: gzip`. A POST with an `Idempotency-Key` can be repeated after a lost answer: it is done "
    "once."
)
_SERVERS: Final = (
    {"url": "/", "description": "The exchange that serves this document."},
    {
        "url": "https://{exchange}",
        "description": "Yours: the URL that it calls itself, its PARLEY_ISSUER.",
        "variables": {"exchange": {"default": "parley.example"}},
    },
)


class ParleyApi(Api):
    """flask-smorest's API, with problem documents as its one error shape.

    Routes are described when somebody first asks for it: that takes longer than all else at the start of a worker.
    """

    ERROR_SCHEMA = ProblemSchema

    def __init__(self, app: Flask, **kwargs: Any) -> None:
        self._undescribed: list[Blueprint] = []
        self._describing = Lock()
        super().__init__(app, **kwargs)

    def register_blueprint(self, blp: Blueprint, *, parameters: Any = None, **options: Any) -> None:
        self._app.extensions["flask-smorest"]["blp_name_to_api"][blp.name] = self
        self._app.register_blueprint(blp, **options)
        self._undescribed.append(blp)

    def describe(self) -> dict[str, Any]:
        """The document, of every route."""
        with self._describing:
            while self._undescribed:
                blueprint = self._undescribed.pop(0)
                blueprint.register_views_in_doc(self, self._app, self.spec, name=blueprint.name, parameters=None)
                self.spec.tag({"name": blueprint.name, "description": blueprint.description})
            return dict(self.spec.to_dict())

    def docstrings(self) -> dict[str, str]:
        """Of the classes of the schemas described so far, by the name of the schema."""
        known = self.ma_plugin.converter.refs
        return {name: key[0].__doc__ for key, name in known.items() if key[0].__doc__}

    def handle_http_exception(self, error: HTTPException) -> Any:
        return http_response(error)


def register_api(app: Flask) -> ParleyApi:
    app.config.update(
        API_TITLE="Parley",
        API_VERSION=VERSION,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX=None,
    )
    api = ParleyApi(app, spec_kwargs={"info": {"description": _DESCRIPTION}, "servers": _SERVERS})
    for name, scheme in security_schemes().items():
        api.spec.components.security_scheme(name, scheme)
    app.extensions["parley_api"] = api
    return api


def openapi_yaml(app: Flask) -> str:
    """The document as YAML, in a stable order; written once, since anybody may ask for it."""
    if "parley_openapi" not in app.extensions:
        api = app.extensions["parley_api"]
        document = mark_deprecated(app, complete(with_keys(api.describe()), api.docstrings()))
        app.extensions["parley_openapi"] = _write(document)
    return str(app.extensions["parley_openapi"])


class _Plain(yaml.SafeDumper):
    """Not every reader of OpenAPI knows YAML's anchors."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def _write(document: JsonObject) -> str:
    return str(yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120))
