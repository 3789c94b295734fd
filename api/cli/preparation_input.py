"""What a preparation is asked for, decided before a claim is read: contract, definitions, code lists, layout."""

import os
import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Final

import click

from adapters.claims.code_lists import CodeListUnreadable, read_code_list
from adapters.claims.layouts import LayoutNotFound, get_layout
from adapters.claims.layouts.custom import MappingInvalid, read_custom_layout
from adapters.claims.layouts.layout import Layout
from adapters.preparation.definitions_file import FileUnreadable, read_definitions_file
from adapters.preparation.manifest import Prepared
from api.cli.output import Failure, fault_lines, refusal_failure, sentence
from api.cli.terms_file import read_terms_file
from contracts.decisions import get_feed, get_period
from contracts.parties import Role
from contracts.periods import NotAPeriod, Period, PeriodRange
from contracts.preparation.checking import digest_faults, off_limits_faults
from contracts.preparation.definitions import CodeList, Definitions
from contracts.preparation.judging import definitions_of
from contracts.preparation.reading import DefinitionsInvalid
from contracts.refusals import Refusal
from contracts.terms import FeedTerms, Terms

ALL: Final = "all"
_MEMORY: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT])i?B", re.IGNORECASE)
_MEGABYTES: Final = {"K": 0.001, "M": 1, "G": 1_000, "T": 1_000_000}
_LEAST_MEGABYTES: Final = 200
CUSTOM: Final = "custom"
_RANGE: Final = ".."


def read_prepared(
    contract: Path,
    feed_name: str,
    layout: Layout,
    definitions: Path | None,
    off_limits: Sequence[Path],
    restatement: int,
) -> Prepared:
    """Raises Failure for what could never be prepared, or would not be what the contract says."""
    file = read_terms_file(contract)
    feed = _get_payers_feed(file.terms, feed_name)
    known = _read_definitions(file.terms, feed, definitions)
    lists = _read_lists(off_limits)
    faults = [
        *digest_faults(feed, known),
        *off_limits_faults(file.off_limits_sha256, [each.sha256 for each in lists.values()]),
    ]
    if faults:
        raise Failure("The contract has cells made otherwise; no claim was read.", fault_lines(faults))
    if restatement > feed.restatements:
        raise Failure(f"--restatement {restatement}: the contract schedules {feed.restatements} of {feed.name}.")
    return Prepared(
        terms=file.terms,
        digest=file.digest,
        feed=feed,
        definition=known.feeds[feed.name],
        definitions_sha256=known.sha256,
        layout=layout,
        off_limits=lists,
        restatement=restatement,
    )


def read_layout(name: str, mapping: Path | None) -> Layout:
    """Raises Failure, or UsageError."""
    if name == CUSTOM and mapping is None:
        raise click.UsageError("--layout custom goes with --mapping FILE, which says which column is what.")
    if name != CUSTOM and mapping is not None:
        raise click.UsageError(f"--mapping goes with --layout custom: the layout {name} knows its columns.")
    if mapping is not None:
        try:
            return read_custom_layout(mapping)
        except MappingInvalid as invalid:
            raise Failure(f"{mapping} has faults; no claim was read.", fault_lines(invalid.faults)) from None
    try:
        return get_layout(name)
    except LayoutNotFound as error:
        raise Failure(sentence(str(error))) from None


def chosen_periods(feed: FeedTerms, text: str, today: date, option: str = "--periods") -> list[Period]:
    """`2009`, `2008,2009`, `2025-01..2025-06`, or `all` that are over today. Raises Failure."""
    try:
        if text == ALL:
            found = [period for period in feed.periods if period.last_day < today]
            return found or [get_period(feed, str(feed.periods.first), today)]
        parts = [part.strip() for part in text.split(",")]
        return sorted({period for part in parts for period in _periods(feed, part, today)})
    except Refusal as refusal:
        why = "; ".join(fault.message for fault in refusal.faults) or refusal.detail.removesuffix(".")
        raise Failure(f"{option} {text}: {why}.") from None
    except NotAPeriod as error:
        raise Failure(f"{option} {text}: {error}.") from None


def _periods(feed: FeedTerms, text: str, today: date) -> list[Period]:
    first, is_range, last = text.partition(_RANGE)
    if not is_range:
        return [get_period(feed, text, today)]
    both = PeriodRange(get_period(feed, first.strip(), today), get_period(feed, last.strip(), today))
    if not len(both):
        raise NotAPeriod(f"in {text} the last period is before the first")
    return list(both)


def population_of(terms: Terms, organisation: str | None, *, of_one: bool = True) -> str:
    """Whose register it is: each population has its own. of_one: no other register will do, since who is in it decides
    who has room. Raises Failure for an organisation that posts nothing, and then where none of several payers is named.
    """
    payers = {party.organisation: party.population for party in terms.parties if party.role is Role.PAYER}
    named = ", ".join(payers) or "nobody"
    if organisation is None and len(payers) > 1 and not of_one:
        return f"payer-of-{terms.id}"
    if organisation is None and len(payers) != 1:
        raise Failure(f"The payers of {terms.id} are {named}: say with --organisation which of them you are.")
    if organisation is not None and organisation not in payers:
        raise Failure(f"{organisation} is no payer of {terms.id}; there are {named}.")
    return payers[organisation] if organisation is not None else next(iter(payers.values()))


def register_path(population: str) -> Path:
    """Where the register is unless another is named: always the same file, so that none is forgotten."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "parley" / "registers" / f"{population}.duckdb"


def checked_memory(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Raises BadParameter, also for what would fail in the middle of the work."""
    size = _MEMORY.fullmatch(value)
    if size is None:
        raise click.BadParameter("write it like 3GB or 500MB")
    if float(size[1]) * _MEGABYTES[size[2].upper()] < _LEAST_MEGABYTES:
        raise click.BadParameter(f"{value} is too little: give it {_LEAST_MEGABYTES}MB or more")
    return value


def _get_payers_feed(terms: Terms, name: str) -> FeedTerms:
    try:
        feed = get_feed(terms, name)
    except Refusal as refusal:
        raise refusal_failure(refusal) from None
    if feed.provider is not Role.PAYER:
        raise Failure(f"The feed {name} is posted by the {feed.provider}: only a payer's cells are made from claims.")
    return feed


def _read_definitions(terms: Terms, feed: FeedTerms, path: Path | None) -> Definitions:
    try:
        return definitions_of(feed, terms.feeds, partial(read_definitions_file, path) if path else None)
    except FileUnreadable as error:
        raise Failure(sentence(str(error))) from None
    except DefinitionsInvalid as invalid:
        by = f"{path} has faults" if path else f"{feed.name} cannot be prepared without --definitions"
        raise Failure(f"{by}; no claim was read.", fault_lines(invalid.faults)) from None


def _read_lists(paths: Sequence[Path]) -> Mapping[str, CodeList]:
    lists: dict[str, CodeList] = {}
    for path in paths:
        if path.name in lists:
            raise click.UsageError(f"Two lists of --off-limits are called {path.name}.")
        try:
            lists[path.name] = read_code_list(path)
        except CodeListUnreadable as error:
            raise Failure(sentence(str(error))) from None
    return lists
