"""discontinuation_rate and switch_rate: how many of those on a treatment stop it, or change to another.

Of a life table, cumulative incidence: the other way of leaving the treatment competes. Without one, of a payers' feed
that counts who discontinued or switched in each period, the simple share.
"""

from dataclasses import dataclass, replace

from contracts.parties import Role
from contracts.refusals import Fault, QuestionInvalid
from contracts.statistics.answers import Flag, Working
from contracts.statistics.cohorts import EXITS, MEMBERS, MONTHS, REASON, STARTS, events_of, follow, notes_of
from contracts.statistics.columns import Column, Shape
from contracts.statistics.declarations import Asked, Computed, Figure, Need, Statistic
from contracts.statistics.masks import make_figure
from contracts.statistics.questions import Compare, Question
from contracts.statistics.quotients import FIELLER, number, share_column
from contracts.statistics.slices import Slice
from contracts.terms import FeedTerms, Terms
from privacy.intervals import Interval
from privacy.life_tables import incidence, noise_ends, total_ends


@dataclass(frozen=True, slots=True)
class Leaving:
    """A way of leaving a treatment. reason: in a life table; measure: of who did so in a period, in other feeds."""

    statistic: str
    reason: str
    measure: str

    @property
    def share(self) -> Need:
        def fits(feed: FeedTerms) -> bool:
            return all(feed.measures[name].bound == 1 for name in (self.measure, MEMBERS))

        text = "that counts each person at most once a period"
        return Need(Role.PAYER, (), (self.measure, MEMBERS), condition=fits, condition_text=text)

    def of_life_table(self, question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
        """Cumulative incidence up to the last month shown."""
        events = events_of(slices[1].feed)
        others = tuple(reason for reason in events or () if reason != self.reason)
        target = None if events is None else (self.reason,)
        kinds = [target, others] if others else [target]
        followed = follow(question, terms.rules, slices, kinds)
        curve = incidence(followed.hazards, 0)
        known = followed.hazards.usable[:, 0]

        def working(i: int) -> Working:
            words = f"sum over {followed.last[i]} months of persistence * hazard = {number(curve.values[i, 0])}"
            return Working(words, (), None, float(curve.noise[i, 0]), float(curve.noise[i, 0]) ** 0.5)

        noise, total = (_row(ends(curve, question.confidence)) for ends in (noise_ends, total_ends))
        column = Column(
            followed.shape_to_last(question, terms.rules),
            self.statistic,
            "share",
            [float(value) if may else None for value, may in zip(curve.values[:, 0], known, strict=True)],
            noise,
            followed.hidden_rows,
            working,
            total=total,
            flags={Flag.FEW_AT_RISK: followed.few_rows},
        )
        return Computed([column], notes=notes_of(question, slices, followed))

    def of_counts(self, question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
        """Of persons and periods; the two measures are noised independently."""
        (part,) = slices
        left, members = (make_figure(part, name, terms.rules) for name in (self.measure, MEMBERS))
        shape = Shape.of(question, terms.rules, part)
        column = share_column(shape, self.statistic, left, members, sampling_periods=part.periods_covered)
        note = f"The share of {MEMBERS} with {self.measure} in a period; over several, a member counts once in each."
        return Computed([column], notes=(note,))

    def derive(self, asked: Asked) -> Statistic:
        """Of a life table where the feeds asked have one, or else of counts. Raises QuestionInvalid."""
        declared = asked.get(self.statistic)
        named = [feed for feed in asked.feeds if feed.name in asked.question.feeds] or asked.feeds
        if all(any(map(need.fits, named)) for need in declared.needs) or not any(map(self.share.fits, named)):
            if asked.question.compare is Compare.PREVIOUS:
                message = f"{self.statistic} of a life table can be compared with nothing; ask it by month of start"
                raise QuestionInvalid(
                    "The question does not fit this statistic.", faults=(Fault("/compare", "compare_unknown", message),)
                )
            return declared
        return replace(
            declared,
            estimand=f"Share of the posted members with {self.measure} in the period.",
            formula=f"sum of {self.measure} / sum of {MEMBERS}",
            source="none: a share",
            needs=(self.share,),
            figures=(Figure(self.statistic, "share", f"{MEMBERS} with {self.measure} in the period / {MEMBERS}"),),
            interval_method=FIELLER,
            total_interval_covers=(
                "privacy noise and sampling: the share behind them, the sampling term times the number of periods "
                "pooled, since they may be the same people (Fieller with Wilson's term)"
            ),
            compute=self.of_counts,
            own_dimensions=(),
            whole_pools=False,
        )


def _row(found: Interval) -> Interval:
    return Interval(found.lower[:, 0], found.upper[:, 0], found.unbounded[:, 0], found.empty[:, 0])


def _statistic(leaving: Leaving, title: str, estimand: str, exits: Need) -> Statistic:
    return Statistic(
        name=leaving.statistic,
        title=title,
        estimand=estimand,
        formula="sum over months of persistence so far * exits for this reason / at risk",
        source=(
            "Aalen and Johansen, An empirical transition matrix for non-homogeneous Markov chains based on censored "
            "observations (1978)"
        ),
        needs=(STARTS, exits),
        figures=(Figure(leaving.statistic, "share", "share by the end of months_since_start months, the last shown"),),
        interval_method=(
            "noise: delta method on the exact covariance of starts and exits; with sampling: the multinomial variance "
            "of each month (Marubini and Valsecchi 1995) in Rothman's quadratic (1978)"
        ),
        interval_covers="privacy noise: the share of the posted persons themselves",
        total_interval_covers="privacy noise and sampling: the share behind them",
        compute=leaving.of_life_table,
        own_dimensions=(MONTHS, REASON),
        whole_pools=True,
        compares=(Compare.PREVIOUS,),
        derive=leaving.derive,
    )


def _has(reason: str, *, or_none: bool) -> Need:
    def fits(feed: FeedTerms) -> bool:
        return EXITS.condition(feed) and (
            reason in feed.vocabularies[REASON] if REASON in feed.vocabularies else or_none
        )

    words = f"and the reason {reason}" + (", or no reasons" if or_none else "")
    return replace(EXITS, condition=fits, condition_text=f"{EXITS.condition_text}, {words}")


STOPPED, SWITCHED = (
    Leaving("discontinuation_rate", "stopped", "discontinuations"),
    Leaving("switch_rate", "switched", "switches"),
)

DISCONTINUATION_RATE = _statistic(
    STOPPED,
    "Discontinuation rate",
    "Share of those who start a treatment in the periods asked who stop it within the months shown without changing to "
    "another product; every exit, where the feed has no reasons. Of a feed without a life table: the share of members "
    "with a discontinuation in the period.",
    _has(STOPPED.reason, or_none=True),
)
SWITCH_RATE = _statistic(
    SWITCHED,
    "Switch rate",
    "Share of those who start a treatment in the periods asked who change to another product within the months shown. "
    "Of a feed without a life table: the share of members with a switch in the period.",
    _has(SWITCHED.reason, or_none=False),
)
