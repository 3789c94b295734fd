"""What holds where no definitions file says otherwise, from the contract's feed alone."""

from collections.abc import Mapping

from contracts.preparation.definitions import FeedDefinition, FromClaims, Persons, Window
from contracts.preparation.meanings import measures_of, sources_of
from contracts.terms import FeedTerms, LifeTable


def default_definition(
    feed: FeedTerms, measures: Mapping[str, str] | None = None, dimensions: Mapping[str, FromClaims] | None = None
) -> FeedDefinition:
    """measures, dimensions: what the feed's names mean where they are not their own meaning.

    A treatment period belongs to a calendar year, as in PQA's measurement year; of a year feed that is the period.
    """
    measures, dimensions = measures or {}, dimensions or {}
    persons = _persons(feed, measures, dimensions)
    return FeedDefinition(persons, Window.YEAR, measures=measures, dimensions=dimensions)


def _persons(feed: FeedTerms, measures: Mapping[str, str], dimensions: Mapping[str, FromClaims]) -> Persons:
    """Whom the names of the feed are about."""
    meant, sources = measures_of(feed, measures), sources_of(feed, dimensions)
    if feed.life_table is LifeTable.STARTS:
        return Persons.STARTING
    if feed.life_table is LifeTable.EXITS or any(source.by_exit for source in sources):
        return Persons.EXITING
    if any(measure.by_treatment for measure in meant) or any(source.by_treatment for source in sources):
        return Persons.TREATED
    return Persons.ENROLLED
