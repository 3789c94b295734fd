"""The rules of a preparation in words, for its manifest: from the definitions and the contract, never from data."""

from collections.abc import Iterator, Mapping
from typing import Final

from contracts.preparation.definitions import (
    CodeList,
    EmergencyAdmissions,
    FeedDefinition,
    Persons,
    StayDays,
    Window,
)
from contracts.preparation.meanings import meant_measure, meant_source, measures_of, sources_of
from contracts.preparation.measures import Group
from contracts.terms import FeedTerms

_PERSONS: Final = {
    Persons.ENROLLED: "Persons enrolled on a day of the period.",
    Persons.TREATED: "Persons in a treatment period of the drug class on a day of the period.",
    Persons.STARTING: "Persons whose first episode of treatment begins in the period.",
    Persons.EXITING: "Persons whose first episode of treatment is known in the period to have ended.",
}
_AT_START: Final = "the first day of the period in which the first episode began"
_WINDOWS: Final = {
    Window.PERIOD: "in the period",
    Window.YEAR: "in the calendar year that holds the period",
    Window.INDEX: "of all",
}


def rules_in_words(feed: FeedTerms, definition: FeedDefinition) -> list[str]:
    day = _AT_START if definition.persons is Persons.EXITING else "the period's first day"
    return [
        _PERSONS[definition.persons],
        *_who_counts(definition, day),
        *_treatment(feed, definition),
        *_episodes(definition),
        *_use(feed, definition),
        *_dimensions(feed, definition),
        *_measures(feed, definition),
        f"A person adds to one stratum of the period, with age and residence of {day}, in whole numbers.",
    ]


def _who_counts(definition: FeedDefinition, day: str) -> Iterator[str]:
    drugs = f"{', '.join(sorted(definition.products))}" if definition.products else "any drug"
    yield f"The drug class: {drugs}."
    if definition.least_age is not None:
        yield f"At least {definition.least_age} years old on {day}."
    until = ", as far as the end of the period of the start" if definition.persons is Persons.EXITING else ""
    for name in sorted(definition.exclusions):
        yield f"Nobody with a claim of the list {name} in the window{until}."
    if definition.enrolment_gap_days:
        yield f"Spans of enrolment at most {definition.enrolment_gap_days} days apart are one."


def _treatment(feed: FeedTerms, definition: FeedDefinition) -> Iterator[str]:
    if definition.persons is not Persons.TREATED:
        return
    yield (
        f"The index is the first fill of the class {_WINDOWS[definition.window]}; treatment lasts from it to the end "
        + (f"of {definition.window_days} days" if definition.window is Window.INDEX else "of the window")
        + ", of enrolment or of life."
    )
    if definition.window is Window.INDEX:
        yield "A person is counted once, in the period in which treatment ends, with the days and fills of all of it."
    yield f"At least {definition.least_fill_dates} fills on different days, and {definition.least_treatment_days} days."
    yield "Supply of one drug shifts forward, different drugs do not, and the class is the union of days."
    if definition.stay_days is StayDays.REMOVED:
        yield "Days in hospital are no days of treatment, and supply is used up after them."
    if any(measure.name == "adherent_members" for measure in measures_of(feed, definition.measures)):
        yield f"Adherent: at least {definition.threshold.numerator}/{definition.threshold.denominator} of days covered."


def _episodes(definition: FeedDefinition) -> Iterator[str]:
    if definition.persons in (Persons.STARTING, Persons.EXITING):
        yield "The class is one stock: supply of a fill begins when all before it is used up, whichever drug that was."
        yield f"An episode ends when more than {definition.gap_days} days without supply pass, at its last supply."
        yield (
            "The first episode is a person's first of all, with none ever before it in the claims. It counts if it "
            f"begins on a day of enrolment, and no fill of the class lies in the {definition.washout_days} days before."
        )


def _use(feed: FeedTerms, definition: FeedDefinition) -> Iterator[str]:
    groups = {measure.group for measure in measures_of(feed, definition.measures)}
    if Group.EMERGENCY in groups and definition.emergency_admissions is EmergencyAdmissions.LEFT_OUT:
        yield "Emergency visits on a day of a hospital stay are not counted: the stay says it."


def _dimensions(feed: FeedTerms, definition: FeedDefinition) -> Iterator[str]:
    for name, source in zip(feed.dimensions, sources_of(feed, definition.dimensions), strict=False):
        meant = meant_source(name, definition)
        said = f" ({', '.join(f'{value} is {to}' for value, to in meant.values.items())})" if meant.values else ""
        rest = f" Everything else is {meant.otherwise}." if meant.otherwise is not None else ""
        yield f"{name}: {source.meaning}{said}{rest}"


def _measures(feed: FeedTerms, definition: FeedDefinition) -> Iterator[str]:
    meanings: Mapping[str, str] = {measure.name: measure.meaning for measure in measures_of(feed, definition.measures)}
    for name, terms in feed.measures.items():
        meaning = meanings.get(meant_measure(name, definition))
        if meaning is not None:
            yield f"{name}: {meaning} At most {terms.bound} a person."


def sha256_by_name(lists: Mapping[str, CodeList]) -> dict[str, str]:
    return {name: lists[name].sha256 for name in sorted(lists)}
