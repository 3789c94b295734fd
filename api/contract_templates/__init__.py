"""Contracts to start from: whole, with comments, and ready to draft once the organisations are named.

Each template is a YAML file of this package, whose first line says what it is for; the settings below fill it in. Dates
are reckoned from today, so that no contract is born expired.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_DOWN, Decimal
from difflib import get_close_matches
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template
from typing import Final

from marshmallow import ValidationError

from api.schemas.fields import DATE, SHORT, SLUG

_YEAR: Final = re.compile(r"[12]\d{3}\Z")
# Of all payers together. A linked feed costs the brand's population up to twice as much, of a ceiling of 0.1.
_LINKED_RHO: Final = Decimal("0.03")


class SettingInvalid(ValueError):
    """A setting that no template has, or a value that none can take. The text says what works."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What can be set in a template. check: raises for a value that does not fit."""

    default: str
    check: Callable[[str], object]
    explanation: str


def _year(text: str) -> None:
    if not _YEAR.match(text):
        raise ValueError("a year, like 2025")


def _ids(text: str) -> None:
    for name in text.split(","):
        SLUG(name)


def template_names() -> list[str]:
    return sorted(path.name.removesuffix(".yaml") for path in _folder().iterdir() if path.name.endswith(".yaml"))


def summary_of(name: str) -> str:
    """What a template is for: its first line."""
    return _text(name).partition("\n")[0].removeprefix("# ")


def settings_for(name: str, today: date, title: str) -> dict[str, Setting]:
    """What can be set, with the defaults of today: two years of data, the last of which is over."""
    last = today.year - 1
    return {
        "id": Setting(f"dsc-{name}", SLUG, "what it is called on the exchange, for ever"),
        "title": Setting(title, SHORT, "its title, for people"),
        "payers": Setting("payer-one,payer-two,payer-three", _ids, "the payers, by commas"),
        "payer_populations": Setting("PAYER-members", _ids, "their populations, in the same order"),
        "brand": Setting("brand-one", SLUG, "the brand"),
        "brand_population": Setting("BRAND-patients", SLUG, "its population"),
        "first_year": Setting(str(last - 1), _year, "the first year of data, from its January"),
        "last_year": Setting(str(last), _year, "the last year of data, to its December"),
        "effective": Setting(today.isoformat(), DATE, "its first day"),
        "expires": Setting(f"{last + 2}-12-31", DATE, "its last day; the second New Year's Eve after the last data"),
    }


def fill_in(name: str, changes: Mapping[str, str], today: date) -> str:
    """The contract as YAML, comments and all. Raises SettingInvalid."""
    known = settings_for(name, today, summary_of(name).rstrip("."))
    for setting, value in changes.items():
        _check(setting, value, known)
    return Template(_text(name)).substitute(
        _values({name: known[name].default for name in known} | dict(changes), changes)
    )


def _check(setting: str, value: str, known: Mapping[str, Setting]) -> None:
    if setting not in known:
        near = get_close_matches(setting, known, n=1)
        raise SettingInvalid(f"there is no setting {setting}; {f'{near[0]} is' if near else 'see --list'}")
    try:
        known[setting].check(value)
    except (ValidationError, ValueError) as error:
        raise SettingInvalid(f"{setting}: {error}") from None


def _values(chosen: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    """What stands in the files for $names: single values, and lines of parties and ceilings. What was not set follows
    from what was."""
    payers, brand = chosen["payers"].split(","), chosen["brand"]
    populations = changes.get("payer_populations", ",".join(f"{payer}-members" for payer in payers)).split(",")
    if len(populations) != len(payers):
        raise SettingInvalid(f"payer_populations: one for each of the {len(payers)} payers")
    brand_population = changes.get("brand_population", f"{brand}-patients")
    first, last = int(chosen["first_year"]), int(chosen["last_year"])
    if last < first:
        raise SettingInvalid("last_year: not before first_year")
    parties = [("payer", *pair) for pair in zip(payers, populations, strict=True)]
    return {
        "id": chosen["id"],
        "title": json.dumps(chosen["title"], ensure_ascii=False),
        "first_year": str(first),
        "last_year": str(last),
        "years": str(last - first + 1),
        "quarters": str(4 * (last - first + 1)),
        "months": str(12 * (last - first + 1)),
        "effective": chosen["effective"],
        "expires": changes.get("expires", f"{last + 2}-12-31"),
        "parties": "\n  ".join(_party(*party) for party in (*parties, ("brand", brand, brand_population))),
        "payer_ceilings": "\n    ".join(f'{population}: "0.1"' for population in populations),
        "brand": brand,
        "brand_population": brand_population,
        "linked_rho": str((_LINKED_RHO / len(payers)).quantize(Decimal("0.000001"), ROUND_DOWN)),
        "min_payers": str(min(3, len(payers))),
    }


def _party(role: str, organisation: str, population: str) -> str:
    return f"- {{organisation: {organisation}, role: {role}, population: {population}}}"


def _folder() -> Traversable:
    return files(__package__)


def _text(name: str) -> str:
    return _folder().joinpath(f"{name}.yaml").read_text(encoding="utf-8")
