"""Requests of clients to the OAuth endpoints: one small form in the body, at the endpoint's public URL."""

from typing import Final

from authlib.oauth2 import OAuth2Request
from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

FORM_TYPE: Final = "application/x-www-form-urlencoded"
BODY_BYTES_MAX: Final = 16 * 1024


class FormRefused(InvalidRequestError):
    """The request cannot be read, or not be met. `description` is ours, so it may be shown to the client."""


class TokenRequest(OAuth2Request):
    """A request at the endpoint's public URL.

    TLS ends at a proxy, so the URL that Flask sees is plain http, which Authlib would refuse.
    """

    def __init__(self, url: str, authorization: str | None, form: dict[str, str]) -> None:
        headers = {} if authorization is None else {"Authorization": authorization}
        super().__init__("POST", url, headers=headers)
        self.payload = BasicOAuth2Payload(form)
        self._form = form

    @property
    def form(self) -> dict[str, str]:
        return self._form


def read_form(request: Request, required: str) -> dict[str, str]:
    """The body's parameters, each at most once, empty ones left out (RFC 6749 3.2); never the query's."""
    if request.mimetype != FORM_TYPE:  # before the body is read: a multipart one could be spooled to disk
        raise FormRefused(f"The body must be {FORM_TYPE}.")
    request.max_content_length = BODY_BYTES_MAX
    try:
        form = {name: values for name, values in request.form.lists() if any(values)}
    except RequestEntityTooLarge:
        raise FormRefused(f"The body must be at most {BODY_BYTES_MAX} bytes.", status_code=413) from None
    if any(len(values) > 1 for values in form.values()):
        raise FormRefused("No parameter may appear more than once.")
    if required not in form:
        raise FormRefused(f"{required} is missing.")
    return {name: values[0] for name, values in form.items()}
