"""Strict YAML: the core scalars only, no merge keys, and no key twice.

Only true, false, null and whole numbers are not text: a date or a decimal without quotes stays as it is written, `no`
is no boolean, and a number with a leading zero keeps it.
"""

import re
from typing import Any, Final

import yaml

_RESOLVED: Final = (
    ("null", r"(?:~|null|)\Z", ["~", "n", ""]),
    ("bool", r"(?:true|false)\Z", ["t", "f"]),
    ("int", r"-?(?:0|[1-9][0-9]*)\Z", list("-0123456789")),
)


class YamlRefused(ValueError):
    """Not YAML of this kind; the text says what is wrong. line: from 1 on, where it is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # as in PyYAML

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        found = super().construct_mapping(node, deep=True)
        if len(found) < len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key stands twice in one object", node.start_mark)
        return found


for _name, _form, _first in _RESOLVED:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(_form), _first)


class _LoaderWithoutAliases(_Loader):
    """An alias stands for any amount of text: whoever writes the whole out could be made to write for ever."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            message = "write it out, without `*`: an alias is not taken here"
            raise yaml.composer.ComposerError(None, None, message, self.get_mark())
        return super().compose_node(parent, index)


def load_yaml(content: bytes, *, aliases: bool = True) -> Any:
    """The one document of a file. Raises YamlRefused."""
    loader = _Loader if aliases else _LoaderWithoutAliases
    try:
        return loader(content).get_single_data()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise YamlRefused(str(error.problem), line) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise YamlRefused("is not well-formed YAML") from None
