"""The guarantee: what it is about, how large the losses may become and are, and what they let anybody learn."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from contracts.evidence.given import Given
from contracts.evidence.losses import LossAt, deltas_of, loss_at, loss_text, rounded_up
from contracts.linking import linked_to_nano
from contracts.parties import JsonObject
from contracts.privacy_unit import adds_up_text, providers_at_most, unit_ceiling_nano, unit_text
from contracts.rendering.pages import Block, Bullets, Facts, Paragraph, Section, Table
from contracts.rendering.rounding import chance_text, percent_up
from contracts.terms import Terms
from privacy.adversary import belief_at_most, chance_of_certainty, right_guesses

PRIORS: Final = (0.5, 0.1, 0.01)
CERTAINTY: Final = 0.9


@dataclass(frozen=True, slots=True)
class Population:
    """The whole records that one provider may draw on. all_posted: its loss once every period and every restatement
    of the contract is out. A population that posts nothing, and that no feed is linked to, loses nothing."""

    population: str
    organisation: str
    ceiling: LossAt
    all_posted: LossAt


@dataclass(frozen=True, slots=True)
class Belief:
    """What somebody learns who beforehand held it `prior` likely that a person is in the data.

    at_most: how likely at most afterwards, except with probability delta. right_before, right_after: of best guesses.
    certain: the chance to become CERTAINTY sure of somebody who is in the data.
    """

    prior: float
    at_most: float
    right_before: float
    right_after: float
    certain: float


@dataclass(frozen=True, slots=True)
class Learned:
    """At one loss. of: whose it is."""

    of: str
    loss: LossAt
    beliefs: tuple[Belief, ...]


@dataclass(frozen=True, slots=True)
class Spent:
    """What the caller's own population has lost, by the exchange's ledger. how: one sentence a feed."""

    population: str
    entries: int
    granted: LossAt
    lifetime: LossAt
    under_contract: LossAt
    balance_rho: str
    sealed: bool
    how: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Guarantee:
    """unit: whose loss it is. of_unit: the most that the unit may lose. everything: one person in every population."""

    definition: str
    relation: str
    unit: str
    providers_at_most: int
    several_providers: str
    delta: str
    populations: tuple[Population, ...]
    of_unit: LossAt
    everything: LossAt
    learned: tuple[Learned, ...]
    spent: Spent | None
    not_spent_because: str


def guarantee(given: Given, terms: Terms) -> Guarantee:
    privacy = terms.privacy
    everything = loss_at(sum(privacy.ceilings_nano.values()), terms)
    return Guarantee(
        definition=given.record.document["privacy"]["definition"],
        relation=given.record.document["privacy"]["relation"],
        unit=unit_text(privacy),
        providers_at_most=providers_at_most(privacy),
        several_providers=adds_up_text(privacy),
        delta=privacy.delta,
        populations=tuple(_populations(terms)),
        of_unit=loss_at(unit_ceiling_nano(privacy), terms),
        everything=everything,
        learned=tuple(_learned(terms, everything)),
        spent=None if given.statement is None else _spent(given.statement, terms),
        not_spent_because=given.no_statement_because,
    )


def all_posted_nano(terms: Terms, organisation: str) -> int:
    """The k dearest first measurements of each of its feeds, and every restatement in full; and of the feeds that are
    linked to its records the same, of each payer."""
    feeds = (feed for feed in terms.feeds if organisation in terms.providers_of(feed))
    own = sum(feed.get_plan().charge_nano * feed.releases_paid for feed in feeds)
    return own + linked_to_nano(terms, organisation)


def _populations(terms: Terms) -> Iterator[Population]:
    for party in terms.parties:
        yield Population(
            party.population,
            party.organisation,
            loss_at(terms.privacy.ceilings_nano.get(party.population, 0), terms),
            loss_at(all_posted_nano(terms, party.organisation), terms),
        )


def _learned(terms: Terms, everything: LossAt) -> Iterator[Learned]:
    """Once for each ceiling that differs, and for one person in everything."""
    having = defaultdict(list)
    for name, ceiling in terms.privacy.ceilings_nano.items():
        having[ceiling].append(name)
    for ceiling, names in having.items():
        whose = " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))
        yield _learned_of(f"one person of {whose}", loss_at(ceiling, terms), terms)
    if (most := providers_at_most(terms.privacy)) > 1:
        lost = loss_at(unit_ceiling_nano(terms.privacy), terms)
        yield _learned_of(f"one person in the data of {most} providers", lost, terms)
    yield _learned_of("one person in every population of this contract", everything, terms)


def _learned_of(of: str, lost: LossAt, terms: Terms) -> Learned:
    nano, delta = lost.rho_nano, float(terms.privacy.delta)
    beliefs = (
        Belief(
            prior,
            belief_at_most(nano, prior, delta),
            max(prior, 1 - prior),
            right_guesses(nano, prior),
            chance_of_certainty(nano, CERTAINTY, prior),
        )
        for prior in PRIORS
    )
    return Learned(of, lost, tuple(beliefs))


def _spent(statement: JsonObject, terms: Terms) -> Spent:
    return Spent(
        population=str(statement["population"]),
        entries=len(statement["entries"]),
        granted=loss_at(int(statement["granted"]["rho_nano"]), terms),
        lifetime=loss_at(int(statement["lifetime"]["rho_nano"]), terms),
        under_contract=loss_at(int(statement["under_contract"]["rho_nano"]), terms),
        balance_rho=str(statement["balance"]["rho"]),
        sealed=bool(statement["sealed"]),
        how=tuple(f"{each['contract_id']}: {each['explanation']}" for each in statement["derivation"]),
    )


def guarantee_section(found: Guarantee, terms: Terms) -> Section:
    said = Paragraph(
        "Whatever else anybody knows, and whatever they do with the answers: all that is ever released of one "
        "population under this contract, they would have seen almost as likely if any one person had not been in that "
        "population at all. How nearly, is the loss: rho of zero-concentrated differential privacy (zCDP), also stated "
        "as the epsilon that it implies at delta. Losses are added as rho; epsilons are never added."
    )
    terms_said = Facts(
        (
            ("guarantee", found.definition),
            ("datasets that it cannot tell apart", f"{found.relation}: with and without the unit"),
            ("unit", found.unit),
            ("providers that one unit is in the data of, at most", str(found.providers_at_most)),
            ("replacing one person by another", "costs at most twice the stated rho"),
            ("the most that one unit may lose", loss_text(found.of_unit)),
            ("one person in everything (every population of this contract)", loss_text(found.everything)),
        )
    )
    sections = (_losses(found, terms), _attacker(found), _spent_section(found))
    return Section("The guarantee", (said, terms_said, Paragraph(found.several_providers)), sections)


def _losses(found: Guarantee, terms: Terms) -> Section:
    deltas = deltas_of(terms)
    named = [(each.population, each.organisation, each.ceiling, each.all_posted) for each in found.populations]
    rows = [
        (population, organisation, *_amounts(ceiling, deltas), planned.rho)
        for population, organisation, ceiling, planned in named
    ]
    rows.append(("one person in everything", "", *_amounts(found.everything, deltas), ""))
    epsilons = (f"epsilon at delta {delta}" for delta in deltas)
    headings = ("population", "of", "ceiling, rho", *epsilons, "rho once everything is posted")
    table = Table("The most that one person may lose under this contract, in all its versions",
                  headings, tuple(rows), frozenset(range(2, len(headings))))  # fmt: skip
    return Section("How large the losses may become", (table,))


def _amounts(lost: LossAt, deltas: tuple[str, ...]) -> Iterator[str]:
    yield lost.rho
    for delta in deltas:
        yield rounded_up(lost.epsilon[delta])


def _attacker(found: Guarantee) -> Section:
    lead = Paragraph(
        "The attacker of these numbers knows the records of everybody else, reads everything that is ever released, "
        "and asks whether one person is in the data. Beforehand it holds that likely to some degree (its prior)."
    )
    rows = []
    for learned in found.learned:
        for belief in learned.beliefs:
            rows.append(
                (
                    f"{learned.of}, rho {learned.loss.rho}",
                    f"{belief.prior:.0%}",
                    percent_up(belief.at_most),
                    f"{belief.right_before:.0%}",
                    percent_up(belief.right_after),
                    chance_text(belief.certain),
                )
            )
    headings = (
        "about",
        "held likely before",
        f"after, at most, except with probability {found.delta}",
        "right guesses before",
        "right guesses after",
        f"becomes {CERTAINTY:.0%} sure",
    )
    table = Table("What it may learn, if the whole ceiling is spent", headings, tuple(rows), frozenset({1, 2, 3, 4}))
    how = Paragraph(
        "The third column holds whatever the mechanism, by Bayes' rule. The last two are those of Gaussian noise, "
        "which ours follows as closely as its scale exceeds what one person adds. A real attacker knows less."
    )
    return Section("What an attacker may learn", (lead, table, Bullets(tuple(_sentences(found))), how))


def _sentences(found: Guarantee) -> Iterator[str]:
    for learned in found.learned:
        even, *others = learned.beliefs
        from_others = "; ".join(f"from {each.prior:.0%}: at most {percent_up(each.at_most)}" for each in others)
        yield (
            f"Of {learned.of}: whatever else the attacker knows, if beforehand it holds it {even.prior:.0%} likely "
            f"that the person is in the data, afterwards it holds it at most {percent_up(even.at_most)} likely "
            f"({from_others}), except with probability {found.delta}. From {even.prior:.0%}, its best guess is right "
            f"in at most {percent_up(even.right_after)} of cases, where {even.right_before:.0%} needs no release."
        )


def _spent_section(found: Guarantee) -> Section:
    title = "What has been spent so far"
    if (spent := found.spent) is None:
        return Section(title, (Paragraph(f"Not known to this packet: {found.not_spent_because}."),))
    rows = Facts(
        (
            ("population", spent.population),
            ("granted, over all contracts", loss_text(spent.granted)),
            ("lost so far, over all contracts, for ever", loss_text(spent.lifetime)),
            ("of it under this contract", loss_text(spent.under_contract)),
            ("left", f"rho {spent.balance_rho}"),
            ("entries of the ledger", f"{spent.entries:,}"),
            ("sealed", "yes: nothing is debited until it is reconciled with its witness" if spent.sealed else "no"),
        )
    )
    said = Paragraph(
        "By the exchange's ledger, of your own population only; what others have spent is theirs to know. Reckon it up "
        "yourself, without believing the exchange's arithmetic: parley ledger verify --contract "
        "with the id of this contract."
    )
    blocks: tuple[Block, ...] = (said, rows, Bullets(spent.how)) if spent.how else (said, rows)
    return Section(title, blocks)
