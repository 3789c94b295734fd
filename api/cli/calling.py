"""Commands that call an exchange over HTTP, as one registered client."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import httpx
from joserfc.errors import JoseError

from adapters.exchange import ExchangeClient, ProblemAnswered
from adapters.tokens import TokenNotGranted
from api.cli.jwks import read_private_key
from api.cli.output import Failure, problem_failure


def as_client(command: Callable[..., None]) -> Callable[..., None]:
    """Options that say which exchange and which client; the command gets the client as first argument."""

    @client_options(required=True)
    @wraps(command)
    def with_client(url: str, client_id: str, client_key: Path, **values: Any) -> None:
        with calling(url, client_id, client_key) as client:
            command(client, **values)

    return with_client


url_option = click.option(
    "--url",
    envvar="PARLEY_URL",
    default="http://127.0.0.1:8000",
    show_default=True,
    show_envvar=True,
    help="The exchange, by the public URL it calls itself (its PARLEY_ISSUER).",
)


def client_options(*, required: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options alone, for a command that may also do without an exchange."""
    options = (
        url_option,
        click.option(
            "--client-id",
            envvar="PARLEY_CLIENT_ID",
            required=required,
            show_envvar=True,
            help="Your registered client.",
        ),
        click.option(
            "--client-key",
            envvar="PARLEY_CLIENT_KEY_FILE",
            required=required,
            show_envvar=True,
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="The private key of the client, a JWK.",
        ),
    )

    def with_options(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return with_options


@contextmanager
def calling(url: str, client_id: str, key_file: Path) -> Iterator[ExchangeClient]:
    """A client whose expected errors are said in one sentence."""
    try:
        with reaching(url), ExchangeClient(url, client_id, read_private_key(key_file)) as client:
            yield client
    except TokenNotGranted as refused:
        hint = "Is the URL the one that the exchange calls itself, and the key that of this client?"
        raise Failure(f"No access token was granted: {refused} {hint}") from None
    except JoseError:
        raise Failure(f"{key_file} holds a key that cannot sign.") from None


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """What can go wrong between here and an exchange, said in one sentence."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise click.BadParameter("an exchange has an http or https URL", param_hint="--url (PARLEY_URL)")
    try:
        yield
    except ProblemAnswered as answered:
        raise problem_failure(answered.problem) from None
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL):
        raise Failure(f"The exchange at {url} cannot be reached.") from None
    except httpx.HTTPError as error:
        raise Failure(f"The exchange at {url} gave no answer ({type(error).__name__}).") from None
