"""Linked feeds: a payer computes its cells with a brand's flag of each person, on its own premises.

So its releases tell of the brand's records too. Whoever is in them, or not, is moved between two values of the linked
dimension and nothing else: twice the squared bound in every margin that holds the dimension, nothing in the others
(docs/decisions/0028). That is charged to the brand's population, payer by payer, since one person of the brand can be
in the data of several payers, and in k periods of each.
"""

from dataclasses import dataclass

from contracts.terms import FeedTerms, Linked, Party, Terms
from privacy.plan import MeasurementPlan


def find_linked_party(terms: Terms, feed: FeedTerms) -> Party | None:
    """The brand whose records decide the linked dimension, with its population; None of a feed that is not linked.

    Raises ValueError for a brand that is no party, as no draft may say.
    """
    if feed.linked is None:
        return None
    party = terms.find_party(feed.linked.organisation)
    if party is None:
        raise ValueError("a feed is linked to a party of its contract")
    return party


def linked_plan(feed: FeedTerms, linked: Linked, plan: MeasurementPlan | None = None) -> MeasurementPlan:
    """What the draws of one release cost a person of the brand. plan: where none is frozen yet."""
    return (plan or feed.get_plan()).of_moves(linked.dimension, feed.bounds)


def linked_rho_nano(feed: FeedTerms, plan: MeasurementPlan | None = None) -> int:
    """The most that all planned releases of one payer may cost a person of the brand; 0 of a feed that is not linked.

    By the rule that the feed's own ceiling follows: k first measurements, and every restatement in full.
    """
    return 0 if feed.linked is None else linked_plan(feed, feed.linked, plan).charge_nano * feed.releases_paid


def linked_to_nano(terms: Terms, organisation: str) -> int:
    """The most that all feeds linked to an organisation may cost a person of its population, over all payers."""
    return sum(
        linked_rho_nano(feed) * len(terms.providers_of(feed))
        for feed in terms.feeds
        if feed.linked is not None and feed.linked.organisation == organisation
    )


@dataclass(frozen=True, slots=True)
class LinkedLoss:
    """What a linked feed costs a person of the brand, in nano-rho. over_term_nano: at most, over all payers."""

    organisation: str
    population: str
    one_release_nano: int
    over_term_nano: int


def find_linked_loss(terms: Terms, feed: FeedTerms, plan: MeasurementPlan | None = None) -> LinkedLoss | None:
    """None of a feed that is not linked."""
    party = find_linked_party(terms, feed)
    if party is None or feed.linked is None:
        return None
    return LinkedLoss(
        party.organisation,
        party.population,
        linked_plan(feed, feed.linked, plan).charge_nano,
        linked_rho_nano(feed, plan) * len(terms.providers_of(feed)),
    )
