"""Whose loss a statement is about: the words and the sums of the contract's privacy unit, for every page that states
a loss.

Noise is drawn for each provider by itself, whatever the unit; the unit decides over how many providers a stated loss
adds up. One person in at most m providers loses at most the m largest losses of their populations (sequential
composition of zCDP: Bun and Steinke 2016). Always added as rho, and converted to epsilon once.
"""

from heapq import nlargest

from contracts.terms import PrivacyTerms

_WITHIN = "one person's whole contribution to one provider's population, added or removed"
_ACROSS = "one person's whole contribution to the populations of at most {} providers together, added or removed"
_WITHIN_ADDS_UP = (
    "A person who is in the data of several providers incurs the loss of each; rho adds up and is converted once."
)
_ACROSS_ADDS_UP = (
    "A person in the data of {} providers incurs the loss of each; rho adds up and is converted once. A person who is "
    "in more incurs more, up to that of one person in everything."
)


def providers_at_most(privacy: PrivacyTerms) -> int:
    """In how many providers' data the unit is."""
    return privacy.max_providers or 1


def unit_text(privacy: PrivacyTerms) -> str:
    """The unit in words."""
    most = providers_at_most(privacy)
    return _WITHIN if most == 1 else _ACROSS.format(most)


def adds_up_text(privacy: PrivacyTerms) -> str:
    """What a person who is in the data of several providers must know."""
    most = providers_at_most(privacy)
    return _WITHIN_ADDS_UP if most == 1 else _ACROSS_ADDS_UP.format(most)


def unit_ceiling_nano(privacy: PrivacyTerms) -> int:
    """The most that the unit may lose under the contract: the largest ceilings, as many as it is in providers."""
    return sum(nlargest(providers_at_most(privacy), privacy.ceilings_nano.values()))


def unit_of_population_nano(privacy: PrivacyTerms, population: str, own_nano: int) -> int:
    """An upper bound for a person of this population: its own loss, and the largest ceilings of the others.

    What others have lost so far is theirs to know; the ceilings are signed by all.
    """
    others = (ceiling for name, ceiling in privacy.ceilings_nano.items() if name != population)
    return own_nano + sum(nlargest(providers_at_most(privacy) - 1, others))
