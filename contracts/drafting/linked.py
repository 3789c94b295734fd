"""Faults of linked feeds: a payer's cells that hold a brand's flag, and so cost the brand's population too.

What a feed may cost it is reckoned with the plan that a proposal would make, over all payers, since one person of the
brand can be with each of them.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from contracts.drafting.budgets import DEFAULT_CEILING_RHO, budget_faults
from contracts.drafting.rollups import finest_of
from contracts.linking import linked_rho_nano
from contracts.parties import JsonObject, Role
from contracts.refusals import Fault
from contracts.statistics.adherence import BAND
from contracts.terms import FeedTerms
from privacy.strategy import BudgetTooSmall, make_plan
from privacy.units import budget_nano, rho_text

LINKED: Final = "linked"


def linked_faults(at: str, feed: JsonObject, document: JsonObject) -> Iterator[Fault]:
    """at: where the feed stands. Nothing of the plan, which a feed with other faults has not."""
    linked = feed.get("linked")
    if feed["link"] != LINKED:
        if linked is not None:
            message = "a feed with link none has no flag: write link linked, or leave this out"
            yield Fault(f"{at}/linked", "linked_unused", message)
        return
    if feed["provider"] != Role.PAYER:
        message = "only payers post cells with a brand's flag: write provider payer, or link none"
        yield Fault(f"{at}/link", "linked_provider", message)
    if linked is None:
        message = "say which dimension is the brand's flag, and whose: dimension and organisation"
        yield Fault(f"{at}/linked", "linked_missing", message)
        return
    yield from _dimension(f"{at}/linked/dimension", linked["dimension"], feed, document["vocabularies"])
    brands = [party["organisation"] for party in document["parties"] if party["role"] == Role.BRAND]
    if linked["organisation"] not in brands:
        message = f"a brand that is a party to the contract; there is {_listed(brands)}"
        yield Fault(f"{at}/linked/organisation", "linked_organisation", message)


def _dimension(pointer: str, name: str, feed: JsonObject, vocabularies: JsonObject) -> Iterator[Fault]:
    if name not in feed["dimensions"]:
        message = f"a dimension of the feed; there is {_listed(feed['dimensions'])}"
        yield Fault(pointer, "dimension_unknown", message)
    elif len(vocabularies.get(name, ())) < 2:
        message = f"a flag of one value says nothing: give {name} two or more, such as enrolled and not_enrolled"
        yield Fault(pointer, "linked_flag_constant", message)
    elif name == BAND:
        message = f"{name} is told by the payer's own claims, and is no flag of a brand's: name the dimension that is"
        yield Fault(pointer, "dimension_is_outcome", message)


def unlinked_faults(document: JsonObject, earlier: Sequence[JsonObject] = ()) -> Iterator[Fault]:
    """Payers' feeds that go by a brand's flag and do not charge the brand for it: by what another feed names as
    linked, here or in an earlier version, under whatever name the roll-ups tell it.

    earlier: the documents of the versions that were signed; none for the faults of this document alone.
    """
    flags = set[str]()
    for each in (*earlier, document):
        named = {feed["linked"]["dimension"] for feed in each["feeds"] if feed.get("linked")}
        flags = _telling(flags | named, each)
    for i, feed in enumerate(document["feeds"]):
        own = (feed.get("linked") or {}).get("dimension")
        for j, name in enumerate(feed["dimensions"] if feed["provider"] == Role.PAYER else ()):
            if name in flags and name != own:
                message = (
                    f"{name} tells a brand's flag, for which its population is charged: write link linked with this "
                    "dimension, or leave it out of the feed"
                )
                yield Fault(f"/feeds/{i}/dimensions/{j}", "linked_dimension_unlinked", message)


def _telling(flags: set[str], document: JsonObject) -> set[str]:
    """The flags, and all that the roll-ups make of the same dimension as one of them."""
    rollups = document["rollups"].get("dimensions") or {}
    finest = {finest_of(name, rollups) for name in flags}
    return flags | finest | {name for name in rollups if finest_of(name, rollups) in finest}


def linked_populations(document: JsonObject) -> dict[str, str]:
    """By population that a feed is linked to, the role of whose it is."""
    named = {feed["linked"]["organisation"] for feed in document["feeds"] if feed.get("linked")}
    return {party["population"]: party["role"] for party in document["parties"] if party["organisation"] in named}


def linked_ceiling_faults(feeds: Sequence[FeedTerms], document: JsonObject) -> Iterator[Fault]:
    """Where a brand's ceiling pays for its own feeds only. feeds: all, without faults of their own."""
    ceilings = document["privacy"]["ceilings"]
    payers = sum(party["role"] == Role.PAYER for party in document["parties"])
    for party in document["parties"]:
        population = party["population"]
        of_one = sum(_one_payer_nano(feed) for feed in feeds if _is_linked_to(feed, party["organisation"]))
        if not of_one or population not in ceilings or list(budget_faults("", ceilings[population])):
            continue
        own = sum(feed.rho_nano for feed in feeds if feed.provider == party["role"])
        needed, ceiling = own + payers * of_one, budget_nano(ceilings[population])
        if own <= ceiling < needed:
            message = (
                f"linked feeds may cost {population} {rho_text(of_one)} for each of {payers} payers, and its own feeds "
                f"{rho_text(own)}: write at least {rho_text(needed)}{_approval(needed)}, or lower a linked feed"
            )
            yield Fault(f"/privacy/ceilings/{population}", "ceiling_too_low", message)


def _approval(needed: int) -> str:
    above = needed > budget_nano(DEFAULT_CEILING_RHO)
    return f" (above {DEFAULT_CEILING_RHO} it needs an approval)" if above else ""


def _is_linked_to(feed: FeedTerms, organisation: str) -> bool:
    return feed.linked is not None and feed.linked.organisation == organisation


def _one_payer_nano(feed: FeedTerms) -> int:
    """0 where no plan is cheap enough, which is said of the feed's own ceiling."""
    try:
        return linked_rho_nano(feed, make_plan(feed.design, feed.charge_nano))
    except BudgetTooSmall:
        return 0


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
