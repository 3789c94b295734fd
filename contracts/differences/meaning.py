"""What a difference means, for the people who sign: which group it belongs to, and its words."""

from collections.abc import Iterator
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from contracts.differences.trees import MAX_VALUES, Change, Kind
from contracts.ledger.statements import loss
from contracts.parties import Role
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
_ONE_OF: Final = {
    "parties": "party",
    "feeds": "feed",
    "grants": "grant of",
    "tables": "table",
    "draws": "draw",
    "standards": "standard",
}

# What a grant is about where it says so, and about any where it does not.
_NARROWING: Final = ("dimensions", "feeds", "periods", "purposes")


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
        case ("feeds", feed, "preparation_sha256"):
            return _of_definitions(f"the definitions that make the cells of the feed {feed} of claims", change)
        case ("rollups", "dimensions", name, "groups", value):
            return _plainly(f"of the roll-up {name}, {value}", change)
        case ("grants", _, list_name) if change.kind is Kind.VALUES:
            return f"{_gains(_what(change.names[:2]), change)} in {label((list_name,))}"
        case ("grants", _, name) if name in _NARROWING and None in (change.old, change.new):
            # A grant without the list is not narrowed by it, whether it is null or left out.
            before, after = (f"{_text(each)} only" if each else "any" for each in (change.old, change.new))
            return f"{what}: {after}, instead of {before}"
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


def _of_definitions(what: str, change: Change) -> str:
    """Null and left out are the same: not agreed."""
    new, old = change.new, change.old
    after, before = (f"those with SHA-256 {sha256}" if sha256 else "the provider's own" for sha256 in (new, old))
    made = "" if after == before else "; releases so far were made by the earlier ones"
    return f"{what}: {after}, instead of {before}{made}"


def _plainly(what: str, change: Change) -> str:
    match change.kind:
        case Kind.ADDED:
            return f"{what} is added{_with(change.new, change.names[-1])}"
        case Kind.REMOVED:
            return f"{what} is removed{_with(change.old, change.names[-1])}"
        case Kind.REORDERED:
            old, new = (_values(*each) for each in zip((change.old, change.new), change.omitted, strict=True))
            return f"{what}: in another order, {new} instead of {old}"
        case Kind.VALUES:
            return _gains(what, change)
        case Kind.CHANGED:
            return f"{what}: {_text(change.new)} instead of {_text(change.old)}"


def _gains(what: str, change: Change) -> str:
    pairs = (("loses", change.old, change.omitted[0]), ("gains", change.new, change.omitted[1]))
    return f"{what} {' and '.join(f'{verb} {_values(values, more)}' for verb, values, more in pairs if values)}"


def _values(values: list[Any], omitted: int = 0) -> str:
    """The first of them."""
    more = omitted + len(values[MAX_VALUES:])
    return value_text(values[:MAX_VALUES]) + (f" and {more:,} more" if more else "")


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
    found = leaves(value)
    said = [f"{label(path)} {_leaf(leaf)}".strip() for path, leaf in islice(found, MAX_VALUES)]
    more = sum(1 for _ in found)
    return "; ".join([*said, *([f"and {more:,} more"] if more else [])])


def _leaf(value: Any) -> str:
    return _values(value) if isinstance(value, list) and value else value_text(value)


def pools_text(old: Terms, new: Terms) -> Iterator[str]:
    """What another set of payers, or another min_payers, does to the periods that are open already
    (contracts/statistics/steps.py)."""
    before, after = (
        [party.organisation for party in terms.parties if party.role is Role.PAYER] for terms in (old, new)
    )
    least = new.rules.min_payers
    for name in [name for name in before if name not in after]:
        yield (
            f"{name} leaves: periods in whose pool it was open are answered to nobody else until it is back, but for "
            "steps of other payers."
        )
    joining = [name for name in after if name not in before]
    if joining:
        yield (
            f"{', '.join(joining)}: in periods that are open already, who joins is pooled once {least} payers or more "
            "that are in no pool yet have posted."
        )
    if least < old.rules.min_payers:
        yield (
            f"min_payers falls from {old.rules.min_payers} to {least} for periods whose first release comes later; "
            "those released before keep the larger."
        )
    elif least > old.rules.min_payers:
        yield (
            f"min_payers rises from {old.rules.min_payers} to {least}: periods that were opened in smaller steps are "
            "shown in larger ones, or closed."
        )
