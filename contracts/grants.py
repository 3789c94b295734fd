"""Grants: who may ask what under a contract, as the domain reads them. `contracts.granting` decides by them."""

from dataclasses import dataclass

from contracts.parties import JsonObject, Role
from contracts.periods import Stretch


@dataclass(frozen=True, slots=True)
class Grant:
    """Who may ask what: a role, or one organisation of it, whose own grant then stands instead of its role's.

    pointer: where it stands in the document (RFC 6901). by_at_most: by how many dimensions at once, those filtered
    included. The rest narrows, and None does not: which dimensions and grains of time, feeds, days and purposes.
    """

    pointer: str
    role: Role
    organisation: str | None
    statistics: tuple[str, ...]
    by_at_most: int
    dimensions: tuple[str, ...] | None = None
    feeds: tuple[str, ...] | None = None
    periods: Stretch | None = None
    purposes: tuple[str, ...] | None = None


def read_grant(pointer: str, grant: JsonObject) -> Grant:
    """Raises NotAPeriod where its periods are none."""

    def listed(name: str) -> tuple[str, ...] | None:
        return None if grant.get(name) is None else tuple(grant[name])

    periods = grant.get("periods")
    return Grant(
        pointer=pointer,
        role=Role(grant["role"]),
        organisation=grant.get("organisation"),
        statistics=tuple(grant["statistics"]),
        by_at_most=grant["by_at_most"],
        dimensions=listed("dimensions"),
        feeds=listed("feeds"),
        periods=Stretch.parse(periods["first"], periods["last"]) if periods else None,
        purposes=listed("purposes"),
    )
