"""What of this API is on its way out, and until when. The policy is in docs/reference/http.md.

An operation is named by its method and path as in openapi.yaml: `GET /v1/contracts/{contract_id}`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import Flask, Response, current_app, request
from werkzeug.http import http_date

from contracts.parties import JsonObject

_DEPRECATED: Final = "parley_deprecated"


@dataclass(frozen=True, slots=True)
class Deprecation:
    """since: when it was said. sunset: when it may stop to be answered. page: what to do instead, in words.
    successor: the address to ask instead, if there is one."""

    since: datetime
    sunset: datetime
    page: str
    successor: str | None = None

    def headers(self) -> dict[str, str]:
        """RFC 9745, RFC 8594, and the relations of RFC 9745 and RFC 5829."""
        links = [f'<{self.page}>; rel="deprecation"']
        if self.successor:
            links.append(f'<{self.successor}>; rel="successor-version"')
        return {
            "Deprecation": f"@{int(self.since.timestamp())}",
            "Sunset": http_date(self.sunset),
            "Link": ", ".join(links),
        }


DEPRECATED: Final[Mapping[str, Deprecation]] = {}


def register_deprecations(app: Flask, deprecated: Mapping[str, Deprecation] = DEPRECATED) -> None:
    """Have answers of these operations say so, refusals too. Registered again, they take the place of those before."""
    if _DEPRECATED not in app.extensions:
        app.after_request(_tell)
    app.extensions[_DEPRECATED] = deprecated


def mark_deprecated(app: Flask, document: JsonObject) -> JsonObject:
    """The OpenAPI document with `deprecated` where it belongs. Raises KeyError for an operation that is not there."""
    for operation in app.extensions[_DEPRECATED]:
        method, path = operation.split(" ")
        described: dict[str, Any] = document["paths"][path][method.lower()]
        described["deprecated"] = True
    return document


def _tell(response: Response) -> Response:
    deprecated: Mapping[str, Deprecation] = current_app.extensions[_DEPRECATED]
    if deprecated and request.url_rule is not None:
        method = "GET" if request.method == "HEAD" else request.method
        found = deprecated.get(f"{method} {_openapi_path(request.url_rule.rule)}")
        if found is not None:
            for name, value in found.headers().items():
                response.headers.add(name, value)  # a list's page has a Link of its own
    return response


def _openapi_path(rule: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)
