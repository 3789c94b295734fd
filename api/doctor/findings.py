"""What a check finds."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """A problem breaks a promise; a warning may, or weakens one; not checked: it cannot be told from here."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """why: one line. what_to_do: empty where nothing is to be done."""

    check: str
    status: Status
    why: str
    what_to_do: str = ""


Check = Callable[[], Iterable[Finding]]


def ok(check: str, why: str) -> Finding:
    return Finding(check, Status.OK, why)


def warning(check: str, why: str, what_to_do: str) -> Finding:
    return Finding(check, Status.WARNING, why, what_to_do)


def problem(check: str, why: str, what_to_do: str) -> Finding:
    return Finding(check, Status.PROBLEM, why, what_to_do)


def not_checked(check: str, why: str, what_to_do: str = "") -> Finding:
    return Finding(check, Status.NOT_CHECKED, why, what_to_do)


def carried_out(checks: Iterable[tuple[str, Check]]) -> Iterator[Finding]:
    """Each check's findings. One that fails says so by the kind of its error: its text might quote a secret."""
    for name, check in checks:
        try:
            yield from check()
        except Exception as error:
            yield not_checked(name, f"the check itself failed ({type(error).__name__})", "Please report it.")
