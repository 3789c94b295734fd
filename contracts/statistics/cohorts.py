"""Life tables of a question: the payers' starts and exits put together, cohort by cohort.

The periods asked are those in which persons started; their exits are read from all later periods that the grant opens.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from contracts.parties import Role
from contracts.periods import Grain, Period
from contracts.statistics.answers import Flag, Key
from contracts.statistics.columns import Shape
from contracts.statistics.declarations import Need
from contracts.statistics.masks import in_small_cell
from contracts.statistics.questions import Bucket, Filter, Question, buckets_of, selected_periods
from contracts.statistics.slices import Slice
from contracts.terms import FeedTerms, LifeTable, Rules
from privacy.arrays import Flags, Floats
from privacy.cohorts import Exits, LifeTables, Starts, followed_at_all, joined, life_tables
from privacy.life_tables import Hazards, few_at_risk, hazards_of

MEMBERS = "members"
MONTHS = "months_since_start"
REASON = "reason"
# Who leaves for one of these is followed no further, and has not stopped; every other reason is an exit.
CENSORING = ("left_plan", "died", "lost_to_follow_up")
NOTE = (
    "After t months is: of those who started in the periods asked, who had not exited in months 0 to t - 1, as "
    "months_since_start has them. Persons count once, in the cohort of their start; cohorts are followed as far as "
    "their exits are posted, and leave the reckoning there."
)
CENSORED = (
    "Exits with the reason {reasons} are no exits here: followed no further, after the other exits of their month."
)
FEW = (
    "The reckoning stops at the first month whose at-risk estimate is below 5 of its own sd. That month and later ones "
    "have no value and the flag few_at_risk; shortly before it a curve lies a little high, since it stops where noise "
    "is low."
)
NOT_FOLLOWED = (
    "Rows with the flag not_followed wait for exits, which are posted {lag} months after they happened: those of who "
    "started in {cohort} from {first} on, month by month; the feed {feed} ends with {last}."
)
ASK_EARLIER = "Nobody is followed yet of those who started in the periods asked: ask for periods up to {cohort}."


@dataclass(frozen=True, slots=True)
class Followed:
    """One life table a row. keys: of the rows; hidden: by the small-cell rule (rows x months), where `usable`;
    partial: of whose cohorts some are in no life table, be it that their exits are not there; started: whether any
    cohort of a row is there, followed or not."""

    keys: list[Key]
    tables: LifeTables
    hazards: Hazards
    few: Flags
    hidden: Flags
    partial: Flags
    started: Flags

    @property
    def waiting(self) -> Flags:
        """Of whom the starts are there, and the exits are not (rows x months)."""
        return np.asarray(self.started[:, None] & ~self.tables.followed)

    @property
    def hidden_rows(self) -> Flags:
        """Of one figure a row: hidden with any month of it."""
        return np.asarray(self.hidden.any(axis=1))

    @property
    def few_rows(self) -> Flags:
        return np.asarray(self.few.any(axis=1))

    @property
    def last(self) -> list[int]:
        """How many months each row is shown for."""
        return [int(count) for count in self.hazards.usable.sum(axis=1)]

    def shape(self, question: Question, rules: Rules) -> Shape:
        """Of one figure a row: missing where nobody is followed."""
        missing = np.asarray(~self.tables.followed.any(axis=1))
        flags = {
            Flag.PARTIAL_PERIODS: self.partial,
            Flag.PARTIAL_POOL: np.zeros(len(self.keys), dtype=bool),
            Flag.NOT_FOLLOWED: np.asarray(self.waiting.all(axis=1)),
        }
        return Shape(self.keys, missing, flags, question.confidence, rules.mask_below, question.explain)

    def shape_to_last(self, question: Question, rules: Rules) -> Shape:
        """The same, each key with the number of months that it reaches, if any; of hidden rows those that it could."""
        followed = self.tables.followed.sum(axis=1)
        reached = np.where(self.hidden_rows, followed, self.last)
        named = [{MONTHS: str(int(months))} if months else {} for months in reached]
        keys = [key | month for key, month in zip(self.keys, named, strict=True)]
        return replace(self.shape(question, rules), keys=keys)

    def shape_by_month(self, question: Question, rules: Rules) -> Shape:
        """Of figures after 1, 2, ... months, one after the other in each row."""
        months = range(1, self.tables.at_risk.shape[1] + 1)
        flags = {
            Flag.PARTIAL_PERIODS: np.repeat(self.partial, len(months)),
            Flag.PARTIAL_POOL: np.zeros(len(self.keys) * len(months), dtype=bool),
            Flag.NOT_FOLLOWED: self.waiting.ravel(),
        }
        return replace(
            self.shape(question, rules),
            keys=[key | {MONTHS: str(month)} for key, month in product(self.keys, months)],
            missing=~self.tables.followed.ravel(),
            flags=flags,
        )


def _starts_of(feed: FeedTerms) -> bool:
    return feed.life_table is LifeTable.STARTS and feed.grain is Grain.MONTH


def _exits_of(feed: FeedTerms) -> bool:
    return feed.life_table is LifeTable.EXITS and feed.known_after_months is not None and bool(months_of(feed))


def _cut_starts(question: Question, feed: FeedTerms) -> Question:
    return replace(question, by=(Grain.MONTH.value, *question.dimensions))


def _cut_exits(question: Question, feed: FeedTerms) -> Question:
    """From the first cohort asked to the last period that the grant opens."""
    periods = _exit_periods(question, feed)
    return replace(_cut_starts(question, feed), periods=f"{periods[0]}..{periods[-1]}")


def _exit_periods(question: Question, feed: FeedTerms) -> list[Period]:
    first, last = selected_periods(question, feed)[0], selected_periods(replace(question, periods=None), feed)[-1]
    return [Period(Grain.MONTH, index) for index in range(first.index, last.index + 1)]


STARTS = Need(
    Role.PAYER, (), (MEMBERS,), condition=_starts_of, condition_text="that is a life table of starts", cut=_cut_starts
)
EXITS = Need(
    Role.PAYER,
    (MONTHS,),
    (MEMBERS,),
    condition=_exits_of,
    condition_text="that is a life table of exits with known_after_months (by which cohorts are told apart)",
    cut=_cut_exits,
)


def months_of(feed: FeedTerms) -> tuple[str, ...]:
    """The months of exits that are one month each: an open last one mixes cohorts."""
    return tuple(month for month in feed.vocabularies.get(MONTHS, ()) if not month.endswith("+"))


def events_of(feed: FeedTerms) -> tuple[str, ...] | None:
    """The reasons that are exits; None for all, where there are no reasons."""
    reasons = feed.vocabularies.get(REASON)
    return None if reasons is None else tuple(reason for reason in reasons if reason not in CENSORING)


def notes_of(question: Question, slices: tuple[Slice, ...], followed: Followed) -> tuple[str, ...]:
    starting, exiting = slices
    censoring = [reason for reason in exiting.feed.vocabularies.get(REASON, ()) if reason in CENSORING]
    censored = (CENSORED.format(reasons=" or ".join(censoring)),) if censoring else ()
    return (NOTE, FEW, *censored, *_waiting(question, starting, exiting, followed))


def _waiting(question: Question, starting: Slice, exiting: Slice, followed: Followed) -> Iterator[str]:
    """When exits come, and of whom there are some."""
    if not followed.waiting.any():
        return
    feed, cohorts = exiting.feed, selected_periods(question, starting.feed)
    lag = feed.known_after_months or 0
    first = Period(Grain.MONTH, cohorts[-1].index + lag)
    yield NOT_FOLLOWED.format(lag=lag, cohort=cohorts[-1], first=first, feed=feed.name, last=feed.periods.last)
    read = _exit_periods(question, feed)
    lacking = exiting.missing.reshape(len(read), -1)[:, 0]
    posted = [period for period, lacks in zip(read, lacking, strict=True) if not lacks]
    if posted and not followed.tables.followed.any():
        earlier = Period(Grain.MONTH, posted[-1].index - lag)
        if earlier in starting.feed.periods:
            yield ASK_EARLIER.format(cohort=earlier)


def follow(
    question: Question, rules: Rules, slices: tuple[Slice, ...], kinds: Sequence[tuple[str, ...] | None]
) -> Followed:
    """kinds: the reasons of each kind of exit, which exclude each other; None for all."""
    starting, exiting = slices
    cohorts = selected_periods(question, starting.feed)
    strata = len(starting.keys) // len(cohorts)
    starts, exits = _starts(starting, strata), _exits(exiting, strata, kinds)
    first = cohorts[0].index
    buckets = buckets_of(question, cohorts)
    parts = [life_tables(starts, exits, [each.index - first for each in bucket.periods]) for bucket in buckets]
    tables = joined(parts)
    hazards = hazards_of(tables)
    keys = [key for bucket in buckets for key in _keys(question, starting, strata, bucket)]
    covered = [[bool(starts.covered[each.index - first]) for each in bucket.periods] for bucket in buckets]
    in_tables = followed_at_all(starts, exits)
    counts = [sum(bool(in_tables[each.index - first]) for each in bucket.periods) for bucket in buckets]
    partial = [0 < count < bucket.length for count, bucket in zip(counts, buckets, strict=True)]
    hidden = _hidden(tables, hazards, rules.mask_below)
    rows = [np.repeat(np.array(each), strata) for each in (partial, [any(each) for each in covered])]
    return Followed(keys, tables, hazards, few_at_risk(tables), hidden, *rows)


def _starts(part: Slice, strata: int) -> Starts:
    estimate = part.estimate(MEMBERS)
    values, variances = (each.reshape(-1, strata) for each in (estimate.values, estimate.variances))
    return Starts(values, variances, ~part.missing.reshape(-1, strata)[:, 0])


def _exits(part: Slice, strata: int, kinds: Sequence[tuple[str, ...] | None]) -> Exits:
    """From the first cohort's period plus the lag on. Months are in one fitted table, in which any two have the same
    covariance: what the variance of their sum has beyond their own."""
    lag, months = part.feed.known_after_months or 0, len(part.feed.vocabularies[MONTHS])
    by_month = part.finer((MONTHS,))
    narrowed: list[Filter] = [{} if kind is None else {REASON: kind} for kind in (None, *kinds)]
    values = [by_month.estimate(MEMBERS, kind).values.reshape(-1, strata, months) for kind in narrowed]
    same = _covariances(by_month, narrowed, (strata, months))[..., 0]
    apart = (_covariances(part, narrowed, (strata,)) - months * same) / max(1, months * (months - 1))
    covered = ~part.missing.reshape(-1, strata)[:, 0]
    shown = np.stack(values, axis=1)[..., : len(months_of(part.feed))].swapaxes(2, 3)
    return Exits(shown[lag:], same[lag:], apart[lag:], covered[lag:])


def _covariances(part: Slice, narrowed: Sequence[Filter], rows: tuple[int, ...]) -> Floats:
    """Of every two kinds (periods x kinds x kinds x rows)."""
    kinds = range(len(narrowed))
    found = {(i, j): part.covariance(MEMBERS, narrowed[i], narrowed[j]) for i in kinds for j in kinds if i <= j}
    each = [[found[min(i, j), max(i, j)].reshape(-1, *rows) for j in kinds] for i in kinds]
    return np.stack([np.stack(row, axis=1) for row in each], axis=1)


def _keys(question: Question, part: Slice, strata: int, bucket: Bucket) -> list[Key]:
    grain = question.time_grain
    time = {} if grain is None else {grain.value: str(bucket.key)}
    return [{name: (key | time)[name] for name in question.by} for key in part.keys[:strata]]


def _hidden(tables: LifeTables, hazards: Hazards, mask_below: int | None) -> Flags:
    """A share after t months is hidden with those who started, with those at risk in its last month or left after it,
    and with those who have exited so far, where they are few."""
    exits = np.where(hazards.usable, tables.exits.sum(axis=1), 0.0)
    counts = (tables.at_risk[:, :1], tables.at_risk, tables.at_risk - exits, np.cumsum(exits, axis=1))
    small = np.logical_or.reduce([np.broadcast_to(in_small_cell(each, mask_below), exits.shape) for each in counts])
    return np.asarray(small & tables.followed)
