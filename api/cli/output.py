"""What commands print: plain text in aligned columns, JSON, and failures as one clear line.

Titles and messages come from other parties, so characters that could steer a terminal are never passed on:
what a signer reads must be what is signed.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import ceil
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any, Final

import click

from contracts.parties import JsonObject
from contracts.refusals import Fault, Refusal
from contracts.rendering.pages import printable

WIDTH_AT_MOST: Final = 100
WIDTH_AT_LEAST: Final = 40
_STANDARD_MEMBERS = frozenset(
    {"type", "title", "status", "detail", "errors", "errors_truncated", "error", "error_description"}
)


class Failure(click.ClickException):
    """An expected error: one clear sentence on standard error, and a further line for each fault; exit code 1."""

    def __init__(self, message: str, faults: Iterable[str] = ()) -> None:
        super().__init__("\n  ".join(printable(line) for line in (message, *faults)))


def say(text: str = "") -> None:
    """Print one line to standard output."""
    click.echo(printable(text))


def say_paragraph(text: str, indent: str = "") -> None:
    """Print a text, broken between words at the width of the terminal, and at 100 characters at most."""
    width = min(get_terminal_size((WIDTH_AT_MOST, 24)).columns, WIDTH_AT_MOST)
    lines = wrap(
        printable(text),
        max(width, WIDTH_AT_LEAST),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    click.echo("\n".join(lines))


def sentence(text: str) -> str:
    """An error's own words with a capital, unless they begin with a name, and a full stop."""
    first = text.partition(" ")[0]
    return f"{text[:1].upper() if first.isalpha() else text[:1]}{text[1:].removesuffix('.')}."


def tell(text: str) -> None:
    """Print one line to standard error: what a program that reads the output does not want."""
    click.echo(printable(text), err=True)


def say_json(document: JsonObject) -> None:
    click.echo(json.dumps(document, indent=2))


def say_table(headings: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[str] = ()) -> None:
    """Aligned columns. right: the headings of those that align to the right."""
    lines = [list(headings), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headings))]
    for line in lines:
        cells = (
            cell.rjust(width) if heading in right else cell.ljust(width)
            for heading, cell, width in zip(headings, line, widths, strict=True)
        )
        click.echo("  ".join(cells).rstrip())


def loss_text(loss: Mapping[str, Any]) -> str:
    """A loss as the API writes it, for people. Epsilon is rounded up, so as not to look better than it is."""
    return f"rho {loss['rho']} ({epsilon_text(loss)})"


def epsilon_text(loss: Mapping[str, Any]) -> str:
    return f"epsilon {ceil(loss['epsilon'] * 100) / 100:.2f} at delta {loss['delta']}"


def unanswered_text(names: Iterable[str]) -> str:
    return f"granted, but its feeds cannot answer: {', '.join(names)}"


def fault_lines(faults: Sequence[Fault]) -> list[str]:
    return [f"{fault.pointer or '/'}: {fault.message}" for fault in faults]


def refusal_failure(refusal: Refusal) -> Failure:
    """What the domain refuses on this machine, in the words in which an exchange would say it."""
    faults = [{"pointer": fault.pointer, "detail": fault.message} for fault in refusal.faults]
    return problem_failure({"type": refusal.code, "detail": refusal.detail, "errors": faults, **refusal.extra})


def problem_failure(problem: JsonObject) -> Failure:
    """A problem document: what is wrong and its code, then one line a fault with the pointer of its field."""
    code = str(problem.get("type", "")).rpartition(":")[2]
    detail = str(problem.get("detail") or problem.get("title") or "The exchange refused.")
    faults = [f"{fault['pointer'] or '/'}: {fault['detail']}" for fault in problem.get("errors", [])]
    others = [f"{name}: {_value_text(problem[name])}" for name in problem if name not in _STANDARD_MEMBERS]
    more = ["There are more faults; correct these first."] if problem.get("errors_truncated") else []
    return Failure(f"{detail} ({code})" if code else detail, [*faults, *more, *others])


def _value_text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_value_text, value)) or "nothing"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value_text(inner)}" for name, inner in value.items())
    return str(value)
