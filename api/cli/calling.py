"""Commands that call an exchange over HTTP, as one registered client."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click
import httpx
from click.core import ParameterSource
from joserfc.errors import JoseError

from adapters.client.exchange import ExchangeClient, ProblemAnswered
from adapters.client.tokens import TokenNotGranted
from api.cli.jwks import read_private_key
from api.cli.output import Failure, problem_failure, tell
from api.cli.profiles import Profile, choose_profile, key_path, warn_if_shared

LOCAL_URL: Final = "http://127.0.0.1:8000"
WHO_CALLS: Final = (
    "Who calls? Give --client-id and --client-key (PARLEY_CLIENT_ID, PARLEY_CLIENT_KEY_FILE), or name a profile "
    "with --profile: `parley profile list` shows yours, `parley profile add` makes one."
)
# For a command that does with the profile's contract too: see `chosen_contract`.
contract_argument: Final = click.argument("contract_id", metavar="[CONTRACT]", required=False)
_PROFILE: Final = "parley.profile"
_VARIABLES: Final = {"url": "PARLEY_URL", "client_id": "PARLEY_CLIENT_ID", "client_key": "PARLEY_CLIENT_KEY_FILE"}
Command = Callable[..., None]


def as_client(command: Command) -> Command:
    """Options that say which exchange and which client; the command gets the client as first argument."""

    @client_options(required=True)
    @wraps(command)
    def with_client(url: str, client_id: str, client_key: Path, **values: Any) -> None:
        with calling(url, client_id, client_key) as client:
            command(client, **values)

    return with_client


def url_option(command: Command) -> Command:
    """Which exchange, for a command that needs no client."""
    return _with_options(command, (_PROFILE_OPTION, _URL_OPTION))


def client_options(*, required: bool) -> Callable[[Command], Command]:
    """The options alone; not required for a command that may also do without an exchange."""

    def with_options(command: Command) -> Command:
        @wraps(command)
        def known(client_id: str | None, client_key: Path | None, **values: Any) -> None:
            if required and (client_id is None or client_key is None):
                raise click.UsageError(WHO_CALLS)
            command(client_id=client_id, client_key=client_key, **values)

        return _with_options(known, (_PROFILE_OPTION, _URL_OPTION, *_CLIENT_OPTIONS))

    return with_options


def chosen_profile() -> Profile | None:
    """The profile that the running command was called with."""
    context = click.get_current_context(silent=True)
    profile: Profile | None = context.meta.get(_PROFILE) if context else None
    return profile


def chosen_contract(named: str | None, *, of: str = "", otherwise: str = "") -> str:
    """The contract that is named, or else the profile's. of: what is wanted of it. otherwise: what else may be said."""
    profile = chosen_profile()
    contract = named or (profile.contract if profile else None)
    if contract is None:
        raise click.UsageError(f"Which contract{of}? Name it first{otherwise}, or in your profile.")
    return contract


_PROFILE_OPTION: Final = click.option(
    "--profile",
    envvar="PARLEY_PROFILE",
    metavar="NAME",
    show_envvar=True,
    help="Your profile; `default` where there is one. Options and variables given besides win over it.",
)
_URL_OPTION: Final = click.option(
    "--url",
    envvar="PARLEY_URL",
    default=LOCAL_URL,
    show_default=True,
    show_envvar=True,
    help="The exchange, by the public URL it calls itself (its PARLEY_ISSUER).",
)
_CLIENT_OPTIONS: Final = (
    click.option("--client-id", envvar="PARLEY_CLIENT_ID", show_envvar=True, help="Your registered client."),
    click.option(
        "--client-key",
        envvar="PARLEY_CLIENT_KEY_FILE",
        show_envvar=True,
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="The private key of the client, a JWK.",
    ),
)


def _with_options(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    @wraps(command)
    def settled(profile: str | None, **values: Any) -> None:
        chosen = choose_profile(profile, values.get("client_id"))
        context = click.get_current_context()
        context.meta[_PROFILE] = chosen
        command(**values | _of_profile(chosen, context, values, is_named=profile is not None))

    optioned: Command = settled
    for option in reversed(options):
        optioned = option(optioned)
    return optioned


def _of_profile(
    profile: Profile | None, context: click.Context, values: dict[str, Any], *, is_named: bool
) -> dict[str, Any]:
    """What the profile says and nobody has said otherwise. A variable that wins over a profile that was asked for by
    name is mentioned: it may have been forgotten."""
    if profile is None:
        return {}
    offered = {"url": profile.url, "client_id": profile.client_id, "client_key": key_path(profile)}
    settled: dict[str, str | Path] = {}
    for name, value in offered.items():
        if value is None or name not in values:
            continue
        source = context.get_parameter_source(name)
        if source is ParameterSource.DEFAULT:
            settled[name] = value
        elif source is ParameterSource.ENVIRONMENT and is_named and values[name] != value:
            tell(f"{_VARIABLES[name]} is set, and wins over the profile {profile.name}.")
    if isinstance(key_file := settled.get("client_key"), Path):
        warn_if_shared(key_file)
    return settled


def connect(profile: str | None = None) -> ExchangeClient:
    """The exchange that a profile or PARLEY_* variables describe, for notebooks and scripts.

    As for commands, variables win over the profile. Raises Failure.
    """
    named = profile or os.environ.get("PARLEY_PROFILE")
    client_id = os.environ.get("PARLEY_CLIENT_ID")
    chosen = choose_profile(named, client_id) or Profile("")
    client_id = client_id or chosen.client_id
    key_file = os.environ.get("PARLEY_CLIENT_KEY_FILE") or key_path(chosen)
    if client_id is None or key_file is None:
        raise Failure("Who calls? Set PARLEY_CLIENT_ID and PARLEY_CLIENT_KEY_FILE, or name one of your profiles.")
    url = os.environ.get("PARLEY_URL") or chosen.url or LOCAL_URL
    return _client(url, client_id, Path(key_file), chosen)


@contextmanager
def calling(url: str, client_id: str, key_file: Path) -> Iterator[ExchangeClient]:
    """A client whose expected errors are said in one sentence."""
    try:
        with reaching(url), _client(url, client_id, key_file, chosen_profile()) as client:
            yield client
    except TokenNotGranted as refused:
        hint = "Is the URL the one that the exchange calls itself, and the key that of this client?"
        raise Failure(f"No access token was granted: {refused} {hint}") from None
    except JoseError:
        raise Failure(f"{key_file} holds a key that cannot sign.") from None


def _client(url: str, client_id: str, key_file: Path, profile: Profile | None) -> ExchangeClient:
    narrowed = profile or Profile("")
    return ExchangeClient(
        url,
        client_id,
        read_private_key(key_file),
        only_scopes=narrowed.only_scopes,
        only_contracts=narrowed.only_contracts,
    )


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
