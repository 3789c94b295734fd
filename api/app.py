"""The app factory."""

from flask import Flask, Response
from werkzeug.middleware.proxy_fix import ProxyFix

from adapters.database import DatabaseUnavailable, check_schema
from api.auth.metadata import check_issuer
from api.auth.routes import blueprint as oauth
from api.description.document import register_api
from api.description.page import blueprint as docs_page
from api.http import HTTPS, register_http_rules
from api.limits import register_limit_headers
from api.logs import configure_logs, register_request_log
from api.problems import problem_response, register_problems
from api.routes.audit import blueprint as audit
from api.routes.contract_texts import blueprint as contract_texts
from api.routes.contracts import blueprint as contracts
from api.routes.health import blueprint as health
from api.routes.ledger import blueprint as ledger
from api.routes.organisations import blueprint as organisations
from api.routes.previews import blueprint as previews
from api.routes.receipts import blueprint as receipts
from api.routes.settlements import blueprint as settlements
from api.routes.signing_keys import blueprint as signing_keys
from api.routes.statistics import blueprint as statistics
from api.routes.submissions import blueprint as submissions
from api.routes.suspensions import blueprint as suspensions
from api.settings import Settings, SettingsInvalid
from api.token_log import register_token_log
from api.versions import register_deprecations
from api.wiring import wire
from contracts.ports import Clock
from privacy.mechanism import NoiseSource

BLUEPRINTS = (
    oauth,
    organisations,
    signing_keys,
    contracts,
    suspensions,
    contract_texts,
    previews,
    submissions,
    statistics,
    settlements,
    ledger,
    audit,
    receipts,
    health,
)


def create_app(settings: Settings, *, clock: Clock | None = None, noise: NoiseSource | None = None) -> Flask:
    """An exchange on a migrated database. clock and noise are for tests; nothing outside Python can pass them.

    Raises SettingsInvalid, or SchemaStale for a database that `parley migrate` has not brought up to date.
    """
    _require_usable_issuer(settings)
    check_schema(settings.database_url)
    configure_logs(settings.log_level)
    app = describe_app(settings.max_body_bytes, settings.max_expanded_bytes)
    app.extensions["parley"] = wire(settings, clock=clock, noise=noise)
    app.config[HTTPS] = settings.issuer.startswith("https:")
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.trusted_proxies, x_proto=0
        )
    return app


def describe_app(max_body_bytes: int = 1, max_expanded_bytes: int = 1) -> Flask:
    """The routes and their rules, joined to nothing: enough to write openapi.yaml."""
    app = Flask("parley", static_folder=None)
    # A doubled slash is another address: redirecting would send a client, body and all, where the Host header says.
    app.url_map.merge_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it, its base class not
    register_request_log(app)
    register_token_log(app)
    register_http_rules(app, max_body_bytes, max_expanded_bytes)
    register_limit_headers(app)
    register_deprecations(app)
    api = register_api(app)
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    app.register_blueprint(docs_page)
    register_problems(app)
    app.register_error_handler(DatabaseUnavailable, _database_unavailable)
    return app


def _database_unavailable(_: DatabaseUnavailable) -> Response:
    return problem_response(
        "database-unavailable", 503, "The database cannot be reached; try again.", {"Retry-After": "5"}
    )


def _require_usable_issuer(settings: Settings) -> None:
    try:
        check_issuer(settings.issuer)
    except ValueError as error:
        raise SettingsInvalid(str(error)) from None
