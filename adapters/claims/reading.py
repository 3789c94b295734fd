"""Reads a folder of claims into the canonical relations of an engine: only sound rows, everything else counted.

What becomes of one row depends on that row and on the same person's other rows alone. Parquet stays where it is and is
read through views; CSV is read once, into tables that the engine spills where they do not fit into memory.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

import duckdb

from adapters.claims.alarms import alarms_of
from adapters.claims.checks import Check, count_rows
from adapters.claims.codes import create_code_macros
from adapters.claims.doubts import check_columns_are_readable, check_some_are_sound
from adapters.claims.faults import ClaimsFaulty, ClaimsUnreadable, Effect, FaultCount, Reason
from adapters.claims.files import FileKind
from adapters.claims.given import layout_files, raw_names
from adapters.claims.layouts.layout import Layout
from adapters.claims.marked import (
    CODES_OF_CLAIMS,
    EXCLUDING_CLAIMS,
    create_marked_codes,
    find_unused,
    off_limits_condition,
)
from adapters.claims.model import ENROLMENT, MEMBERS, TABLES, ClaimsTable, ColumnType
from adapters.claims.persons import count_without_enrolment, create_members, create_members_of_claims, create_owned
from adapters.claims.raw import create_raw
from adapters.claims.repeats import create_standing, create_unique
from adapters.claims.report import ClaimsReport
from adapters.claims.tables import day_in_range, row_checks
from adapters.claims.typed import blank_sql, value_sql
from adapters.preparation.engine import Engine
from contracts.preparation.definitions import CodeList

# Around each long step, by its name.
Step = Callable[[str], AbstractContextManager[None]]


def read_claims(
    engine: Engine,
    folder: Path,
    layout: Layout,
    *,
    off_limits: Mapping[str, CodeList] | None = None,
    exclusions: Mapping[str, CodeList] | None = None,
    strict: bool = False,
    step: Step = lambda _: nullcontext(),
) -> ClaimsReport:
    """Creates members, enrolment, fills, stays, visits and excluding_claims(member, list, day).

    off_limits: claims with a code of these are gone before anything else is looked at. exclusions: lists whose codes
    excluding_claims is about. strict: any fault is fatal. Raises ClaimsUnreadable, and of it ClaimsFaulty.
    """
    try:
        reading = _Reading(engine, folder, layout, step)
        reading.read(off_limits or {}, exclusions or {})
    except duckdb.OutOfMemoryException:
        raise ClaimsUnreadable("memory or the spill folder's disk is full: give more of either") from None
    except duckdb.Error:
        raise ClaimsUnreadable(
            f"the files do not fit the layout {layout.name}, or one of them is truncated or broken: the engine "
            "could not read them to their end"
        ) from None
    report = reading.report()
    if strict and report.faults:
        raise ClaimsFaulty(report.faults)
    return report


class _Reading:
    """One folder being read, table by table."""

    def __init__(self, engine: Engine, folder: Path, layout: Layout, step: Step) -> None:
        self.engine = engine
        self.step = step
        self.layout = layout
        self.files = layout_files(folder, layout)
        self.columns: dict[str, frozenset[str]] = {}
        self.counts: list[FaultCount] = []
        self.rows_read: Counter[str] = Counter()
        self.rows_kept: dict[str, int] = {}
        self.has_as_of = False
        self.systems_not_used: dict[str, Mapping[str, int]] = {}

    def read(self, off_limits: Mapping[str, CodeList], exclusions: Mapping[str, CodeList]) -> None:
        create_code_macros(self.engine.connection)
        self._create_raw()
        given = [table for table in TABLES if self._is_given(table)]
        for table in given:
            self._create_parsed(table)
        sound = self._without_off_limits(given, off_limits)
        for table in given:
            with self.step(f"Checking {table.name}"):
                sound[table.name] = self._without_faulty(table, sound[table.name])
        self._create_members(sound)
        for table in TABLES:
            if table is not MEMBERS:
                with self.step(f"Tidying {table.name}"):
                    self._create_canonical(table, sound.get(table.name))
        if ENROLMENT in given and MEMBERS in given:
            self.counts += count_without_enrolment(self.engine)
        create_marked_codes(self.engine, "excluding_codes", exclusions, CODES_OF_CLAIMS)
        self.systems_not_used |= find_unused(self.engine, "excluding_codes", exclusions)
        self.engine.create_table("excluding_claims", EXCLUDING_CLAIMS)

    def report(self) -> ClaimsReport:
        columns = {f"{table}.{column}" for table, names in self.columns.items() for column in names}
        return ClaimsReport(
            layout=self.layout.name,
            layout_version=self.layout.version,
            layout_sha256=self.layout.sha256,
            files=tuple(sorted({file.label for files in self.files.values() for file in files})),
            given=frozenset(self.columns) | columns,
            rows_read=dict(self.rows_read),
            rows_kept=self.rows_kept,
            counts=tuple(self.counts),
            alarms=alarms_of(self.rows_read, self.rows_kept, self.counts, self.systems_not_used),
            systems_not_used=self.systems_not_used,
        )

    def _create_raw(self) -> None:
        for raw in self.layout.files:
            if files := self.files[raw.name]:
                parts = "" if len(files) == 1 else f" and {len(files) - 1} more"
                with self.step(f"Reading {files[0].label}{parts}"):
                    create_raw(self.engine, raw, files)

    def _is_given(self, table: ClaimsTable) -> bool:
        select = self.layout.selects.get(table.name)
        return select is not None and all(self.files[name] for name in raw_names(self.files, select))

    def _in_tables(self, table: ClaimsTable) -> bool:
        """Whether a file of it is CSV, so that its rows are held by the engine."""
        files = [file for name in raw_names(self.files, self.layout.selects[table.name]) for file in self.files[name]]
        return any(file.kind is not FileKind.PARQUET for file in files)

    def _create_parsed(self, table: ClaimsTable) -> None:
        """`parsed_<table>`: every column of the model in its type, whether it was blank, and the row's place."""
        name = table.name
        self.engine.create_view(f"chosen_{name}", self.layout.selects[name])
        types = {row[0]: row[1] for row in self.engine.rows(f"DESCRIBE SELECT * FROM chosen_{name}")}  # noqa: S608
        there = {column for column, type_ in types.items() if type_ != '"NULL"'}
        self.columns[name] = frozenset(column.name for column in table.columns if column.name in there)
        values = []
        for column in table.columns:
            if column.name not in there:
                values.append(f"CAST(NULL AS {column.type}) AS {column.name}, true AS blank_{column.name}")
                continue
            value = value_sql(column, column.name, types[column.name])
            if column.name == "drug" and types["drug"] == "VARCHAR" and self._drugs_are_standard():
                value = column.name
            blank = blank_sql(column.name, types[column.name])
            values.append(f"{value} AS {column.name}, {blank} AS blank_{column.name}")
        extras = ("source_file", "source_row", *(("as_of",) if table is MEMBERS else ()))
        values += [extra if extra in there else f"NULL::{_EXTRA_TYPES[extra]} AS {extra}" for extra in extras]
        self.has_as_of = self.has_as_of or "as_of" in there
        select = f"SELECT {', '.join(values)} FROM chosen_{name}"  # noqa: S608
        self._create(f"parsed_{name}", select, as_table=self._in_tables(table))

    def _drugs_are_standard(self) -> bool:
        """Then the column can be read as it is, which is by far the cheapest."""
        self.engine.create_table("chosen_drugs", "SELECT DISTINCT drug FROM chosen_fills")
        ((others,),) = self.engine.rows(
            "SELECT count(*) FROM chosen_drugs WHERE standard_code(drug) IS DISTINCT FROM drug"
        )
        return not others

    def _without_off_limits(self, given: Sequence[ClaimsTable], lists: Mapping[str, CodeList]) -> dict[str, str]:
        relations = {table.name: f"parsed_{table.name}" for table in given}
        coded = {relations[name]: code for name, code in CODES_OF_CLAIMS.items() if name in relations}
        marked = create_marked_codes(self.engine, "off_limits_codes", lists, coded)
        self.systems_not_used |= find_unused(self.engine, "off_limits_codes", lists)
        if not marked:
            return relations
        for table in given:
            condition = off_limits_condition([column.name for column in table.columns])
            check = Check(None, Reason.OFF_LIMITS, Effect.DROPPED, condition)
            counted = count_rows(self.engine, table.name, relations[table.name], [check])
            for count in counted.counts:
                self.counts.append(FaultCount(table.name, None, Reason.OFF_LIMITS, Effect.EXPECTED, count.rows))
                self.rows_read[table.name] += count.rows
                self.engine.create_view(
                    f"allowed_{table.name}",
                    f"SELECT * FROM {relations[table.name]} WHERE {counted.sound}",  # noqa: S608
                )
                relations[table.name] = f"allowed_{table.name}"
        return relations

    def _without_faulty(self, table: ClaimsTable, relation: str) -> str:
        counted = count_rows(self.engine, table.name, relation, row_checks(table, self.columns[table.name]))
        self.counts += counted.counts
        self.rows_read[table.name] += counted.rows
        columns = [day_in_range(column) if column.type is ColumnType.DAY else column.name for column in table.columns]
        extras = ("source_file", "source_row", *(("as_of",) if table is MEMBERS else ()))
        sound = f"sound_{table.name}"
        self.engine.create_view(
            sound,
            f"SELECT {', '.join([*columns, *extras])} FROM {relation} WHERE {counted.sound}",  # noqa: S608
        )
        check_columns_are_readable(self.engine, self.layout, table, counted)
        check_some_are_sound(self.engine, self.layout, table, counted)
        return sound

    def _create_members(self, sound: Mapping[str, str]) -> None:
        if MEMBERS.name in sound:
            self.counts += create_members(
                self.engine, sound[MEMBERS.name], self.columns[MEMBERS.name], has_as_of=self.has_as_of
            )
        else:
            create_members_of_claims(self.engine, list(sound.values()))
        self._count_kept(MEMBERS)

    def _create_canonical(self, table: ClaimsTable, relation: str | None) -> None:
        if relation is None:
            self.engine.create_values(table.name, [f"{column.name} {column.type}" for column in table.columns], ())
            return
        if MEMBERS.name in self.columns:
            relation, counted = create_owned(self.engine, table.name, relation)
            self.counts += counted.counts
            check_some_are_sound(self.engine, self.layout, table, counted)
        columns = [column.name for column in table.columns if column.name in self.columns[table.name]]
        if "reversed" in columns:
            relation, taken_back = create_standing(self.engine, relation, columns)
            self.counts += taken_back
        if table is not ENROLMENT:
            relation, repeated = create_unique(
                self.engine, table.name, relation, columns, equal_rows_dropped=self.layout.equal_rows_dropped
            )
            self.counts += repeated
        names = ", ".join(column.name for column in table.columns)
        self._create(table.name, f"SELECT {names} FROM {relation}", as_table=self._in_tables(table))  # noqa: S608
        self._count_kept(table)

    def _create(self, name: str, select: str, *, as_table: bool) -> None:
        if as_table:
            self.engine.create_table(name, select)
        else:
            self.engine.create_view(name, select)

    def _count_kept(self, table: ClaimsTable) -> None:
        ((self.rows_kept[table.name],),) = self.engine.rows(f"SELECT count(*) FROM {table.name}")  # noqa: S608


_EXTRA_TYPES: Final = {"source_file": "VARCHAR", "source_row": "BIGINT", "as_of": "VARCHAR"}
