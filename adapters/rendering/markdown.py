"""Pages as Markdown (CommonMark, with the tables of GitHub's).

Texts come from other parties. In what is written here they are only ever text: no link, image, code, HTML or further
cell, whatever stands in them.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from contracts.rendering.pages import Block, Bullets, Facts, Page, Paragraph, Section, Table, printable

# Entities never count as markup (CommonMark 0.31, section 2.5), and every renderer knows these.
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "`": "&#96;", "\\": "&#92;"}
_SPECIAL: Final = re.compile(r"[&<>|`\\]")
# Underscores within a word mean nothing. Addresses would become links by themselves (GitHub's autolinks).
_MARKUP: Final = re.compile(r"[*\[\]~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//)|@|(?<=www)\.")
# What makes a list, heading or rule of the start of a text.
_AT_START: Final = re.compile(r"^(\s*)([-+#=]|\d{1,9}(?=[.)](?:\s|$)))")


def write_markdown(page: Page) -> str:
    parts = [f"# {_text(page.title)}", _text(page.lead)]
    for section in page.sections:
        parts += _section(section, level=2)
    return "\n\n".join(parts) + "\n"


def _section(section: Section, level: int) -> Iterator[str]:
    yield f"{'#' * level} {_text(section.title)}"
    yield from map(_block, section.blocks)
    for inner in section.sections:
        yield from _section(inner, level + 1)


def _block(block: Block) -> str:
    match block:
        case Paragraph(text):
            return _text(text)
        case Bullets(items):
            return "\n".join(f"- {_text(item)}" for item in items)
        case Facts(rows):
            return _table(("term", "what holds"), rows)
        case Table(caption, headings, rows, right):
            return f"**{_text(caption)}**\n\n{_table(headings, rows, right)}"


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]], right: frozenset[int] = frozenset()) -> str:
    head = _row(headings)
    rule = "| " + " | ".join("--:" if i in right else "---" for i, _ in enumerate(headings)) + " |"
    return "\n".join((head, rule, *map(_row, rows)))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(map(_text, cells))} |"


def _text(text: str) -> str:
    """The text as nothing but text."""
    entities = _SPECIAL.sub(lambda found: _ENTITIES[found[0]], printable(text).strip())
    escaped = _MARKUP.sub(lambda found: "\\" + found[0], entities)
    return _AT_START.sub(_escape_start, escaped)


def _escape_start(found: re.Match[str]) -> str:
    """A number cannot be escaped, but what follows it can."""
    return f"{found[1]}&#{ord(found[2][0])};{found[2][1:]}"
