"""Profiles: under a name, which exchange to call and as whom, in one TOML file of the user's own.

A profile holds the path of a private key, never the key.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from api.cli.files import PRIVATE_MODE, read_file, write_whole
from api.cli.output import Failure, tell

DEFAULT: Final = "default"
LISTS: Final = ("only_scopes", "only_contracts")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_HEADER: Final = re.compile(r"\s*\[\s*[\"']?([^\"'\]]*?)[\"']?\s*\]")


@dataclass(frozen=True, slots=True)
class Profile:
    """Every setting but the name may be missing. only_scopes, only_contracts: what its tokens are narrowed to; the
    second goes with the first."""

    name: str
    url: str | None = None
    client_id: str | None = None
    client_key_file: Path | None = None
    contract: str | None = None
    purpose: str | None = None
    only_scopes: tuple[str, ...] = ()
    only_contracts: tuple[str, ...] = ()


SETTINGS: Final = tuple(field.name for field in fields(Profile) if field.name != "name")


def profiles_path() -> Path:
    """PARLEY_PROFILES_FILE, or parley/profiles.toml where programs keep their settings (XDG base directories)."""
    if named := os.environ.get("PARLEY_PROFILES_FILE"):
        return Path(named)
    home = os.environ.get("XDG_CONFIG_HOME")
    # A relative folder is to be ignored, says the specification of XDG.
    folder = Path(home) if home and Path(home).is_absolute() else Path.home() / ".config"
    return folder / "parley" / "profiles.toml"


def choose_profile(name: str | None, client_id: str | None) -> Profile | None:
    """The one named; or else `default` where there is one, unless the caller is already somebody. Raises Failure."""
    if name is not None:
        return get_profile(name)
    return read_profiles().get(DEFAULT) if client_id is None else None


def get_profile(name: str) -> Profile:
    """Raises Failure with the profile that may have been meant."""
    found = read_profiles()
    if name not in found:
        raise Failure(f"There is no profile {name} in {profiles_path()}{_nearest(name, found)}.")
    return found[name]


def read_profiles() -> dict[str, Profile]:
    """All of them; none where there is no file. Raises Failure with the line of what is wrong."""
    path = profiles_path()
    return _parse(_text_of(path), path) if path.exists() else {}


def add_profile(profile: Profile) -> None:
    """Write it below those there are, whose text stays as it is. Raises Failure."""
    if not _NAME.fullmatch(profile.name):
        raise Failure(f"{profile.name} is no name of a profile: letters, digits, - and _, at most 64.")
    if profile.name in (before := read_profiles()):
        raise Failure(f"There is a profile {profile.name} already: parley profile remove {profile.name}")
    path = profiles_path()
    text = _text_of(path).rstrip() if path.exists() else ""
    lines = [
        f"[{profile.name}]",
        *(f"{name} = {_toml(value)}" for name in SETTINGS if (value := getattr(profile, name))),
    ]
    _write(path, "\n".join([*([text, ""] if text else []), *lines, ""]), before | {profile.name: profile})


def remove_profile(name: str) -> None:
    """Take its lines out. Raises Failure."""
    get_profile(name)
    path = profiles_path()
    kept, within = [], False
    for line in _text_of(path).splitlines(keepends=True):
        if header := _HEADER.match(line):
            within = header[1] == name
        if not within:
            kept.append(line)
    rest = {other: profile for other, profile in read_profiles().items() if other != name}
    _write(path, "".join(kept), rest)


def stored_key_path(key_file: Path) -> Path:
    """As the file says it: relative to the folder of the profiles where the key lies in it, else in full."""
    folder, whole = profiles_path().parent.absolute(), key_file.expanduser().absolute()
    return whole.relative_to(folder) if whole.is_relative_to(folder) else whole


def key_path(profile: Profile) -> Path | None:
    """Where the key of a profile is, from here."""
    if profile.client_key_file is None:
        return None
    return profiles_path().parent / profile.client_key_file.expanduser()


def warn_if_shared(key_file: Path) -> None:
    """A private key that others on this machine may read, or change, is hardly one."""
    if os.name == "posix" and key_file.exists() and key_file.stat().st_mode & 0o077:
        tell(f"Warning: others on this machine may read {key_file}. Keep it to yourself: chmod 600 {key_file}")


def _text_of(path: Path) -> str:
    try:
        return read_file(path).decode()
    except UnicodeDecodeError:
        raise Failure(f"{path} is not a text in UTF-8.") from None


def _write(path: Path, text: str, meant: Mapping[str, Profile]) -> None:
    """What stands in a file in a form that nobody foresaw is left to its owner."""
    if _parse(text, path) != meant:
        raise Failure(f"{path} is written in a way that this command does not change: edit it yourself.")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(path, text, PRIVATE_MODE, replace=True)


def _toml(value: str | Path | tuple[str, ...]) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    # A basic string; what it cannot hold as it is has a form with \u.
    escaped = (c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in str(value))
    return f'"{"".join(escaped)}"'


def _parse(text: str, path: Path) -> dict[str, Profile]:
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, _, place = str(error).partition(" (at ")
        line = re.match(r"line \d+", place)
        raise Failure(f"{path}, {line[0] if line else 'at its end'}: this is not TOML: {what}.") from None
    for name, settings in found.items():
        if not isinstance(settings, dict):
            raise Failure(f"{_place(path, text, None, name)}: {name} belongs under a [profile], like [{DEFAULT}].")
        for setting, value in settings.items():
            if fault := _fault(setting, value):
                raise Failure(f"{_place(path, text, name, setting)}: {fault}.")
        if "only_contracts" in settings and "only_scopes" not in settings:
            place = _place(path, text, name, "only_contracts")
            raise Failure(f"{place}: only_contracts goes with only_scopes, which say what may be done on them.")
    return {name: _profile(name, settings) for name, settings in found.items()}


def _fault(setting: str, value: Any) -> str | None:
    if setting not in SETTINGS:
        return f"{setting} is no setting of a profile{_nearest(setting, SETTINGS)} (there are {', '.join(SETTINGS)})"
    if setting in LISTS:
        fits = isinstance(value, list) and value and all(isinstance(each, str) and each for each in value)
        return None if fits else f'{setting} is a list of texts, like ["one", "two"]'
    return None if isinstance(value, str) and value else f'{setting} is a text, like "this"'


def _profile(name: str, settings: Mapping[str, Any]) -> Profile:
    lists = {setting: tuple(value) for setting, value in settings.items() if setting in LISTS}
    key_file = {"client_key_file": Path(settings["client_key_file"])} if "client_key_file" in settings else {}
    return Profile(name, **{**settings, **lists, **key_file})


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"; {near[0]} is" if near else ""


def _place(path: Path, text: str, profile: str | None, setting: str) -> str:
    """The file, with the line of a setting where it is written in the usual form."""
    within: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            within = header[1]
        elif within == profile and re.match(rf"\s*[\"']?{re.escape(setting)}[\"']?\s*[=.]", line):
            return f"{path}, line {number}"
    return f"{path}" if profile is None else f"{path}, [{profile}]"
