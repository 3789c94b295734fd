"""What a difference means, for the people who sign: which group it belongs to, and its words."""

from enum import StrEnum
from typing import Any, Final

from contracts.differences.trees import Change, Kind
from contracts.ledger.statements import loss
from contracts.rendering.losses import loss_text
from contracts.rendering.parts import label, leaves, value_text
from contracts.terms import Terms
from privacy.units import budget_nano


class Group(StrEnum):
    """In the order in which they are told."""

    PRIVACY = "privacy"
    ACCESS = "access"
    OTHER = "other"
    COMPUTED = "computed"


GROUP_TEXTS: Final = {
    Group.PRIVACY: "What one person may lose, and what that rests on",
    Group.ACCESS: "Who may ask what, and for what",
    Group.OTHER: "Other terms",
    Group.COMPUTED: "What follows from the rest",
}
_GROUPS: Final = {
    "privacy": Group.PRIVACY,
    "feeds": Group.PRIVACY,
    "parties": Group.PRIVACY,
    "vocabularies": Group.PRIVACY,
    "grants": Group.ACCESS,
    "rules": Group.ACCESS,
    "purpose": Group.ACCESS,
    "purposes": Group.ACCESS,
    "prohibited": Group.ACCESS,
    "rollups": Group.ACCESS,
    "version": Group.COMPUTED,
    "previous_digest": Group.COMPUTED,
}
_ONE_OF: Final = {"parties": "party", "feeds": "feed", "grants": "grant of", "tables": "table", "draws": "draw"}


def group_of(change: Change) -> Group:
    if change.names[:2] == ("rules", "off_limits"):
        return Group.PRIVACY  # it decides which records are counted at all
    return _GROUPS.get(change.names[0], Group.OTHER)


def words(change: Change, old: Terms, new: Terms) -> str:
    """One sentence. old, new: the terms of both documents."""
    what = _what(change.names)
    match change.names:
        case ("privacy", "ceilings", population):
            return _of_loss(f"the ceiling of {population}", change, old, new)
        case ("feeds", feed, "rho"):
            return _of_loss(f"the ceiling of the feed {feed}", change, old, new)
        case ("grants", _, list_name, item) if change.kind is not Kind.CHANGED:
            gains = "gains" if change.kind is Kind.ADDED else "loses"
            return f"{_what(change.names[:2])} {gains} {item} in {label((list_name,))}"
        case _:
            return _plainly(what, change)


def _of_loss(what: str, change: Change, old: Terms, new: Terms) -> str:
    """As rho and epsilon, each at the delta of its own version."""
    if change.kind is Kind.ADDED:
        return f"{what} is added: {loss_text(loss(budget_nano(change.new), new.privacy.delta))}"
    before = loss(budget_nano(change.old), old.privacy.delta)
    if change.kind is Kind.REMOVED:
        return f"{what} is removed: {loss_text(before)}"
    after = loss(budget_nano(change.new), new.privacy.delta)
    how = "rises" if after.rho_nano > before.rho_nano else "falls"
    how = "is written otherwise" if after.rho_nano == before.rho_nano else how
    return f"{what} {how} from {loss_text(before)} to {loss_text(after)}"


def _plainly(what: str, change: Change) -> str:
    match change.kind:
        case Kind.ADDED:
            return f"{what} is added{_with(change.new, change.names[-1])}"
        case Kind.REMOVED:
            return f"{what} is removed{_with(change.old, change.names[-1])}"
        case Kind.REORDERED:
            return f"{what}: in another order, {value_text(change.new)} instead of {value_text(change.old)}"
        case Kind.CHANGED:
            return f"{what}: {_text(change.new)} instead of {_text(change.old)}"


def _what(names: tuple[str, ...]) -> str:
    """The place in words: fields as they are called, elements by what they are."""
    said, i = list[str](), 0
    while i < len(names):
        if names[i] in _ONE_OF and i + 1 < len(names):
            said.append(f"{_ONE_OF[names[i]]} {names[i + 1] or 'the total'}")
            i += 2
        else:
            said.append(names[i].replace("_", " "))
            i += 1
    return ", ".join(said)


def _with(value: Any, name: str) -> str:
    """What it holds, where its name does not say it already."""
    return "" if value == name else f" ({_text(value)})"


def _text(value: Any) -> str:
    if not isinstance(value, dict | list) or not value:
        return value_text(value)
    return "; ".join(f"{label(path)} {value_text(leaf)}".strip() for path, leaf in leaves(value))
