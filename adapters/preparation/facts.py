"""The facts of one period: one row for every member, with the first rule that puts it out of the period and what it
adds to each measure. A row is made of that member's own records and of public parameters alone.
"""

from collections.abc import Iterable
from typing import Final

from adapters.preparation.asked import create_asked, sources_of
from adapters.preparation.drug_class import create_class_fills
from adapters.preparation.engine import Engine, sql_text
from adapters.preparation.groups import COHORTS, GROUPS, INDEXES, PDC, Cohort, MeasureGroup
from contracts.periods import Period
from contracts.preparation.definitions import FeedDefinition, Persons, StayDays, Window
from contracts.preparation.dimensions import ADHERENCE_BAND, PRODUCT
from contracts.preparation.meanings import meant_measure
from contracts.preparation.measures import MEASURES
from contracts.terms import FeedTerms

_SPANS_OF_ENROLMENT: Final = "enrolled_spans"
_VIEWS_OF_EVERY_FEED: Final = (
    "window_fills",
    "present",
    "enrolled_in_period",
    "stay_spans",
    "removed_days",
    "counted_fills",
)
# What is told of a person, beside what it adds: each stands on those before it.
_VIEWS_OF_A_PERSON: Final = ("judged", "residence", "excluded", "persons")


class MeasureUnknown(ValueError):
    """Claims give nothing of this name."""


def create_facts(engine: Engine, feed: FeedTerms, definition: FeedDefinition, period: Period) -> None:
    """The table `facts` of one period of a feed, from the canonical relations. Raises MeasureUnknown."""
    groups = _groups(feed, definition)
    cohort = COHORTS[definition.persons]
    parts: list[MeasureGroup | Cohort] = [*groups, cohort]
    texts = _texts(feed, definition)
    create_asked(engine, feed, definition, period)
    create_class_fills(engine, definition.products)
    engine.create_views("spans")
    engine.create_table(_SPANS_OF_ENROLMENT, sql_text(_SPANS_OF_ENROLMENT))
    for view in _VIEWS_OF_EVERY_FEED:
        engine.create_view(view, sql_text(texts.get(view, view)))
    for table in _tables(definition, parts):
        engine.create_table(table, sql_text(texts.get(table, table)))
    for view in _unique(view for part in parts for view in (*part.views, part.name)):
        engine.create_view(view, sql_text(texts.get(view, view)))
    engine.create_view("cohort", f"SELECT * FROM {cohort.name}")  # noqa: S608
    for view in _VIEWS_OF_A_PERSON:
        engine.create_view(view, sql_text(texts.get(view, view)))
    engine.create_table("facts", _facts(groups))


def _groups(feed: FeedTerms, definition: FeedDefinition) -> list[MeasureGroup]:
    """Those that the feed's measures and dimensions need."""
    columns = set()
    for name in feed.measures:
        meaning = meant_measure(name, definition)
        if meaning not in MEASURES:
            raise MeasureUnknown(f"claims have no measure `{meaning}`")
        columns.add(MEASURES[meaning].column)
    by_share = ADHERENCE_BAND.name in sources_of(feed, definition)
    return [group for group in GROUPS if columns & {*group.columns} or (by_share and group is PDC)]


def _texts(feed: FeedTerms, definition: FeedDefinition) -> dict[str, str]:
    """The texts of relations that have several, where it is not the one of their name."""
    texts: dict[str, str] = {}
    if PRODUCT.name in sources_of(feed, definition):
        texts |= {name: f"{name}_by_product" for name in ("indexes", "treated_supply")}
    if definition.stay_days is StayDays.REMOVED:
        texts |= {name: f"{name}_outside_stays" for name in ("counted_fills", "counted_treatments")}
    if definition.window is Window.INDEX:
        texts["excluded"] = "excluded_since_index"
    if definition.persons is Persons.EXITING:
        texts["judged"] = "judged_at_start"
    return texts


def _tables(definition: FeedDefinition, parts: Iterable[MeasureGroup | Cohort]) -> list[str]:
    since_index = INDEXES if definition.window is Window.INDEX else ()
    return _unique([*since_index, *(table for part in parts for table in part.tables)])


def _facts(groups: Iterable[MeasureGroup]) -> str:
    columns = "".join(
        f", CAST(coalesce({group.name}.{column}, 0) AS BIGINT) AS {column}"
        for group in groups
        for column in group.columns
    )
    joins = "".join(f" LEFT JOIN {group.name} ON {group.name}.member = persons.member" for group in groups)
    return f"SELECT persons.*{columns} FROM persons{joins}"  # noqa: S608


def _unique(names: Iterable[str]) -> list[str]:
    return [*dict.fromkeys(names)]
