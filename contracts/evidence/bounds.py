"""Contribution bounds: what one person adds at most, who says so, and what a broken bound would cost."""

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.evidence.given import Given
from contracts.evidence.losses import LossAt, loss_at, loss_text
from contracts.records import ContractRecord
from contracts.rendering.pages import Paragraph, Section, Table
from contracts.terms import FeedTerms, Terms
from privacy.sensitivity import l2_squared_of_period
from privacy.strategy import releases_paid


@dataclass(frozen=True, slots=True)
class MeasureBound:
    """per_cell: the most one person adds to a cell of a period. l2_squared: of any margin of one period."""

    measure: str
    unit: str
    per_cell: int
    over_term: int
    l2_squared: int


@dataclass(frozen=True, slots=True)
class Attestation:
    """By whose signature under the contract the bounds are true; None where the provider has not signed."""

    organisation: str
    signer_name: str | None
    signer_title: str | None
    signed_at: str | None


@dataclass(frozen=True, slots=True)
class Broken:
    """What the loss of the persons concerned would truly be, of this feed alone, where a bound did not hold."""

    how: str
    loss: LossAt


@dataclass(frozen=True, slots=True)
class FeedBounds:
    """k: of so many `periods` one person is in at most. strata_per_period: cells of one measure, of one period."""

    feed: str
    provider: str
    grain: str
    periods: int
    k: int
    strata_per_period: int
    measures: tuple[MeasureBound, ...]
    attested_by: tuple[Attestation, ...]
    kept: LossAt
    broken: tuple[Broken, ...]


def bounds(given: Given, terms: Terms) -> tuple[FeedBounds, ...]:
    return tuple(_of_feed(feed, terms, given.record) for feed in terms.feeds)


def _of_feed(feed: FeedTerms, terms: Terms, record: ContractRecord) -> FeedBounds:
    return FeedBounds(
        feed=feed.name,
        provider=feed.provider.value,
        grain=feed.grain.value,
        periods=len(feed.periods),
        k=feed.k,
        strata_per_period=1,
        measures=tuple(
            MeasureBound(name, each.unit, each.bound, each.bound * feed.k, l2_squared_of_period(each.bound))
            for name, each in feed.measures.items()
        ),
        attested_by=tuple(_attestation(name, record) for name in terms.providers_of(feed)),
        kept=loss_at(feed.get_plan().charge_nano * feed.releases_paid, terms),
        broken=tuple(_broken(feed, terms)),
    )


def _attestation(organisation: str, record: ContractRecord) -> Attestation:
    for signature in record.signatures:
        if signature.organisation == organisation:
            signed_at = signature.signed_at.isoformat()
            return Attestation(organisation, signature.signer_name, signature.signer_title, signed_at)
    return Attestation(organisation, None, None, None)


def _broken(feed: FeedTerms, terms: Terms) -> Iterator[Broken]:
    """Sensitivity is the root of what counts: twice the amount, four times the loss. So are two strata of one period,
    in a margin that merges both."""
    charge = feed.get_plan().charge_nano
    whole = charge * feed.releases_paid
    yield Broken("somebody adds twice the bound to every cell: four times the loss", loss_at(4 * whole, terms))
    yield Broken("somebody is in two strata of every period: up to four times the loss", loss_at(4 * whole, terms))
    if feed.k < len(feed.periods):
        releases = releases_paid(k=len(feed.periods), periods=len(feed.periods), restatements=feed.restatements)
        yield Broken(
            f"somebody is in all {len(feed.periods):,} periods instead of {feed.k:,}", loss_at(charge * releases, terms)
        )


def bounds_section(found: tuple[FeedBounds, ...]) -> Section:
    lead = Paragraph(
        "The loss of a release follows from the most that one person can add to it. These bounds are terms of the "
        "contract. The exchange cannot see persons, so it cannot check them: each provider attests them, by the "
        "signature of the person named here under the whole contract. A program that enforces them while it makes "
        "cells from claims is no part of this version of Parley: the provider's own preparation has to."
    )
    return Section("Contribution bounds, and who attests them", (lead,), tuple(map(_feed_section, found)))


def _feed_section(feed: FeedBounds) -> Section:
    stated = Paragraph(
        f"Posted by each {feed.provider}, by {feed.grain}. One person is in at most {feed.k:,} of {feed.periods:,} "
        f"periods, and in {feed.strata_per_period} stratum of a period: one cell a measure."
    )
    measures = Table(
        "The most that one person adds",
        ("measure", "unit", "to a cell of one period", "over all periods", "squared sensitivity of one period"),
        tuple(
            (each.measure, each.unit, f"{each.per_cell:,}", f"{each.over_term:,}", f"{each.l2_squared:,}")
            for each in feed.measures
        ),
        frozenset({2, 3, 4}),
    )
    attested = Table(
        "Attested by",
        ("organisation", "person", "title", "signed"),
        tuple(
            (each.organisation, each.signer_name or "nobody yet", each.signer_title or "", each.signed_at or "")
            for each in feed.attested_by
        ),
    )
    broken = Table(
        "If a bound is broken, the published loss is not true of the persons concerned, who would lose of this feed",
        ("what is broken", "true loss"),
        (("nothing: as signed", loss_text(feed.kept)), *((each.how, loss_text(each.loss)) for each in feed.broken)),
    )
    return Section(f"Feed {feed.feed}", (stated, measures, attested, broken))
