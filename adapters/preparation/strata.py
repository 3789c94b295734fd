"""Where each person stands: one stratum of the feed, or the first dimension that has no value for this person.

What a person's stratum is depends on that person's one row of facts, the contract and the definitions. The places that
words and bands have are public, and made here before a row is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from adapters.preparation.engine import Engine
from contracts.periods import Period, PeriodRange
from contracts.preparation.bands import (
    EPOCH,
    Band,
    ShareBands,
    age_bands,
    latest_birth_day,
    month_bands,
    share_bands,
)
from contracts.preparation.definitions import FeedDefinition, FromClaims
from contracts.preparation.dimensions import SOURCES, Labels, Source
from contracts.preparation.meanings import meant_source
from contracts.preparation.regions import CENSUS_REGION, CENSUS_REGIONS
from contracts.terms import FeedTerms

# Why a person whose value is in no vocabulary is in no cell.
NOT_IN_VOCABULARY: Final = "{dimension}_not_in_vocabulary"
_BEFORE_THE_CALENDAR: Final = -(2**31) + 1


@dataclass(frozen=True, slots=True)
class Dimension:
    """One dimension of a feed with its source. otherwise: the place of everybody who has no other."""

    name: str
    vocabulary: tuple[str, ...]
    given: FromClaims
    source: Source

    @property
    def otherwise(self) -> int | None:
        return None if self.given.otherwise is None else self.vocabulary.index(self.given.otherwise)

    @property
    def labels(self) -> dict[str, int]:
        """What is read as a band: what the definitions name, and what they leave of the vocabulary."""
        named = {label: self.vocabulary.index(value) for label, value in self.given.values.items()}
        left = (value for value in self.vocabulary if value not in {*self.given.values.values(), self.given.otherwise})
        return named | {value: self.vocabulary.index(value) for value in left}

    @property
    def words(self) -> dict[str, int]:
        """A value that the definitions do not name stands for itself, and a state for its census region."""
        words = {value: self.vocabulary.index(value) for value in self.vocabulary}
        if self.source.labels is Labels.REGIONS and words.keys() >= {*CENSUS_REGIONS}:
            words |= {state: words[region] for state, region in CENSUS_REGION.items()}
        return words | {word: self.vocabulary.index(value) for word, value in self.given.values.items()}


def excluded_by_dimension(dimension: str) -> str:
    return NOT_IN_VOCABULARY.format(dimension=dimension)


def create_placed(engine: Engine, feed: FeedTerms, definition: FeedDefinition, period: Period) -> None:
    """The view `placed`: the facts with the first rule that leaves a person out, and else with the stratum, a whole
    number over the shape of the feed. The feed is one that can be prepared (`contracts.preparation.checking`)."""
    dimensions = _dimensions(feed, definition)
    places = [_place(each, i, definition) for i, each in enumerate(dimensions)]
    _create_words(engine, dimensions)
    _create_ages(engine, dimensions, PeriodRange(feed.periods.first, period))
    columns = "".join(f", {place} AS place_{i}" for i, place in enumerate(places))
    joins = "".join(_join(each.source, i) for i, each in enumerate(dimensions))
    engine.create_view("places", f"SELECT facts.*{columns} FROM facts{joins}")  # noqa: S608
    engine.create_view("placed", _first_rule_and_stratum(feed))


def _first_rule_and_stratum(feed: FeedTerms) -> str:
    absent = "".join(
        f" WHEN place_{i} IS NULL THEN '{excluded_by_dimension(name)}'" for i, name in enumerate(feed.dimensions)
    )
    first_rule = f"CASE WHEN excluded_by IS NOT NULL THEN excluded_by{absent} END"
    stratum = "CAST(0 AS BIGINT)"
    for i, size in enumerate(feed.shape):
        stratum = f"({stratum} * {size} + place_{i})"
    return (
        f"SELECT * REPLACE ({first_rule} AS excluded_by), "  # noqa: S608
        f"CASE WHEN {first_rule} IS NULL THEN {stratum} END AS stratum FROM places"
    )


def _dimensions(feed: FeedTerms, definition: FeedDefinition) -> list[Dimension]:
    given = [(name, values, meant_source(name, definition)) for name, values in feed.vocabularies.items()]
    return [Dimension(name, values, claims, SOURCES[claims.source]) for name, values, claims in given]


def _by_word(source: Source) -> bool:
    return source.labels in (Labels.WORDS, Labels.REGIONS, Labels.REASONS)


def _create_words(engine: Engine, dimensions: Sequence[Dimension]) -> None:
    rows = [
        (i, word, place)
        for i, each in enumerate(dimensions)
        if _by_word(each.source)
        for word, place in each.words.items()
    ]
    engine.create_values("words", ["dimension INTEGER", "word VARCHAR", "place INTEGER"], rows)


def _create_ages(engine: Engine, dimensions: Sequence[Dimension], periods: PeriodRange) -> None:
    """Bands of age in each period as days of birth, by the period's first day (the facts' age_day)."""
    rows = [
        (i, (period.first_day - EPOCH).days, each.labels[band.label], *_born(band, period))
        for i, each in enumerate(dimensions)
        if each.source.labels is Labels.AGES
        for period in periods
        for band in age_bands(each.labels)
    ]
    columns = ("dimension", "age_day", "place", "first_birth_day", "last_birth_day")
    engine.create_values("ages", [f"{name} INTEGER" for name in columns], rows)


def _join(source: Source, number: int) -> str:
    """At most one row for a person: bands do not overlap."""
    if _by_word(source):
        places = f"words_{number}"
        return f" LEFT JOIN words AS {places} ON {places}.dimension = {number} AND {places}.word = facts.{source.name}"
    if source.labels is Labels.AGES:
        places = f"ages_{number}"
        return (
            f" LEFT JOIN ages AS {places} ON {places}.dimension = {number} AND {places}.age_day = facts.age_day"
            f" AND facts.birth_day BETWEEN {places}.first_birth_day AND {places}.last_birth_day"
        )
    return ""


def _place(dimension: Dimension, number: int, definition: FeedDefinition) -> str:
    """The place of a person's value in the vocabulary, as SQL over the facts; NULL for none."""
    if _by_word(dimension.source):
        place = f"words_{number}.place"
    elif dimension.source.labels is Labels.AGES:
        place = f"ages_{number}.place"
    else:
        place = _place_by_band(dimension, definition)
    return place if dimension.otherwise is None else f"COALESCE({place}, {dimension.otherwise})"


def _place_by_band(dimension: Dimension, definition: FeedDefinition) -> str:
    labels = dimension.labels
    if dimension.source.labels is Labels.SHARES:
        shares = share_bands(labels, definition.threshold)
        tests = {band.label: _covered(band, shares) for band in shares.bands}
    else:
        tests = {band.label: _months(band) for band in month_bands(labels)}
    return "CASE" + "".join(f" WHEN {test} THEN {labels[label]}" for label, test in tests.items()) + " END"


def _born(band: Band, period: Period) -> tuple[int, int]:
    """An age on the period's first day as the first and the last day of birth. Whoever is born later in the period is 0
    years old."""
    latest = _latest_birth_day(band.least, period.first_day if band.least else period.last_day)
    earlier = _BEFORE_THE_CALENDAR if band.end is None else _latest_birth_day(band.end, period.first_day)
    return earlier + 1, latest


def _latest_birth_day(age: int, on: date) -> int:
    found = latest_birth_day(age, on)
    return _BEFORE_THE_CALENDAR if found is None else found


def _covered(band: Band, shares: ShareBands) -> str:
    """In HUGEINT, so that no number of days overflows."""
    days, treatment = f"{shares.scale} * facts.days_covered::HUGEINT", "facts.treatment_days::HUGEINT"
    below = "" if band.end is None else f" AND {days} < {band.end} * {treatment}"
    return f"facts.treatment_days > 0 AND {days} >= {band.least} * {treatment}{below}"


def _months(band: Band) -> str:
    below = "" if band.end is None else f" AND facts.months_since_start < {band.end}"
    return f"facts.months_since_start >= {band.least}{below}"
