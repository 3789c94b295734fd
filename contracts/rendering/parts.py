"""Parts of a document that remember what was taken from them.

Fields come and go with versions of the document. A page is complete whatever they are: a section takes the fields that
it has words for, and what is left is said by its name.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.parties import JsonObject
from contracts.rendering.pages import Facts, Table

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A value of a document. taken: the paths that were read, shared by all parts of one document."""

    value: Any
    path: Path = ()
    taken: set[Path] = field(default_factory=set)

    @property
    def name(self) -> str:
        """What it is called where it stands."""
        return str(self.path[-1])

    def take(self, name: str) -> Any:
        """The value of a field, with all that is below it; None where there is none."""
        self.taken.add((*self.path, name))
        return self._find(name)

    def whole(self) -> str:
        """All of it as a text."""
        self.taken.add(self.path)
        return value_text(self.value)

    def part(self, name: str | int) -> "Part":
        """What stands under a name: not taken yet. An empty part where there is nothing."""
        return Part(self._find(name), (*self.path, name), self.taken)

    def each(self, name: str) -> list["Part"]:
        """The elements of a list, or the values of an object, one part each."""
        whole = self.part(name)
        if not whole.value:
            self.taken.add(whole.path)
        return [whole.part(key) for key in _keys(whole.value)]

    def rest(self) -> list[tuple[str, str]]:
        """The name and value of all that was not taken. Takes it."""
        if not self.value:  # of a part that is there and holds nothing, its section has said so
            return []
        left = [(path, value) for path, value in leaves(self.value, self.path) if not self._is_taken(path)]
        self.taken.update(path for path, _ in left)
        return [(label(path[len(self.path) :]), value_text(value)) for path, value in left]

    def _find(self, name: str | int) -> Any:
        if isinstance(self.value, list):
            return self.value[int(name)]
        return self.value.get(name) if isinstance(self.value, dict) else None

    def _is_taken(self, path: Path) -> bool:
        return any(path[:length] in self.taken for length in range(1, len(path) + 1))


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value that is not made of others, with where it stands. A list of plain values is one."""
    if isinstance(value, dict | list) and value and not _is_plain_list(value):
        for key in _keys(value):
            yield from leaves(value[key], (*path, key))
    else:
        yield path, value


def _is_plain_list(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(item, dict | list) for item in value)


def _keys(value: Any) -> list[Any]:
    return list(value) if isinstance(value, dict) else list(range(len(value or ())))


def label(path: Path) -> str:
    """Where something stands, in words: the elements of lists are counted from one."""
    return " ".join(str(step + 1) if isinstance(step, int) else step.replace("_", " ") for step in path)


def value_text(value: Any) -> str:
    """A value as people read it; texts as they are."""
    match value:
        case None:
            return "not stated"
        case [] | {}:
            return "none"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case list():
            return ", ".join(map(value_text, value))
        case _:
            return str(value)


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that is said of a part: under which name, and in which words. right: it is a number."""

    label: str
    say: Callable[[Part], str]
    right: bool = False


def term(label: str, name: str, say: Callable[[Any], str] = value_text, *, right: bool = False) -> Term:
    """What a field of the part says."""
    return Term(label, lambda part: say(part.take(name)), right)


def facts(part: Part, *terms: Term) -> Facts:
    """What the terms say of a part, then all else that stands in it."""
    said = [(term.label, term.say(part)) for term in terms]
    return Facts((*said, *part.rest()))


def table(caption: str, parts: Sequence[Part], *terms: Term) -> Table:
    """One row a part; what else stands in any of them makes further columns."""
    said = [[term.say(part) for term in terms] for part in parts]
    others = [dict(part.rest()) for part in parts]
    further = list(dict.fromkeys(name for other in others for name in other))
    return Table(
        caption,
        (*(term.label for term in terms), *further),
        tuple((*row, *(other.get(name, "") for name in further)) for row, other in zip(said, others, strict=True)),
        frozenset(i for i, term in enumerate(terms) if term.right),
    )


def part_of(document: JsonObject) -> Part:
    """A whole document, nothing of it taken."""
    return Part(document)
