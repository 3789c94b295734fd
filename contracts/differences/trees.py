"""Two JSON documents, value by value. Elements of lists are matched by what they are, not by where they stand."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from contracts.canonical import canonical_bytes


class Kind(StrEnum):
    """How something differs. values: what a list of plain values lost (old) and gained (new)."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    REORDERED = "reordered"
    VALUES = "values"


# What tells the elements of a list apart, by the name of the list.
_IDENTITY: Final = {
    "parties": ("organisation",),
    "feeds": ("name",),
    "grants": ("role", "organisation"),
    "tables": ("by",),
    "draws": ("measure", "margin"),
}
# And for lists of another version: the first of these that every element has, and no two share.
_USUAL: Final = ("id", "name", "organisation", "population", "role")

# So many values of one list are told; each list that is longer says so.
MAX_VALUES: Final = 50

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in both documents. names: fields, and for an element of a list what it is."""

    names: tuple[str, ...] = ()
    old_pointer: str = ""
    new_pointer: str = ""

    def below(self, name: str, old: str | int, new: str | int) -> "Place":
        return Place((*self.names, name), f"{self.old_pointer}/{_escaped(old)}", f"{self.new_pointer}/{_escaped(new)}")


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs. Of what was added there is no old pointer, of what was removed no new one (RFC 6901).

    omitted: how many values of a list are left out of old and of new.
    """

    kind: Kind
    names: tuple[str, ...]
    old_pointer: str | None
    new_pointer: str | None
    old: Any
    new: Any
    omitted: tuple[int, int] = (0, 0)


def changes(old: Any, new: Any, place: Place = Place()) -> Iterator[Change]:
    """All that differs, in the order of the documents: none exactly if they are equal."""
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _of_objects(old, new, place)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _of_lists(old, new, place)
    elif type(old) is not type(new) or old != new:
        yield Change(Kind.CHANGED, place.names, place.old_pointer, place.new_pointer, old, new)


def _of_objects(old: dict[str, Any], new: dict[str, Any], place: Place) -> Iterator[Change]:
    for name in dict.fromkeys((*old, *new)):
        inner = place.below(name, name, name)
        if name not in new:
            yield _removed(inner, old[name])
        elif name not in old:
            yield _added(inner, new[name])
        else:
            yield from changes(old[name], new[name], inner)


def _of_lists(old: list[Any], new: list[Any], place: Place) -> Iterator[Change]:
    old_keys, new_keys = _keys(old, new, place.names[-1] if place.names else "")
    olds = {key: i for i, key in enumerate(old_keys)}
    news = {key: i for i, key in enumerate(new_keys)}
    if not any(isinstance(item, dict | list) for item in (*old, *new)):
        gone = [old[i] for key, i in olds.items() if key not in news]
        come = [new[i] for key, i in news.items() if key not in olds]
        if gone or come:
            yield _listed(Kind.VALUES, place, gone, come)
        olds = {key: i for key, i in olds.items() if key in news}
        news = {key: i for key, i in news.items() if key in olds}
    for key, i in olds.items():
        if key not in news:
            yield _removed(place.below(_key_text(key), i, i), old[i])
        else:
            yield from changes(old[i], new[news[key]], place.below(_key_text(key), i, news[key]))
    for key, i in news.items():
        if key not in olds:
            yield _added(place.below(_key_text(key), i, i), new[i])
    if [key for key in old_keys if key in news] != [key for key in new_keys if key in olds]:
        before, after = ([_key_text(key) for key in keys] for keys in (old_keys, new_keys))
        yield _listed(Kind.REORDERED, place, before, after)


def _listed(kind: Kind, place: Place, old: list[Any], new: list[Any]) -> Change:
    omitted = (max(0, len(old) - MAX_VALUES), max(0, len(new) - MAX_VALUES))
    pointers = (place.old_pointer, place.new_pointer)
    return Change(kind, place.names, *pointers, old[:MAX_VALUES], new[:MAX_VALUES], omitted)


def _removed(place: Place, value: Any) -> Change:
    return Change(Kind.REMOVED, place.names, place.old_pointer, None, value, None)


def _added(place: Place, value: Any) -> Change:
    return Change(Kind.ADDED, place.names, None, place.new_pointer, None, value)


def _keys(old: list[Any], new: list[Any], name: str) -> tuple[list[Key], list[Key]]:
    """What each element is, no two of one list alike. Without an identity an element is all that it holds."""
    if all(isinstance(item, dict) for item in (*old, *new)):
        for fields in [_IDENTITY[name]] if name in _IDENTITY else [(usual,) for usual in _USUAL]:
            keys = [[_identity(item, fields) for item in items] for items in (old, new)]
            if all(len(set(each)) == len(each) and None not in each for each in keys):
                return keys[0], keys[1]  # type: ignore[return-value]  # None was just ruled out
    return _whole(old), _whole(new)


def _identity(item: dict[str, Any], fields: Sequence[str]) -> Key | None:
    """None if the element has none of them."""
    found = [item.get(field) for field in fields]
    return None if all(value is None for value in found) else tuple(_hashable(value) for value in found)


def _hashable(value: Any) -> object:
    if isinstance(value, dict):
        return canonical_bytes(value).decode()
    return " x ".join(map(str, value)) if isinstance(value, list) else value


def _whole(items: list[Any]) -> list[Key]:
    """Equal elements are told apart by which of them it is."""
    seen = Counter[str]()
    keys: list[Key] = []
    for item in items:
        text = item if isinstance(item, str) else canonical_bytes({"": item}).decode()
        seen[text] += 1
        keys.append((text,) if seen[text] == 1 else (text, seen[text]))
    return keys


def _key_text(key: Key) -> str:
    return " ".join(str(value) for value in key if value is not None)


def _escaped(step: str | int) -> str:
    return str(step).replace("~", "~0").replace("/", "~1")
