"""What can be prepared, and is probably not meant: said before a claim is read, and stops nothing."""

from collections.abc import Collection, Iterator
from typing import Final

from contracts.periods import Grain
from contracts.preparation.definitions import FeedDefinition, Persons, Window
from contracts.preparation.dimensions import PRODUCT, REASON, REASONS, SOURCES
from contracts.preparation.meanings import meant_measure, meant_source
from contracts.preparation.measures import MEASURES, Measure, Unit
from contracts.refusals import Fault
from contracts.terms import FeedTerms

_DAYS_AT_MOST: Final = {Grain.MONTH: 31, Grain.QUARTER: 92, Grain.YEAR: 366}
_MONTHS: Final = {Grain.MONTH: 1, Grain.QUARTER: 3, Grain.YEAR: 12}
# Fills of any number of days of supply can lie in one period.
_WITHOUT_MOST: Final = frozenset({"days_supplied"})
# What whoever is enrolled and treated all the time comes up to; of others even the largest amount is rare.
_USUALLY_FULL: Final = frozenset(
    {"days_covered", "treatment_days", "enrolled_days", "member_months", "pdc_basis_points", "mpr_basis_points"}
)


def preparation_warnings(feed: FeedTerms, definition: FeedDefinition, given: Collection[str]) -> list[Fault]:
    """given: as of `preparation_faults`. Pointers are those of the definitions file."""
    at = f"/feeds/{feed.name}"
    return [
        *_enrolment(at, given),
        *_exclusions(at, definition, given),
        *(fault for name in feed.measures for fault in _measure(f"{at}/measures/{name}", feed, definition, name)),
        *(fault for name in feed.dimensions for fault in _dimension(f"{at}/dimensions/{name}", feed, definition, name)),
    ]


def most_in_period(measure: Measure, grain: Grain) -> int | None:
    """The most that anybody can have; None where there is no such number."""
    if measure.name in _WITHOUT_MOST:
        return None
    return {
        Unit.PERSONS: 1,
        Unit.DAYS: _DAYS_AT_MOST[grain],
        Unit.VISITS: _DAYS_AT_MOST[grain],  # at most one a day
        Unit.MONTHS: _MONTHS[grain],
        Unit.BASIS_POINTS: 10_000,
    }.get(measure.unit)


def _enrolment(at: str, given: Collection[str]) -> Iterator[Fault]:
    if "enrolment" not in given:
        yield Fault(at, "enrolment_unknown", "these claims give no enrolment: everybody is taken to be enrolled always")


def _exclusions(at: str, definition: FeedDefinition, given: Collection[str]) -> Iterator[Fault]:
    if definition.exclusions and {"stays", "visits"}.isdisjoint(given):
        message = "these claims give no diagnoses: only fills can put a person out"
        yield Fault(f"{at}/exclude", "exclusions_unseen", message)


def _measure(at: str, feed: FeedTerms, definition: FeedDefinition, name: str) -> Iterator[Fault]:
    measure, terms = MEASURES.get(meant_measure(name, definition)), feed.measures[name]
    if measure is None:
        return
    if terms.unit != measure.unit:
        yield Fault(at, "unit_other", f"{measure.name} counts {measure.unit}, and the contract calls it {terms.unit}")
    most = most_in_period(measure, feed.grain)
    if most is not None and definition.window is Window.INDEX and measure.by_treatment and measure.unit is Unit.DAYS:
        most = definition.window_days  # all of them are counted in one period
    if most is not None and terms.bound > most:
        message = f"nobody has more than {most} in a {feed.grain}, and the noise is drawn for the bound {terms.bound}"
        yield Fault(at, "bound_never_reached", message)
    if most is not None and terms.bound < most and measure.name in _USUALLY_FULL:
        message = f"whoever has more than the bound {terms.bound} is cut to it, and a {feed.grain} has up to {most}"
        yield Fault(at, "bound_cuts", message)


def _dimension(at: str, feed: FeedTerms, definition: FeedDefinition, name: str) -> Iterator[Fault]:
    vocabulary, claims = feed.vocabularies[name], meant_source(name, definition)
    source = SOURCES.get(claims.source)
    if source is None:
        return
    if source.by_treatment and definition.persons is Persons.ENROLLED and claims.otherwise is None:
        message = f"whoever is enrolled and not treated has no {source.name} and is in no cell: name one in `otherwise`"
        yield Fault(at, "value_lacking", message)
    made = _values_made(source.name, definition)
    meant = {claims.values.get(value, value) for value in made}
    if lost := sorted(meant - set(vocabulary)) if claims.otherwise is None else []:
        yield Fault(at, "value_lacking", f"not in the vocabulary, so in no cell: {', '.join(lost)}")
    if made and (unused := sorted(set(vocabulary) - meant - {claims.otherwise})):
        yield Fault(at, "value_unused", f"nobody can be in {', '.join(unused)}: these cells hold noise alone")


def _values_made(source: str, definition: FeedDefinition) -> tuple[str, ...]:
    """All values that there can be, where that is known before any claim."""
    if source == PRODUCT.name:
        return tuple(definition.products or ())
    return REASONS if source == REASON.name else ()
