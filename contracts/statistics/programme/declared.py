"""What programme_effect declares, and which of its ways a contract's feeds allow."""

from dataclasses import replace
from typing import Final

from contracts.parties import Role
from contracts.statistics.declarations import Asked, Computed, Figure, Need, Statistic
from contracts.statistics.programme.outcomes import OUTCOMES
from contracts.statistics.programme.ways import find_way
from contracts.statistics.questions import Question
from contracts.statistics.slices import Slice
from contracts.terms import Terms

DEFAULT: Final = "adherence_rate"
_SHARES: Final = " or ".join(outcome.figure for outcome in OUTCOMES.values())


def _complete(asked: Asked) -> Question:
    return replace(asked.question, of=asked.question.of or DEFAULT)


def _derive(asked: Asked) -> Statistic:
    return find_way(PROGRAMME_EFFECT, OUTCOMES[asked.question.of or DEFAULT], asked)


def _never(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
    raise AssertionError("an effect is computed by what it is derived to")


PROGRAMME_EFFECT: Final = Statistic(
    name="programme_effect",
    title="Effect of the patient support programme",
    estimand=(
        "How an outcome of the payers' members differs with the programme: adherence_rate unless `of` says otherwise. "
        "From a linked feed: those in the programme against those outside it. Where the contract says that the "
        "programme came by a dimension and time: difference in differences. Else it is not identified, and the answer "
        "is what the margins of both parties leave possible."
    ),
    formula="r1 - r0 and r1 / r0; or (r1 after - r1 before) - (r0 after - r0 before); or Frechet bounds of r1 - r0",
    source="Zou and Donner (2008); Callaway and Sant'Anna (2021); Frechet (1951), Duncan and Davis (1953)",
    needs=(
        Need(
            Role.PAYER,
            condition=lambda feed: any(outcome.need.fits(feed) for outcome in OUTCOMES.values()),
            condition_text=f"that could answer {' or '.join(OUTCOMES)} (share of members with stays)",
        ),
    ),
    figures=(
        Figure("<share>_inside", "share", f"{_SHARES} in the programme: from a linked feed, or bounds"),
        Figure("<share>_outside", "share", f"{_SHARES} outside it: from a linked feed, or bounds"),
        Figure("difference", "share", "the first less the second: from a linked feed, or bounds"),
        Figure("ratio", "ratio", "the first over the second: from a linked feed"),
        Figure("change_inside", "share", "change of the outcome where the programme began"),
        Figure("change_outside", "share", "change of the outcome where it never began"),
        Figure("difference_in_differences", "share", "the first change less the second"),
    ),
    interval_method=(
        "MOVER on Fieller's limits (Zou and Donner 2008), with the covariance of the fitted table; bounds: of all "
        "margins within simultaneous limits (Bonferroni)"
    ),
    interval_covers="privacy noise: the figures of the posted members themselves; of bounds: all that is possible",
    total_interval_covers="privacy noise and sampling, of shares of persons from a linked feed or a rollout",
    compute=_never,
    compares=(),
    subjects=tuple(OUTCOMES),
    of_granted=True,
    complete=_complete,
    derive=_derive,
)
