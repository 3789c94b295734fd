"""What of a feed cannot be prepared, by its definition and from claims of this layout: said before a claim is read.

Pointers are those of the definitions file, where most of it can be put right. Nothing here depends on a record.
"""

from collections.abc import Callable, Collection, Iterator
from fractions import Fraction
from typing import Final

from contracts.parties import Role
from contracts.periods import Grain, Period
from contracts.preparation.bands import NotBands, age_bands, month_bands, share_bands
from contracts.preparation.definitions import (
    Definitions,
    EmergencyAdmissions,
    FeedDefinition,
    FromClaims,
    Persons,
    StayDays,
)
from contracts.preparation.dimensions import PRODUCT, SOURCES, Labels, Source
from contracts.preparation.meanings import meant_measure, meant_source
from contracts.preparation.measures import MEASURES, Group, Unit
from contracts.preparation.places import Place, nearest
from contracts.refusals import Fault
from contracts.terms import FeedTerms, LifeTable

BIRTH_DAY: Final = "members.birth_day"
ANY_PRODUCT: Final = "any"
# Units that are scaled: the same measure in another one would be wrong by that factor.
_SCALED: Final = frozenset({Unit.CENTS, Unit.BASIS_POINTS})
_PERSONS_OF: Final = {LifeTable.STARTS: Persons.STARTING, LifeTable.EXITS: Persons.EXITING}


def preparation_faults(feed: FeedTerms, definition: FeedDefinition, given: Collection[str]) -> list[Fault]:
    """given: tables of the canonical model that the claims give, and their columns as `table.column`."""
    at = Place(None, "", []).below("feeds", None).below(feed.name, None)
    if feed.provider is not Role.PAYER:
        at.fault("not_of_claims", "a brand posts this feed; only feeds of payers are prepared from claims")
        return at.faults
    _persons(at, feed, definition)
    if definition.least_age is not None and BIRTH_DAY not in given:
        message = (
            "the claims give no dates of birth, so nobody is known to be of this age: write `none` to take all ages"
        )
        at.below("least_age", None).fault("birth_dates_missing", message)
    _stays(at, feed, definition, given)
    for name in feed.measures:
        _measure(at.below("measures", None).below(name, None), feed, definition, name, given)
    for name in definition.measures.keys() - feed.measures.keys():
        message = f"the feed has no such measure; {nearest(name, feed.measures)}"
        at.below("measures", None).below(name, None).fault("measure_unknown", message)
    for name in feed.dimensions:
        _dimension(at.below("dimensions", None).below(name, None), feed, definition, name, given)
    for name in definition.dimensions.keys() - feed.vocabularies.keys():
        message = f"the feed has no such dimension; {nearest(name, feed.dimensions)}"
        at.below("dimensions", None).below(name, None).fault("dimension_unknown", message)
    return at.faults


def digest_faults(feed: FeedTerms, definitions: Definitions) -> list[Fault]:
    """A contract that names the definitions is carried out by no others."""
    named = feed.preparation_sha256
    if named is None or named == definitions.sha256:
        return []
    have = f"these have {definitions.sha256}" if definitions.sha256 else "no definitions file was given"
    message = f"the contract names definitions with SHA-256 {named} for {feed.name}, and {have}"
    return [Fault(f"/feeds/{feed.name}", "definitions_differ", message)]


def off_limits_faults(named: str | None, given: Collection[str]) -> list[Fault]:
    """named: the digest in the contract's `rules.off_limits`. given: those of the lists at hand. More lists than the
    contract names are fine: more claims are dropped."""
    if named is None or named in given:
        return []
    have = f"those given have {', '.join(sorted(given))}" if given else "none was given"
    message = f"the contract names a list of codes that are off limits, with SHA-256 {named}, and {have}"
    return [Fault("/rules/off_limits/code_list_sha256", "off_limits_missing", message)]


def _persons(at: Place, feed: FeedTerms, definition: FeedDefinition) -> None:
    wanted = _PERSONS_OF.get(feed.life_table) if feed.life_table else None
    if wanted and definition.persons is not wanted:
        message = f"a life table of {feed.life_table} counts each person once: write {wanted}, or leave it out"
        at.below("persons", None).fault("persons_not_of_life_table", message)
    lag = feed.known_after_months
    if lag is not None and definition.gap_days > longest_gap_days(lag):
        message = (
            f"exits are posted {lag} months after they happened, and are known {definition.gap_days} days after; write "
            f"at most {longest_gap_days(lag)}, or agree on more known_after_months in the contract"
        )
        at.below("gap_days", None).fault("known_after_too_short", message)


def longest_gap_days(known_after_months: int) -> int:
    """How long a gap is over before the exits of its beginning are posted, whenever it begins: an exit after d whole
    months lies in the d-th month after the start or in the next, so what is left is all months but one, at their
    shortest."""
    whole = known_after_months - 1
    if whole < 0:
        return -1
    january = 12 * 2025
    spans = (range(first, first + whole) for first in range(january, january + 12))
    return min(sum(_days(month) for month in span) for span in spans)


def _days(month: int) -> int:
    period = Period(Grain.MONTH, month)
    return (period.last_day - period.first_day).days + 1


def _stays(at: Place, feed: FeedTerms, definition: FeedDefinition, given: Collection[str]) -> None:
    """Rules about stays would do nothing without them, and nobody would notice."""
    if "stays" in given:
        return
    message = "these claims give no stays: write `counted`, and what is prepared is that"
    if definition.stay_days is StayDays.REMOVED:
        at.below("stay_days", None).fault("claims_lack", message)
    meant = (MEASURES.get(meant_measure(name, definition)) for name in feed.measures)
    left_out = definition.emergency_admissions is EmergencyAdmissions.LEFT_OUT
    if left_out and any(measure and measure.group is Group.EMERGENCY for measure in meant):
        at.below("emergency_admissions", None).fault("claims_lack", message)


def _measure(at: Place, feed: FeedTerms, definition: FeedDefinition, name: str, given: Collection[str]) -> None:
    meaning = meant_measure(name, definition)
    measure = MEASURES.get(meaning)
    if measure is None:
        at.fault("measure_unknown", f"claims have no measure {meaning}; {nearest(meaning, MEASURES)}")
        return
    unit = feed.measures[name].unit
    if unit != measure.unit and (measure.unit in _SCALED or unit in list(Unit)):
        at.fault("unit_differs", f"{meaning} counts {measure.unit}, and the contract has {unit}")
    if lacking := sorted(measure.needs - set(given)):
        at.fault("claims_lack", f"{meaning} needs {', '.join(lacking)}, which these claims do not give")
    if measure.group is Group.SWITCHES and definition.products is None:
        at.fault("drugs_missing", f"{meaning} is from one product to another: name them in `drugs`")


def _dimension(at: Place, feed: FeedTerms, definition: FeedDefinition, name: str, given: Collection[str]) -> None:
    vocabulary, claims = feed.vocabularies[name], meant_source(name, definition)
    source = SOURCES.get(claims.source)
    if source is None:
        at.fault("dimension_unknown", f"claims have no {claims.source}; {nearest(claims.source, SOURCES)}")
        return
    for value in sorted({*claims.values.values(), claims.otherwise or vocabulary[0]} - set(vocabulary)):
        at.fault("value_unknown", f"{value} is not in the vocabulary; {nearest(value, vocabulary)}")
    for message in _unreadable(source, claims, vocabulary, definition.threshold):
        at.fault("vocabulary_unreadable", message)
    if claims.otherwise is None:
        _values(at, source, claims, vocabulary, definition, given)


def _values(
    at: Place,
    source: Source,
    claims: FromClaims,
    vocabulary: tuple[str, ...],
    definition: FeedDefinition,
    given: Collection[str],
) -> None:
    """Whether anybody can have a value at all; where the definitions have one for everybody else, somebody does."""
    if source.needs and source.needs.isdisjoint(given):
        at.fault("claims_lack", f"it needs {' or '.join(sorted(source.needs))}, which these claims do not give")
    if source.by_exit and definition.persons is not Persons.EXITING:
        at.fault("persons_without_exit", f"only who ends a treatment has {source.name}: write `persons: exiting`")
    if source is PRODUCT and definition.products is None and ANY_PRODUCT not in (*vocabulary, *claims.values):
        at.fault("drugs_missing", "name the products with their codes in `drugs`")


def _unreadable(source: Source, claims: FromClaims, vocabulary: tuple[str, ...], threshold: Fraction) -> Iterator[str]:
    """Bands are those that the definitions name, and what they leave of the vocabulary."""
    mapped = {*claims.values.values(), claims.otherwise}
    left = [value for value in vocabulary if value not in mapped]
    labels = [*claims.values, *left]
    readers: dict[Labels, Callable[[], object]] = {
        Labels.AGES: lambda: age_bands(labels),
        Labels.SHARES: lambda: share_bands(labels, threshold),
        Labels.MONTHS: lambda: month_bands(labels),
    }
    if source.labels in readers:
        try:
            readers[source.labels]()
        except NotBands as error:
            yield str(error)
