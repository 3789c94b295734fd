"""Use case: what a contract would give and cost, before anyone registers, signs or posts. No data, no database.

A document is weighed as it would be drafted: the same plan is made from it, and the intervals are those that answers
under that plan will carry.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from contracts.drafting import check_terms
from contracts.ledger.statements import Ceilings, Loss, ceilings, loss
from contracts.linking import find_linked_loss
from contracts.parties import JsonObject, Role
from contracts.ports import Clock
from contracts.predicting import (
    By,
    Figure,
    Span,
    Width,
    cells,
    counts_of,
    noise_at,
    rates_of,
    spans_of,
    tables_of,
    unpredicted,
)
from contracts.refusals import ContractInvalid, Fault
from contracts.settlement_odds import SettlementOdds, settlement_odds
from contracts.statistics.answerable import unanswered
from contracts.statistics.counts import COUNTS
from contracts.statistics.threshold import THRESHOLD_ASSESSMENT
from contracts.terms import FeedTerms, Terms, read_terms
from contracts.wishes import Budget, read_wishes, smallest_budget
from privacy.accuracy import CONFIDENCE, RATES, PlanNoise
from privacy.adversary import belief_at_most, right_guesses
from privacy.plan import MeasurementPlan
from privacy.plan_words import explain_plan
from privacy.strategy import BudgetTooSmall, make_plan

MOST_ROWS: Final = 1_000
# The curve's budgets: the feed's own, times ten to the power of each.
CURVE: Final = tuple(i / 4 for i in range(-6, 7))

ASSUMPTIONS: Final = (
    f"Half-widths are those of {CONFIDENCE:.0%} intervals for privacy noise, of one row of an answer.",
    "In a count they are the same whatever the data; percentages are of the expected cell, persons spread evenly.",
    f"Of a rate, the widest while the true rate is between {min(RATES):.0%} and {max(RATES):.0%}; total adds sampling.",
    "Over several periods a count is a sum: a person in each of three months counts three times.",
    "Treatment days that the contract does not expect are taken as the expected members times the measure's bound.",
)


@dataclass(frozen=True, slots=True)
class TableRow:
    """One figure in one table: how exact each of its cells will be, over one and all periods and providers."""

    by: By
    cells: int
    figure: str
    unit: str
    widths: tuple[Width, ...]


ByTable = tuple[tuple[By, float], ...]


@dataclass(frozen=True, slots=True)
class RestatementPrice:
    """What so many scheduled restatements leave for one release. half_widths: empty when no plan is that cheap."""

    restatements: int
    releases_paid: int
    charge: Loss
    half_widths: ByTable


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Half-widths at another ceiling of the feed."""

    rho_nano: int
    epsilon: float
    half_widths: ByTable


@dataclass(frozen=True, slots=True)
class Lead:
    """The figure that the parties came for, in one period of all providers: shown for restatements and budgets.

    A rate that somebody is granted, else the first measure of a stated size, else the first measure.
    """

    feed: FeedTerms
    figure: Figure
    span: Span

    @property
    def unit(self) -> str:
        return "% of the expected cell" if self.figure.name in self.feed.expected else self.figure.unit

    def by_table(self, noise: PlanNoise, scale: float = 1.0) -> ByTable:
        widths = ((by, self.figure.width(noise, by, self.span, scale)) for by in tables_of(self.feed, self.figure))
        return tuple((by, w.half_width if w.relative is None else 100 * w.relative) for by, w in widths)


@dataclass(frozen=True, slots=True)
class LinkedPreview:
    """What a linked feed costs a person of the brand's population. over_term: at most, over all payers."""

    organisation: str
    population: str
    over_term: Loss
    one_release: Loss


@dataclass(frozen=True, slots=True)
class FeedPreview:
    """One feed. over_term: the most that a person may lose by it. one_release: what a period costs. plan: in words.

    linked: what it costs besides, on the brand's side; None where it is not linked. restatements: empty for a life
    table, which has none.
    """

    feed: FeedTerms
    providers: int
    over_term: Loss
    one_release: Loss
    linked: LinkedPreview | None
    rows: tuple[TableRow, ...]
    lead: Lead
    restatements: tuple[RestatementPrice, ...]
    curve: tuple[CurvePoint, ...]
    plan: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attacker:
    """Somebody who knows everything but one person, and starts at even odds about that person.

    certain_at_most: how sure they can become, except with probability delta. right_guesses: how often their best guess
    is right, at most.
    """

    certain_at_most: float
    right_guesses: float


@dataclass(frozen=True, slots=True)
class Preview:
    """What a contract would give, feed by feed, what it would cost, and the budgets that were asked for.

    unanswered: the statistics that it grants and that its feeds cannot answer. without_widths: those that they can, and
    of which nothing here says how exact they will be. settlement: None where it settles on nothing.
    """

    terms: Terms
    feeds: tuple[FeedPreview, ...]
    ceilings: Ceilings
    budgets: tuple[Budget, ...]
    unanswered: tuple[str, ...]
    without_widths: tuple[str, ...]
    settlement: SettlementOdds | None


@dataclass(frozen=True, slots=True)
class Previewing:
    """Previews contracts. statistics, max_cells: as `check_terms` takes them."""

    clock: Clock
    statistics: frozenset[str]
    max_cells: int

    def preview(self, document: JsonObject, accuracies: Sequence[str] = ()) -> Preview:
        """Raises ContractInvalid, as drafting does but for who is registered, and AccuracyInvalid."""
        today = self.clock.now().date()
        check_terms(document, statistics=self.statistics, max_cells=self.max_cells, today=today)
        terms = read_terms(document)
        _require_readable(terms)
        wishes = read_wishes(accuracies, terms)
        cannot, settlement = unanswered(terms), settlement_odds(terms)
        return Preview(
            terms,
            feeds=tuple(_feed(terms, feed) for feed in terms.feeds),
            ceilings=ceilings(terms),
            budgets=tuple(smallest_budget(wish, terms) for wish in wishes),
            unanswered=tuple(cannot),
            without_widths=tuple(sorted(_granted(terms) - {*cannot, *_predicted(terms, settlement)})),
            settlement=settlement,
        )


def _require_readable(terms: Terms) -> None:
    rows = sum(len(tables_of(feed, figure)) for feed in terms.feeds for figure in (*counts_of(feed), *rates_of(feed)))
    if rows > MOST_ROWS:
        message = f"{rows} measures by tables; a preview shows at most {MOST_ROWS}: name fewer tables, or fewer feeds"
        fault = Fault("/feeds", "preview_too_large", message)
        raise ContractInvalid("The contract has more tables than can be previewed.", faults=(fault,))


def _granted(terms: Terms) -> set[str]:
    return {name for grant in terms.grants for name in grant.statistics}


def _predicted(terms: Terms, settlement: SettlementOdds | None) -> Iterator[str]:
    """The statistics of which a preview says how exact they will be, or how often they will say what."""
    yield COUNTS.name
    yield from (rate.name for feed in terms.feeds for rate in rates_of(feed))
    if settlement is not None and settlement.odds:
        yield THRESHOLD_ASSESSMENT.name


def attacker(lost: Loss) -> Attacker:
    """From even odds. Not from epsilon, whose odds can be exceeded more often than delta (`privacy.adversary`)."""
    return Attacker(belief_at_most(lost.rho_nano, 0.5, float(lost.delta)), right_guesses(lost.rho_nano))


def _feed(terms: Terms, feed: FeedTerms) -> FeedPreview:
    providers, delta = max(1, len(terms.providers_of(feed))), terms.privacy.delta
    plan = make_plan(feed.design, feed.charge_nano)
    noise = PlanNoise(plan, feed.design.sizes)
    counts, rates = counts_of(feed), [rate for rate in rates_of(feed) if rate.name in _granted(terms)]
    stated = [count for count in counts if count.name in feed.expected]
    lead = Lead(feed, [*rates, *stated, *counts][0], Span(1, providers))
    return FeedPreview(
        feed=feed,
        providers=providers,
        over_term=loss(feed.rho_nano, delta),
        one_release=loss(plan.charge_nano, delta),
        linked=_linked(terms, feed, plan),
        rows=tuple(
            _row(figure, by, noise, providers) for figure in (*counts, *rates) for by in tables_of(feed, figure)
        ),
        lead=lead,
        restatements=() if feed.life_table else _prices(lead, delta),
        curve=tuple(_point(lead, noise, 10**exponent, delta) for exponent in CURVE),
        plan=explain_plan(feed.design, plan),
        notes=tuple(_notes(terms, feed)),
    )


def _linked(terms: Terms, feed: FeedTerms, plan: MeasurementPlan) -> LinkedPreview | None:
    found = find_linked_loss(terms, feed, plan)
    if found is None:
        return None
    over_term, one_release = (
        loss(nano, terms.privacy.delta) for nano in (found.over_term_nano, found.one_release_nano)
    )
    return LinkedPreview(found.organisation, found.population, over_term, one_release)


def _notes(terms: Terms, feed: FeedTerms) -> Iterator[str]:
    for name in unpredicted(feed):
        yield f"{name} is not predicted: state the expected members."
    others = len(terms.providers_of(feed)) - 1
    asking = any(grant.role is Role.PAYER for grant in terms.grants)
    if feed.provider is Role.PAYER and asking and others < terms.rules.min_payers:
        yield "payers never see the pool of their own feeds: it needs min_payers besides themselves."


def _row(figure: Figure, by: By, noise: PlanNoise, providers: int) -> TableRow:
    widths = tuple(figure.width(noise, by, span) for span in spans_of(figure.feed, providers))
    return TableRow(by, cells(figure.feed, by), figure.name, figure.unit, widths)


def _prices(lead: Lead, delta: str) -> tuple[RestatementPrice, ...]:
    planned = lead.feed.restatements
    return tuple(_price(lead, restatements, delta) for restatements in sorted({0, planned, planned + 1}))


def _price(lead: Lead, restatements: int, delta: str) -> RestatementPrice:
    feed = replace(lead.feed, restatements=restatements)
    try:
        half_widths = lead.by_table(noise_at(replace(lead.figure, feed=feed), feed.rho_nano))
    except BudgetTooSmall:
        half_widths = ()
    return RestatementPrice(restatements, feed.releases_paid, loss(feed.charge_nano, delta), half_widths)


def _point(lead: Lead, noise: PlanNoise, times: float, delta: str) -> CurvePoint:
    """The shares of a plan do not depend on its budget, so variances go as 1 / rho: no plan is made for a point."""
    lost = loss(round(lead.feed.rho_nano * times), delta)
    return CurvePoint(lost.rho_nano, lost.epsilon, lead.by_table(noise, 1 / times))
