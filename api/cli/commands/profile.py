"""`parley profile`."""

from collections.abc import Iterator
from pathlib import Path

import click

from api.cli.jwks import read_private_key
from api.cli.output import say, say_table
from api.cli.profiles import (
    SETTINGS,
    Profile,
    add_profile,
    get_profile,
    key_path,
    profiles_path,
    read_profiles,
    remove_profile,
    stored_key_path,
    warn_if_shared,
)


@click.group()
def profile() -> None:
    """Keep under a name which exchange to call and as whom, for --profile NAME.

    The profile `default` is used by itself. A profile holds the path of a key, never the key.
    """


@profile.command(
    epilog="\b\nExamples:\n"
    "  parley profile add default --url https://parley.example --client-id helix-analyst \\\n"
    "    --client-key helix-analyst.json --contract dsc-helixor-adherence\n"
    "  parley profile add reader --url https://parley.example --client-id sierra-app \\\n"
    "    --client-key sierra-app.json --only-scope statistics.read --only-contract dsc-helixor-adherence"
)
@click.argument("name", metavar="NAME")
@click.option("--url", required=True, help="The exchange, by the public URL it calls itself.")
@click.option("--client-id", required=True, help="Your registered client.")
@click.option(
    "--client-key",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The private key of the client, a JWK. It stays where it is.",
)
@click.option("--contract", metavar="CONTRACT", help="The contract that is meant where none is named.")
@click.option("--purpose", help="What answers are for, unless `parley ask` is told another.")
@click.option("--only-scope", multiple=True, help="Ask for tokens of this scope alone; repeat it for several.")
@click.option(
    "--only-contract",
    multiple=True,
    metavar="CONTRACT",
    help="Ask for tokens for this contract alone; repeat it for several. Goes with --only-scope.",
)
def add(
    name: str,
    url: str,
    client_id: str,
    client_key: Path,
    contract: str | None,
    purpose: str | None,
    only_scope: tuple[str, ...],
    only_contract: tuple[str, ...],
) -> None:
    """Add a profile. The key must be one that can sign; nothing is sent anywhere."""
    if only_contract and not only_scope:
        raise click.UsageError("--only-contract goes with --only-scope, which says what may be done on it.")
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter("an exchange has an http or https URL", param_hint="--url")
    read_private_key(client_key)
    key_file = stored_key_path(client_key)
    add_profile(Profile(name, url, client_id, key_file, contract, purpose, only_scope, only_contract))
    say(f"Profile {name} is in {profiles_path()}.")
    warn_if_shared(client_key)


@profile.command("list", epilog="\b\nExample:\n  parley profile list")
def list_() -> None:
    """List your profiles."""
    rows = [(each.name, each.url or "", each.client_id or "", each.contract or "") for each in read_profiles().values()]
    if rows:
        say_table(("profile", "url", "client", "contract"), rows)
    else:
        say(f"There are no profiles in {profiles_path()}. Make one: parley profile add --help")


@profile.command(epilog="\b\nExample:\n  parley profile show default")
@click.argument("name", metavar="NAME")
def show(name: str) -> None:
    """Show a profile, and whether its key is where it says."""
    found = get_profile(name)
    say(f"Profile {name} in {profiles_path()}")
    for setting, text in _settings(found):
        say(f"  {setting}: {text}")
    if (key_file := key_path(found)) is not None:
        read_private_key(key_file)
        warn_if_shared(key_file)


@profile.command(epilog="\b\nExample:\n  parley profile remove reader")
@click.argument("name", metavar="NAME")
def remove(name: str) -> None:
    """Remove a profile. Its key stays where it is."""
    remove_profile(name)
    say(f"Profile {name} is gone from {profiles_path()}.")


def _settings(found: Profile) -> Iterator[tuple[str, str]]:
    for setting in SETTINGS:
        value = getattr(found, setting)
        if value:
            yield setting, ", ".join(value) if isinstance(value, tuple) else str(value)
