"""The use case of a question: decide, cut the slices, compute. Costs no budget and gives the same answer always."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from contracts.decisions import Contract, get_contract, get_party
from contracts.granting import permit, pool_term, purposes_of, require_reciprocity
from contracts.grants import Grant
from contracts.in_force import InForce
from contracts.parties import Caller
from contracts.periods import Grain, Period
from contracts.ports import BlockFormat, Clock, Database, Stores
from contracts.records import ContractRecord, ReleaseRecord
from contracts.statistics.answerable import answerable_instead, asked_of, missing_from
from contracts.statistics.answers import Answer, AnsweredQuestion, Coverage, Label, State, notes_on
from contracts.statistics.as_of import FIRST, nothing_released
from contracts.statistics.askable import AskableFeed, askable_feeds
from contracts.statistics.catalogue import OFFERED
from contracts.statistics.columns import rows_of
from contracts.statistics.declarations import Computed, Statistic
from contracts.statistics.explaining import Explanation, explain
from contracts.statistics.masks import NOTE
from contracts.statistics.meeting import in_common
from contracts.statistics.pools import Opened, open_releases
from contracts.statistics.questions import Question, buckets_of, selected_periods
from contracts.statistics.slices import ReadVectors, Slice, coverage_of, cut_slice
from contracts.terms import FeedTerms, Measured, Party, Settlement, Terms


@dataclass(frozen=True, slots=True)
class _Part:
    """A feed, the question by which it is cut, the periods asked of it, and what of them is open to the asker."""

    feed: FeedTerms
    question: Question
    periods: tuple[Period, ...]
    opened: Opened


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, the purpose it was given for, and the contract. explanation: None unless it was asked for."""

    answer: Answer
    explanation: Explanation | None
    purpose: str
    record: ContractRecord
    terms: Terms


@dataclass(frozen=True, slots=True)
class Granted:
    """What the contract grants the caller. purposes: for which it may ask, its own included where allowed.

    statistics: by name; None where this version does not answer it. missing: what the feeds of the contract lack for
    those that they cannot answer; instead: what can be asked then. feeds: what of them the grant opens; standards,
    settlement: of the contract.
    """

    grant: Grant
    purposes: tuple[str, ...]
    statistics: dict[str, Statistic | None]
    missing: dict[str, tuple[str, ...]]
    instead: dict[str, tuple[str, ...]]
    feeds: tuple[AskableFeed, ...]
    standards: tuple[str, ...]
    settlement: Settlement | None


@dataclass(frozen=True, slots=True)
class FeedCoverage:
    """What a party may know of one feed: the periods opened to it, and its own releases."""

    coverage: Coverage
    own_releases: tuple[ReleaseRecord, ...]


class Asking:
    """Answers questions from stored releases."""

    def __init__(self, database: Database, clock: Clock, blocks: BlockFormat) -> None:
        self._database = database
        self._clock = clock
        self._blocks = blocks

    def ask(self, caller: Caller, contract_id: str, question: Question) -> Answered:
        """Raises, in this order, ContractNotFound, ContractNotInForce, what `permit` raises, ReciprocityUnmet or
        NothingReleased (docs/reference/order-of-refusals.md)."""
        with self._database.reading() as stores:
            contract, terms, party = self._decide(stores, caller, contract_id)
            permitted = permit(contract.record, terms, party, question)
            question, statistic, feeds = permitted.question, permitted.statistic, permitted.feeds
            releases, versions = contract.releases(stores), contract.versions_in_force(self._clock.now())
            require_reciprocity(versions, party, feeds, releases, self._clock.now().date())

            def parts(as_of: str) -> list[_Part]:
                return _parts(versions, statistic, question, feeds, party.organisation, releases, as_of)

            asked = parts(question.as_of)
            if (lacking := _find_unopened(asked)) is not None:
                first_is_open = _find_unopened(parts(FIRST)) is None
                raise nothing_released(
                    lacking.feed, lacking.periods, question.as_of, first_is_open, pool_term(terms, lacking.feed)
                )
            readers: dict[str, ReadVectors] = {}
            slices = tuple(self._slice(stores, terms, part, readers) for part in asked)
            coarsest = max((part.feed.grain for part in asked), key=list(Grain).index)
            before = tuple(
                self._slice(stores, terms, part, readers, before=coarsest) for part in asked if statistic.before
            )
        computed = statistic.compute(question, terms, slices + before)
        answer = _answer(statistic, question, slices, before, computed)
        explanation = None
        if question.explain:
            explanation = explain(party.organisation, permitted.grant.statistics, slices + before, answer.rows)
        return Answered(answer, explanation, permitted.purpose, contract.record, terms)

    def catalogue(self, caller: Caller, contract_id: str) -> Granted | None:
        """What this contract grants the caller, if anything. Raises ContractNotFound, ContractNotInForce."""
        with self._database.reading() as stores:
            _, terms, party = self._decide(stores, caller, contract_id)
        grant = terms.find_grant(party)
        if grant is None:
            return None
        offered = {name: OFFERED.get(name) for name in grant.statistics}
        asked = asked_of(terms, grant, Question(""))
        lacks = {name: missing_from(found, asked) for name, found in offered.items() if found is not None}
        missing = {name: lacking for name, lacking in lacks.items() if lacking}
        instead = {name: answerable_instead(name, asked) for name in missing}
        standards = tuple(standard.name for standard in terms.standards)
        feeds, purposes = askable_feeds(terms, grant), purposes_of(terms, grant)
        return Granted(grant, purposes, offered, missing, instead, feeds, standards, terms.settlement)

    def purposes(self, caller: Caller, contract_id: str) -> tuple[str, ...]:
        """For which the caller may ask. Raises ContractNotFound, ContractNotInForce."""
        with self._database.reading() as stores:
            _, terms, party = self._decide(stores, caller, contract_id)
        return purposes_of(terms, terms.find_grant(party))

    def coverage(self, caller: Caller, contract_id: str) -> list[FeedCoverage]:
        """Feed by feed, what its grant opens to the caller and what it posted itself. Raises ContractNotFound,
        ContractNotInForce."""
        with self._database.reading() as stores:
            contract, terms, party = self._decide(stores, caller, contract_id)
            releases = contract.releases(stores)
        versions = contract.versions_in_force(self._clock.now())
        return [_coverage(versions, feed, party, releases) for feed in terms.feeds]

    def _decide(self, stores: Stores, caller: Caller, contract_id: str) -> tuple[Contract, Terms, Party]:
        now = self._clock.now()
        contract = get_contract(stores, caller, contract_id, now)
        party = get_party(contract.terms, caller)
        return contract, contract.require_in_force(now), party

    def _reader(self, release_id: str, block: bytes, digests: dict[str, str]) -> ReadVectors:
        """Of the vectors of a block, those that are asked for: a statistic needs few of its measures."""
        if hashlib.sha256(block).hexdigest() != digests[release_id]:
            raise BlockAltered(release_id)
        return partial(self._blocks.decode, block)

    def _slice(
        self,
        stores: Stores,
        terms: Terms,
        part: _Part,
        readers: dict[str, ReadVectors],
        *,
        before: Grain | None = None,
    ) -> Slice:
        """readers: of the releases that this answer has read already; a stretch is the one before another, too.
        before: of the stretches right before those asked, with the coarsest grain of the answer's feeds."""
        digests = {release.id: release.block_sha256 for found in part.opened.values() for release in found}

        def load(release_ids: Sequence[str]) -> dict[str, ReadVectors]:
            blocks = stores.releases.get_blocks([release_id for release_id in release_ids if release_id not in readers])
            readers.update(
                (release_id, self._reader(release_id, block, digests)) for release_id, block in blocks.items()
            )
            return {release_id: readers[release_id] for release_id in release_ids}

        buckets = buckets_of(part.question, part.periods)
        if before is not None:
            buckets = tuple(bucket.before(part.question, part.feed, before) for bucket in buckets)
        return cut_slice(part.question, part.feed, len(terms.providers_of(part.feed)), buckets, part.opened, load)


class BlockAltered(Exception):
    """A stored block is not the one that its receipt binds: never answer from it."""


def _parts(
    versions: Sequence[InForce],
    statistic: Statistic,
    question: Question,
    feeds: Sequence[FeedTerms],
    asker: str,
    releases: Sequence[ReleaseRecord],
    as_of: str,
) -> list[_Part]:
    """Of each feed the periods asked, and what of it the asker may see."""
    opened = [open_releases(versions, feed, asker, releases, as_of) for feed in feeds]
    if statistic.whole_pools:
        opened = [_whole(versions[-1].terms, feed, found) for feed, found in zip(feeds, opened, strict=True)]
    if statistic.settled_only:
        opened = [_settled(found) for found in opened]
    questions = [need.cut(question, feed) for need, feed in zip(statistic.needs, feeds, strict=True)]
    periods = [selected_periods(cut, feed) for cut, feed in zip(questions, feeds, strict=True)]
    if statistic.same_periods:
        opened, periods = in_common(feeds, opened, periods)
    if statistic.every_period:
        opened = [_unbroken(found, asked) for found, asked in zip(opened, periods, strict=True)]
    return [_Part(*part) for part in zip(feeds, questions, periods, opened, strict=True)]


def _find_unopened(parts: Sequence[_Part]) -> _Part | None:
    """The first feed of which nothing is open in the periods asked."""
    return next((part for part in parts if not any(str(period) in part.opened for period in part.periods)), None)


def _whole(terms: Terms, feed: FeedTerms, opened: Opened) -> Opened:
    """The periods that every provider of the feed is in."""
    providers = len(terms.providers_of(feed))
    return {period: releases for period, releases in opened.items() if len(releases) == providers}


def _settled(opened: Opened) -> Opened:
    """The periods of which no release is provisional."""
    return {period: found for period, found in opened.items() if not any(release.provisional for release in found)}


def _unbroken(opened: Opened, asked: Sequence[Period]) -> Opened:
    """All of the periods asked, or none."""
    return opened if all(str(period) in opened for period in asked) else {}


def _answer(
    statistic: Statistic, question: Question, slices: tuple[Slice, ...], before: tuple[Slice, ...], computed: Computed
) -> Answer:
    rows = rows_of(computed.columns)
    releases = [release for part in slices + before for release in part.releases]
    of_releases = {
        Label.LINKED: any(part.feed.linked is not None for part in slices + before),
        Label.PROVISIONAL: any(release.provisional for release in releases),
        Label.MEASURED_AT_SOURCE: any(release.measured == Measured.SOURCE for release in releases),
    }
    warned = (statistic.warning,) if Label.ECOLOGICAL in (statistic.label, *computed.labels) else ()
    suppressed = (NOTE,) if any(row.state is State.SUPPRESSED for row in rows) else ()
    return Answer(
        statistic=statistic.name,
        question=_answered(question, slices),
        estimand=statistic.estimand,
        as_of=question.as_of,
        confidence=question.confidence,
        interval_covers=statistic.interval_covers,
        total_interval_covers=statistic.total_interval_covers,
        labels=tuple(
            dict.fromkeys(
                (statistic.label, *computed.labels, *(label for label, holds in of_releases.items() if holds))
            )
        ),
        notes=(*warned, *notes_on(rows, computed.notes), *suppressed),
        coverage=(*(part.coverage() for part in slices), *(part.coverage(compared=True) for part in before)),
        releases=tuple(sorted({release.id for release in releases})),
        rows=tuple(rows),
    )


def _answered(question: Question, slices: Sequence[Slice]) -> AnsweredQuestion:
    return AnsweredQuestion(
        by=question.by,
        where={name: tuple(values) for name, values in question.filters.items()},
        periods=question.periods,
        feeds=tuple(dict.fromkeys(part.feed.name for part in slices)),
        measures=question.measures,
        compare=question.compare,
        of=question.of,
        standard=question.standard,
    )


def _coverage(
    versions: Sequence[InForce], feed: FeedTerms, party: Party, releases: Sequence[ReleaseRecord]
) -> FeedCoverage:
    terms = versions[-1].terms
    grant = terms.find_grant(party)
    pooled = list[ReleaseRecord]()
    if grant is not None and (grant.feeds is None or feed.name in grant.feeds):
        opened = open_releases(versions, feed, party.organisation, releases)
        granted = {str(period) for period in feed.periods if grant.periods is None or period in grant.periods}
        pooled = [release for period, found in opened.items() if period in granted for release in found]
    own = tuple(r for r in releases if r.feed == feed.name and r.provider == party.organisation)
    return FeedCoverage(coverage_of(feed, len(terms.providers_of(feed)), tuple(feed.periods), pooled), own)
