"""The mechanism and the measurement plans: what noise, how much, where it is drawn, and what it costs."""

from dataclasses import dataclass

from contracts.evidence.losses import LossAt, loss_at, loss_text
from contracts.linking import find_linked_loss, linked_plan
from contracts.rendering.pages import Facts, Paragraph, Section, Table
from contracts.terms import FeedTerms, Measured, Terms
from privacy.mechanism import LIBRARY_VERSION, NAME, library_features, library_version
from privacy.plan import MeasurementPlan
from privacy.units import rho_text

WHERE = {
    Measured.EXCHANGE: "in the exchange, which forgets the exact numbers with the request that brought them",
    Measured.SOURCE: "on the provider's premises, which vouches for it; the exchange never holds an exact number",
}


@dataclass(frozen=True, slots=True)
class DrawFacts:
    """One margin of one measure: a vector of noise of scale sigma."""

    measure: str
    margin: tuple[str, ...]
    sigma: str
    l2_squared: int
    charge_nano: int


@dataclass(frozen=True, slots=True)
class LinkedMechanism:
    """draws: those whose margin holds the flag, as they are charged to the brand. all_releases: of all payers."""

    organisation: str
    population: str
    dimension: str
    draws: tuple[DrawFacts, ...]
    one_release: LossAt
    all_releases: LossAt


@dataclass(frozen=True, slots=True)
class FeedMechanism:
    """releases: how many count against one person, at most. all_releases: what they lose together. linked: what it
    costs the population of the brand that it is linked to; None where it is not."""

    feed: str
    generation: str
    measured: str
    drawn: str
    draws: tuple[DrawFacts, ...]
    one_release: LossAt
    releases: int
    all_releases: LossAt
    ceiling: LossAt
    linked: LinkedMechanism | None = None


@dataclass(frozen=True, slots=True)
class Mechanism:
    """library_expected: what this Parley reckons with. library_features: only `contrib` is meant to be on."""

    name: str
    library_installed: str
    library_expected: str
    library_features: tuple[str, ...]
    feeds: tuple[FeedMechanism, ...]


def mechanism(terms: Terms) -> Mechanism:
    """Recomputes every charge with the library that is installed here. Raises PlanNotSound where one differs."""
    for feed in terms.feeds:
        feed.get_plan().verify(feed.dimensions, feed.bounds)
    features = tuple(sorted(library_features()))
    return Mechanism(
        NAME, library_version(), LIBRARY_VERSION, features, tuple(_of_feed(feed, terms) for feed in terms.feeds)
    )


def _of_feed(feed: FeedTerms, terms: Terms) -> FeedMechanism:
    plan = feed.get_plan()
    return FeedMechanism(
        feed=feed.name,
        generation=feed.generation or "",
        measured=feed.measured.value,
        drawn=WHERE[feed.measured],
        draws=_facts(plan),
        one_release=loss_at(plan.charge_nano, terms),
        releases=feed.releases_paid,
        all_releases=loss_at(plan.charge_nano * feed.releases_paid, terms),
        ceiling=loss_at(feed.rho_nano, terms),
        linked=_linked(feed, terms),
    )


def _facts(plan: MeasurementPlan) -> tuple[DrawFacts, ...]:
    return tuple(
        DrawFacts(draw.measure, draw.margin, draw.sigma, draw.l2_squared, draw.charge_nano) for draw in plan.draws
    )


def _linked(feed: FeedTerms, terms: Terms) -> LinkedMechanism | None:
    found = find_linked_loss(terms, feed)
    if found is None or feed.linked is None:
        return None
    return LinkedMechanism(
        found.organisation,
        found.population,
        feed.linked.dimension,
        _facts(linked_plan(feed, feed.linked)),
        loss_at(found.one_release_nano, terms),
        loss_at(found.over_term_nano, terms),
    )


def mechanism_section(found: Mechanism) -> Section:
    said = Paragraph(
        "Integer noise from the discrete Gaussian distribution is added to every entry of a measured table, once for "
        "each period, and stored. Answers are computed from these noisy tables alone, so asking costs nothing, and "
        "asking again adds nothing. A draw of scale sigma to a table that one person changes by D loses rho D^2 / (2 "
        "sigma^2), rounded up. Every charge below was recomputed for this packet, by the library that is installed "
        "here."
    )
    library = Facts(
        (
            ("mechanism", found.name),
            ("library, installed here", f"OpenDP {found.library_installed}"),
            ("library that this version reckons with", f"OpenDP {found.library_expected}"),
            ("features of it that are on", ", ".join(found.library_features)),
        )
    )
    return Section("The mechanism and the measurement plans", (said, library), tuple(map(_feed_section, found.feeds)))


def _feed_section(feed: FeedMechanism) -> Section:
    stated = Facts(
        (
            ("noise is drawn", feed.drawn),
            ("one release costs", loss_text(feed.one_release)),
            ("releases that count against one person, at most", f"{feed.releases:,}"),
            ("all of them together", loss_text(feed.all_releases)),
            ("ceiling of the feed", loss_text(feed.ceiling)),
            ("generation, the digest of what its loss rests on", feed.generation),
        )
    )
    draws = _draws("What is drawn for each period", feed.draws)
    return Section(f"Feed {feed.feed}", (stated, draws), _linked_sections(feed.linked))


def _draws(title: str, draws: tuple[DrawFacts, ...]) -> Table:
    return Table(
        title,
        ("measure", "table by", "sigma", "squared sensitivity", "rho"),
        tuple(
            (
                each.measure,
                " x ".join(each.margin) or "the total",
                each.sigma,
                f"{each.l2_squared:,}",
                rho_text(each.charge_nano),
            )
            for each in draws
        ),
        frozenset({2, 3, 4}),
    )


def _linked_sections(linked: LinkedMechanism | None) -> tuple[Section, ...]:
    if linked is None:
        return ()
    said = Paragraph(
        f"Each payer computes these cells with a flag from the records of {linked.organisation}, in the dimension "
        f"{linked.dimension}. With or without a record of the brand, one person is in another cell: in tables that "
        "hold the flag two entries change, so that D^2 is twice as large; the other tables do not change. So the same "
        f"draws are charged to {linked.population} too, payer by payer, since one person can be with several."
    )
    losses = Facts(
        (
            ("one release costs", loss_text(linked.one_release)),
            ("all releases of all payers together, at most", loss_text(linked.all_releases)),
        )
    )
    draws = _draws(f"What is charged to {linked.population}", linked.draws)
    return (Section(f"And what it costs {linked.population}", (said, losses, draws)),)
