"""Values of a document that people write, read strictly: all faults at once, each with its JSON pointer."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final, TypeVar

from contracts.refusals import Fault

T = TypeVar("T", bound=StrEnum)

_MOST_QUOTED: Final = 60


def nearest(name: str, known: Iterable[str]) -> str:
    """What was probably meant, or else all that there is."""
    names = list(known)
    near = get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}" if names else "there are none"


def quoted(value: object) -> str:
    """A value of the document, cut where it is long."""
    text = str(value)
    return text if len(text) <= _MOST_QUOTED else f"{text[:_MOST_QUOTED]}..."


@dataclass(frozen=True, slots=True)
class Place:
    """A value with where it stands. faults: of the whole document, shared by all its places.

    What is read answers None, or nothing, for a value that is not of its form, and adds a fault.
    """

    value: Any
    pointer: str
    faults: list[Fault]

    def fault(self, code: str, message: str) -> None:
        self.faults.append(Fault(self.pointer, code, message))

    def below(self, step: str | int, value: Any) -> "Place":
        escaped = str(step).replace("~", "~0").replace("/", "~1")
        return Place(value, f"{self.pointer}/{escaped}", self.faults)

    def entries(self) -> dict[str, "Place"]:
        """Of an object, by name."""
        if not isinstance(self.value, Mapping):
            self._wrong("an object: names with their values")
            return {}
        for key in self.value:
            if not isinstance(key, str):
                self.below(str(key), None).fault("name_not_text", "this name is no text to YAML: write it in quotes")
        return {key: self.below(key, value) for key, value in self.value.items() if isinstance(key, str)}

    def fields(self, known: Iterable[str]) -> dict[str, "Place"]:
        """Of an object that has no other names than these."""
        names = list(known)
        found = self.entries()
        for name in found.keys() - set(names):
            found[name].fault("key_unknown", f"no such key; {nearest(name, names)}")
        return {name: place for name, place in found.items() if name in names}

    def items(self) -> list["Place"]:
        if not isinstance(self.value, list):
            self._wrong("a list")
            return []
        return [self.below(i, value) for i, value in enumerate(self.value)]

    def text(self) -> str | None:
        if isinstance(self.value, bool | int):
            kind = "true or false" if isinstance(self.value, bool) else "a number"
            message = f"to YAML this is {kind}, and a text is wanted: write it in quotes, as a number loses its zeros"
            self.fault("text_wanted", message)
            return None
        if not isinstance(self.value, str) or not self.value.strip():
            self._wrong("a text")
            return None
        return self.value

    def whole(self, least: int, most: int) -> int | None:
        is_whole = isinstance(self.value, int) and not isinstance(self.value, bool)
        if is_whole and least <= self.value <= most:
            return int(self.value)
        self._wrong(f"a whole number from {least} to {most}, without quotes")
        return None

    def one_of(self, choices: type[T]) -> T | None:
        try:
            return choices(self.value)
        except ValueError:
            self._wrong(f"one of {', '.join(choices)}")
            return None

    def mapped(self, read: Callable[["Place"], str | None]) -> dict[str, str]:
        """Of an object, what could be read of each value."""
        found = {name: read(place) for name, place in self.entries().items()}
        return {name: value for name, value in found.items() if value is not None}

    def _wrong(self, wanted: str) -> None:
        said = "" if isinstance(self.value, Mapping | list) or self.value is None else f", not {quoted(self.value)}"
        self.fault("value_invalid", f"write {wanted}{said}")
