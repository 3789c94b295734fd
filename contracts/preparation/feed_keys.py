"""The keys of one feed in a definitions file: what each may say, as fields of its FeedDefinition.

A key answers the fields that it states, or none where it is faulty. docs/reference/preparation.md explains each.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from contracts.preparation.definitions import (
    CodeList,
    EmergencyAdmissions,
    FromClaims,
    Persons,
    StayDays,
    Window,
)
from contracts.preparation.places import Place, nearest

_ANY: Final = "any"
_NONE: Final = "none"
# Ten-thousandths: whole numbers of days times these stay small on every engine.
_DECIMAL: Final = re.compile(r"(?:0|1|0?\.\d{1,4}|1\.0{1,4})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Lists:
    """What the file names outside its feeds: the products of `drugs`, None without, and its `code_lists`."""

    products: Mapping[str, CodeList] | None
    exclusions: Mapping[str, CodeList]


Fields = dict[str, Any]
Key = Callable[[Place, Lists], Fields]


def _field(name: str, read: Callable[[Place], Any]) -> Key:
    """A key of the same name as the field, whose value is never None."""

    def key(place: Place, _: Lists) -> Fields:
        value = read(place)
        return {} if value is None else {name: value}

    return key


def _days(name: str, least: int, most: int) -> Key:
    return _field(name, lambda place: place.whole(least, most))


def _window(place: Place, _: Lists) -> Fields:
    if isinstance(place.value, Mapping):
        days = place.fields(("days",)).get("days")
        if days is None:
            place.fault("value_invalid", "write `period`, `year`, or the days from the first fill: {days: 365}")
        found = days.whole(1, 3660) if days else None
        return {"window": Window.INDEX, "window_days": found} if found else {}
    if place.value not in (Window.PERIOD, Window.YEAR):
        place.fault("value_invalid", "write `period`, `year`, or the days from the first fill: {days: 365}")
        return {}
    return {"window": Window(place.value)}


def _least_age(place: Place, _: Lists) -> Fields:
    if place.value == _NONE:
        return {"least_age": None}
    age = place.whole(0, 150) if isinstance(place.value, int) else None
    if age is None and not isinstance(place.value, int):
        place.fault("value_invalid", "write completed years as a whole number, or `none`")
    return {} if age is None else {"least_age": age}


def _threshold(place: Place) -> Fraction | None:
    text = place.value
    if isinstance(text, str) and _DECIMAL.fullmatch(text) and Fraction(text) > 0:
        return Fraction(text)
    place.fault("value_invalid", 'write a decimal above 0, at most "1" in quotes, with at most 4 decimals: "0.80"')
    return None


def _drugs(place: Place, lists: Lists) -> Fields:
    if place.value == _ANY:
        return {"products": None}
    known = lists.products or {}
    names = _named(place, known, "product_unknown", "no product of this name in `drugs`")
    if not names and not place.value:
        place.fault("value_invalid", "write `any`, or the products of this feed's class")
    return {"products": {name: known[name] for name in names}} if names else {}


def _exclude(place: Place, lists: Lists) -> Fields:
    known = lists.exclusions
    names = _named(place, known, "code_list_unknown", "no list of this name in `code_lists`")
    return {"exclusions": {name: known[name] for name in names}}


def _named(place: Place, known: Mapping[str, CodeList], code: str, message: str) -> list[str]:
    """The names of a list that there are; of others a fault."""
    found = list[str]()
    for item in place.items():
        name = item.text()
        if name is not None and name in known:
            found.append(name)
        elif name is not None:
            item.fault(code, f"{message}; {nearest(name, known)}")
    return found


def _measures(place: Place, _: Lists) -> Fields:
    return {"measures": place.mapped(Place.text)}


def _dimensions(place: Place, _: Lists) -> Fields:
    found = {name: _from_claims(entry) for name, entry in place.entries().items()}
    return {"dimensions": {name: source for name, source in found.items() if source}}


def _from_claims(place: Place) -> FromClaims | None:
    fields = place.fields(("from", "values", "otherwise"))
    if "from" not in fields:
        place.fault("key_missing", "write `from`: where the values come from")
        return None
    source = fields["from"].text()
    values = fields["values"].mapped(Place.text) if "values" in fields else {}
    otherwise = fields["otherwise"].text() if "otherwise" in fields else None
    return FromClaims(source, values, otherwise) if source else None


FEED_KEYS: Final[Mapping[str, Key]] = {
    "persons": _field("persons", lambda place: place.one_of(Persons)),
    "drugs": _drugs,
    "window": _window,
    "least_fill_dates": _days("least_fill_dates", 1, 100),
    "least_treatment_days": _days("least_treatment_days", 1, 3660),
    "least_age": _least_age,
    "threshold": _field("threshold", _threshold),
    "stay_days": _field("stay_days", lambda place: place.one_of(StayDays)),
    "emergency_admissions": _field("emergency_admissions", lambda place: place.one_of(EmergencyAdmissions)),
    "exclude": _exclude,
    "gap_days": _days("gap_days", 0, 3660),
    "washout_days": _days("washout_days", 0, 3660),
    "enrolment_gap_days": _days("enrolment_gap_days", 0, 366),
    "measures": _measures,
    "dimensions": _dimensions,
}


def read_feed_keys(place: Place, lists: Lists) -> Fields:
    """The fields of its definition that a feed of the file states."""
    stated: Fields = {}
    for name, entry in place.fields(FEED_KEYS).items():
        stated |= FEED_KEYS[name](entry, lists)
    return stated
