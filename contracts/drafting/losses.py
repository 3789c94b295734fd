"""Faults of what a contract says about losses: delta, the privacy unit, and one ceiling for each population."""

from collections.abc import Iterator
from decimal import Decimal

from contracts.drafting.budgets import DEFAULT_CEILING_RHO, budget_faults
from contracts.drafting.linked import linked_populations
from contracts.parties import JsonObject
from contracts.refusals import Fault
from contracts.terms import PrivacyUnit
from privacy.units import budget_nano, rho_text


def privacy_faults(document: JsonObject) -> Iterator[Fault]:
    privacy = document["privacy"]
    posting = linked_populations(document) | _posting(document)
    yield from _delta(privacy["delta"])
    yield from _unit(privacy, len(posting))
    for name in sorted(set(posting) - set(privacy["ceilings"])):
        why = "posts" if name in _posting(document) else "is what a feed is linked to"
        yield Fault("/privacy/ceilings", "ceilings_incomplete", f"{name} {why} and has no ceiling: write one")
    for name, rho in privacy["ceilings"].items():
        pointer = f"/privacy/ceilings/{name}"
        if name not in posting:
            message = f"{name} posts nothing under this contract, and nothing is linked to it: leave its ceiling out"
            yield Fault("/privacy/ceilings", "ceilings_incomplete", message)
        faults = list(budget_faults(pointer, rho))
        yield from faults or _ceiling(pointer, name, rho, posting.get(name), document)


def _posting(document: JsonObject) -> dict[str, str]:
    """The role behind each population that posts a feed."""
    providers = {feed["provider"] for feed in document["feeds"]}
    return {party["population"]: party["role"] for party in document["parties"] if party["role"] in providers}


def _delta(text: str) -> Iterator[Fault]:
    if not 0 < Decimal(text) <= Decimal("0.001"):
        yield Fault("/privacy/delta", "delta_invalid", "delta lies above 0 and is at most 0.001")


def _unit(privacy: JsonObject, populations: int) -> Iterator[Fault]:
    pointer, most = "/privacy/max_providers", privacy.get("max_providers")
    if privacy["unit"] == PrivacyUnit.WITHIN_PROVIDER:
        if most is not None:
            message = f"only {PrivacyUnit.ACROSS_PROVIDERS} has a maximum: write that unit, or leave this out"
            yield Fault(pointer, "max_providers_unused", message)
    elif populations < 2:
        message = f"fewer than two populations post, so nobody is in several: write {PrivacyUnit.WITHIN_PROVIDER}"
        yield Fault("/privacy/unit", "providers_too_few", message)
    elif most is None:
        message = f"say in how many providers' data one person is at most: write {_from_two(populations)}"
        yield Fault(pointer, "max_providers_missing", message)
    elif most > populations:
        message = f"only {populations} populations post, so nobody is in more: write {_from_two(populations)}"
        yield Fault(pointer, "max_providers_too_large", message)


def _from_two(most: int) -> str:
    return "2" if most == 2 else f"from 2 to {most}"


def _ceiling(pointer: str, name: str, rho: str, role: str | None, document: JsonObject) -> Iterator[Fault]:
    feeds = [feed for feed in document["feeds"] if feed["provider"] == role]
    if any(list(budget_faults("", feed["rho"])) for feed in feeds):
        return
    needed = sum(budget_nano(feed["rho"]) for feed in feeds)
    if needed > budget_nano(rho):
        least, approval = rho_text(needed), f" (above {DEFAULT_CEILING_RHO} it needs an approval)"
        above = approval if needed > budget_nano(DEFAULT_CEILING_RHO) else ""
        message = f"the population's feeds may cost {least} together: write at least {least}{above}, or lower a feed"
        yield Fault(pointer, "ceiling_too_low", message)
    approved = name in document["privacy"].get("approvals", {})
    if budget_nano(rho) > budget_nano(DEFAULT_CEILING_RHO) and not approved:
        yield Fault(
            pointer,
            "approval_missing",
            f"above {DEFAULT_CEILING_RHO} the contract names who approved it and why, in /privacy/approvals/{name}",
        )
