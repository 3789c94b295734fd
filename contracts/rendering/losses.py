"""What is said of losses: whose, how large at most, and what somebody who knows nearly everything could learn."""

from collections.abc import Iterator
from math import ceil, log10

from contracts.ledger.statements import Ceilings, Loss, ceilings
from contracts.previewing import attacker
from contracts.rendering.pages import Block, Paragraph, Section
from contracts.rendering.parts import Part, Term, facts, table, term, value_text
from contracts.rendering.rounding import chance_text, percent_up
from contracts.terms import Terms
from privacy.adversary import chance_of_certainty
from privacy.units import rho_text

_CERTAINTY = 0.9


def loss_text(lost: Loss) -> str:
    return f"rho {rho_text(lost.rho_nano)} ({epsilon_text(lost)})"


def epsilon_text(lost: Loss) -> str:
    """Rounded up, so as not to look better than it is."""
    return f"epsilon {epsilon_number(lost)} at delta {lost.delta}"


def epsilon_number(lost: Loss) -> str:
    """Two decimals, and as many as show two digits of a small one; rounded up."""
    decimals = max(2, 1 - int(log10(lost.epsilon))) if 0 < lost.epsilon < 1 else 2
    scale = 10**decimals
    return f"{ceil(lost.epsilon * scale) / scale:.{decimals}f}"


def learned_text(lost: Loss) -> str:
    """What a loss means, for somebody who starts at even odds."""
    learned = attacker(lost)
    chance = chance_text(chance_of_certainty(lost.rho_nano, _CERTAINTY))
    return (
        f"right in at most {percent_up(learned.right_guesses)} of guesses, and at most "
        f"{percent_up(learned.certain_at_most)} sure except with probability {lost.delta}; {_CERTAINTY:.0%} sure with "
        f"a chance of {chance}"
    )


def privacy_section(part: Part, terms: Terms) -> Section:
    return Section("What one person may lose", tuple(_blocks(part, terms)))


def _blocks(part: Part, terms: Terms) -> Iterator[Block]:
    limits = ceilings(terms)
    yield Paragraph(
        "Every answer is made of noisy releases. What they reveal of one person is stated as rho of zero-concentrated "
        "differential privacy, and as the epsilon that it implies at delta. The smaller, the less can be learned."
    )
    populations = part.each("ceilings")
    approvals = part.part("approvals")
    organisations = {party.population: party.organisation for party in terms.parties}
    yield table(
        "Ceilings: the most that one person of a population may lose under this contract, over its whole term",
        populations,
        Term("population", lambda population: population.name),
        Term("of", lambda population: organisations.get(population.name, "")),
        Term("rho", Part.whole, right=True),
        Term(
            f"epsilon at delta {terms.privacy.delta}",
            lambda population: epsilon_number(limits.of_populations[population.name]),
            right=True,
        ),
        Term("approved above the default by", lambda population: _approval(approvals, population, "name")),
        Term("because", lambda population: _approval(approvals, population, "reason")),
    )
    yield from _meaning(limits)
    yield facts(
        part,
        term("guarantee", "definition"),
        term("datasets that it cannot tell apart", "relation", lambda text: f"{text}: with and without the unit"),
        term("unit", "unit", lambda name: f"{name}: {limits.unit}"),
        term("one unit is in the data of at most", "max_providers", lambda most: f"{most or 1:,} provider(s)"),
        term("delta, for showing losses as epsilon", "delta"),
    )


def _approval(approvals: Part, population: Part, name: str) -> str:
    approval = approvals.part(population.name)
    return value_text(approval.take(name)) if approval.value else ""


def _meaning(limits: Ceilings) -> Iterator[Block]:
    """For the largest ceiling: what holds for it holds for all."""
    largest = max(limits.of_populations.values(), key=lambda lost: lost.rho_nano)
    yield Paragraph(
        "What that means: take somebody who knows the records of everybody else, and all that is ever released, and "
        "asks whether one person is in the data, starting at even odds."
    )
    unit = limits.of_unit if limits.providers_at_most > 1 else None
    rows = [("At the largest ceiling", largest), ("At the ceiling of the unit", unit),
            ("For one person in every population of this contract", limits.everything)]  # fmt: skip
    for name, lost in rows:
        if lost is not None:
            yield Paragraph(f"{name}, {loss_text(lost)}: {learned_text(lost)}.")
    yield Paragraph(limits.adds_up)
