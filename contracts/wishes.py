"""Wanted accuracies, and the smallest budget that reaches each: `adherence_rate:region@year=1.0pp`.

FORM is how one is written. STATISTIC is counts, adherence_rate or pdc_pooled; MEASURE is for counts. Without dimensions
it is about the total, without a grain about the whole term. WIDTH is the half-width, for noise at 95%, of an answer
that pools all providers: a number of the measure's unit, a percentage of the expected cell (5%), or percentage points
of a rate (1.0pp).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from contracts.ledger.statements import Loss, loss
from contracts.linking import find_linked_party, linked_rho_nano
from contracts.periods import Grain
from contracts.predicting import Figure, Span, Width, counts_of, noise_at, rates_of
from contracts.refusals import AccuracyInvalid, Fault
from contracts.terms import FeedTerms, Terms
from privacy.accuracy import largest_scale, smallest_reaching
from privacy.strategy import BudgetTooSmall, count_draws, make_plan

COUNTS: Final = "counts"
RATES: Final = ("adherence_rate", "pdc_pooled")
FORM: Final = "[FEED/]STATISTIC[.MEASURE][:DIMENSIONS][@GRAIN]=WIDTH"
EXAMPLE: Final = "adherence_rate:region=1.0pp, counts.members:region@year=5% or fills/counts.members=200"
MOST_WISHES: Final = 50
# Added up over the wishes: each is searched on plans of its own, and every draw of them takes its time.
MOST_DRAWS: Final = 3_000
_NAME = "[a-z][a-z0-9_]*"
_WISH = re.compile(
    rf"(?:(?P<feed>{_NAME})/)?(?P<statistic>{_NAME})(?:\.(?P<measure>{_NAME}))?(?::(?P<by>{_NAME}(?:,{_NAME})*))?"
    r"(?:@(?P<grain>[a-z]+))?=(?P<width>\d{1,12}(?:\.\d{1,6})?)(?P<unit>pp|%)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Wish:
    """One wanted accuracy of one figure of one feed. wanted: in `unit`; relative: of the expected cell."""

    text: str
    figure: Figure
    by: tuple[str, ...]
    span: Span
    wanted: float
    relative: bool

    def reached(self, width: Width) -> bool:
        """True if the predicted half-width is at most the one wanted."""
        return self.value(width) <= self.wanted

    def value(self, width: Width) -> float:
        """The half-width as the wish measures it; a percentage for a relative one."""
        return 100 * width.relative if self.relative and width.relative is not None else width.half_width

    @property
    def unit(self) -> str:
        return "%" if self.relative else self.figure.unit


@dataclass(frozen=True, slots=True)
class Budget:
    """The answer to a wish.

    now: what the contract as it stands gives. smallest: the least ceiling of the feed that reaches the wish; None
    where none up to `most` does. most: the population's whole ceiling. at_most: what `most` gives. fits: the population
    can pay for `smallest` beside its other feeds, and of a linked feed the brand's too.
    """

    wish: Wish
    now: Width
    smallest: Loss | None
    most: Loss
    at_most: Width
    fits: bool


class _Misfit(ValueError):
    """A wish that this contract cannot be asked."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def _misfit(code: str, message: str) -> _Misfit:
    return _Misfit(code, message)


def read_wishes(texts: Sequence[str], terms: Terms) -> list[Wish]:
    """One wish for every feed and measure that a text is about. Raises AccuracyInvalid with every fault."""
    wishes, faults = list[Wish](), list[Fault]()
    for i, text in enumerate(texts):
        try:
            wishes += _read(text, terms)
        except _Misfit as misfit:
            faults.append(Fault(f"/accuracy/{i}", misfit.code, misfit.message))
    if len(wishes) > MOST_WISHES:
        message = f"these are about {len(wishes)} figures; ask for {MOST_WISHES} at once, naming feed and measure"
        faults.append(Fault("/accuracy", "accuracies_too_many", message))
    draws = sum(count_draws(wish.figure.feed.design, wish.figure.measures) for wish in wishes)
    if draws > MOST_DRAWS:
        message = (
            f"their plans have {draws} draws, and at most {MOST_DRAWS} are searched at once: ask for fewer figures"
        )
        faults.append(Fault("/accuracy", "accuracies_too_many", message))
    if faults:
        raise AccuracyInvalid("A wanted accuracy does not fit the contract.", faults=tuple(faults))
    return wishes


def _read(text: str, terms: Terms) -> Iterator[Wish]:
    match = _WISH.fullmatch("".join(text.split()))
    if match is None or float(match["width"]) == 0:
        raise _misfit("accuracy_invalid", f"an accuracy above zero reads like {EXAMPLE}")
    statistic, unit = match["statistic"], match["unit"]
    if statistic not in (COUNTS, *RATES):
        raise _misfit("statistic_unknown", f"accuracies are predicted for {', '.join((COUNTS, *RATES))}")
    if (unit == "pp") != (statistic in RATES):
        raise _misfit("accuracy_invalid", "rates take percentage points (1.0pp), counts a number or a percentage (5%)")
    if unit == "pp" and float(match["width"]) >= 100:
        raise _misfit("accuracy_invalid", "a rate lies between 0 and 100%: want less than 100pp, such as 1.0pp")
    by = tuple(match["by"].split(",")) if match["by"] else ()
    if len(set(by)) < len(by):
        raise _misfit("dimension_repeated", "each dimension once")
    feeds = _feeds(match["feed"], by, terms)
    figures = _counts(match["measure"], unit, feeds) if statistic == COUNTS else _rates(match, by, feeds)
    for figure in figures:
        span = Span(_periods(match["grain"], figure.feed, terms), len(terms.providers_of(figure.feed)))
        yield Wish(text, figure, by, span, float(match["width"]), unit == "%")


def _feeds(name: str | None, by: tuple[str, ...], terms: Terms) -> list[FeedTerms]:
    """The feeds that have the dimensions, or the one named. A feed that no party posts gives no answers."""
    posted = [feed for feed in terms.feeds if terms.providers_of(feed)]
    named = [feed for feed in posted if name in (None, feed.name)]
    if not named:
        raise _misfit("feed_missing", f"there are the feeds {', '.join(feed.name for feed in posted) or '(none)'}")
    fitting = [feed for feed in named if set(by) <= set(feed.vocabularies)]
    if not fitting:
        known = "; ".join(f"{feed.name} goes by {', '.join(feed.dimensions)}" for feed in named)
        raise _misfit("dimension_unknown", known)
    return fitting


def _counts(measure: str | None, unit: str | None, feeds: list[FeedTerms]) -> list[Figure]:
    known = ", ".join(dict.fromkeys(name for feed in feeds for name in feed.measures))
    named = [figure for feed in feeds for figure in counts_of(feed) if measure in (None, figure.name)]
    if not named:
        raise _misfit("measure_unknown", f"there are the measures {known}")
    if unit is None:
        if len({figure.name for figure in named}) > 1:
            raise _misfit("measure_needed", f"a number needs its measure, counts.NAME: one of {known}")
        return named
    stated = [figure for figure in named if figure.name in figure.feed.expected]
    if not stated:
        message = "a percentage is of the expected cell: state the measure in the feed's expected, or want a number"
        raise _misfit("expected_missing", message)
    return stated


def _rates(match: re.Match[str], by: tuple[str, ...], feeds: list[FeedTerms]) -> list[Figure]:
    statistic = match["statistic"]
    if match["measure"]:
        raise _misfit("measures_fixed", f"{statistic} has measures of its own; leave them out")
    rates = [rate for feed in feeds for rate in rates_of(feed) if rate.name == statistic]
    if not rates:
        known = "no feed with these dimensions has what it needs, with the expected size of members stated"
        raise _misfit("feed_unsuitable", f"{statistic} cannot be predicted: {known}")
    for rate in rates:
        if rate.goes_by(by) != by:
            raise _misfit("dimension_in_use", f"{statistic} itself uses {', '.join(set(by) - set(rate.goes_by(by)))}")
    return rates


def _periods(grain: str | None, feed: FeedTerms, terms: Terms) -> int:
    """How many of the feed's periods one answer sums: all of them, or the most in a month, quarter or year of it."""
    if grain is None:
        return len(feed.periods)
    known = terms.grains_of(feed)
    if grain not in known:
        raise _misfit("grain_unknown", f"{feed.name} can be asked by {', '.join(known)}, or over its whole term")
    buckets = [period.rolled_up_to(Grain(grain)) for period in feed.periods]
    return max(map(buckets.count, buckets))


def smallest_budget(wish: Wish, terms: Terms) -> Budget:
    """The least ceiling of the wish's feed, to a nano-rho, whose plan reaches it, searched on the plans themselves."""
    feed, delta = wish.figure.feed, terms.privacy.delta
    ceilings = {party.population: terms.privacy.ceilings_nano[party.population]
                for party in terms.parties if party.role is feed.provider}  # fmt: skip
    most = min(ceilings.values())
    others = sum(other.rho_nano for other in terms.feeds if other.provider is feed.provider) - feed.rho_nano
    charge = smallest_reaching(
        lambda charge_nano: _reaches(wish, charge_nano * feed.releases_paid),
        near=_about(wish, most) // feed.releases_paid,
        most=most // feed.releases_paid,
    )
    smallest = None if charge is None else charge * feed.releases_paid
    return Budget(
        wish,
        now=_width(wish, feed.rho_nano),
        smallest=None if smallest is None else loss(smallest, delta),
        most=loss(most, delta),
        at_most=_width(wish, most),
        fits=smallest is not None
        and smallest + others <= most
        and _brand_pays(replace(feed, rho_nano=smallest), terms),
    )


def _brand_pays(feed: FeedTerms, terms: Terms) -> bool:
    """Of a linked feed: at this budget, the brand's ceiling pays for it beside all else that it pays for."""
    party = find_linked_party(terms, feed)
    if party is None:
        return True
    own = sum(other.rho_nano for other in terms.feeds if other.provider is party.role)
    feeds = [feed, *(other for other in terms.feeds if other.name != feed.name and other.linked is not None)]
    linked = sum(
        linked_rho_nano(other, make_plan(other.design, other.charge_nano)) * len(terms.providers_of(other))
        for other in feeds
        if find_linked_party(terms, other) == party
    )
    return own + linked <= terms.privacy.ceilings_nano[party.population]


def _width(wish: Wish, rho_nano: int) -> Width:
    return wish.figure.width(noise_at(wish.figure, rho_nano), wish.by, wish.span)


def _reaches(wish: Wish, rho_nano: int) -> bool:
    try:
        return wish.reached(_width(wish, rho_nano))
    except BudgetTooSmall:
        return False


def _about(wish: Wish, most: int) -> int:
    """Where the smallest budget lies, since a plan's shares hardly depend on it: variances go as 1 / rho.

    A second look from there comes so close that few plans are left to try.
    """
    near = _scaled(wish, wish.figure.feed.rho_nano, most)
    try:
        return _scaled(wish, near, most)
    except BudgetTooSmall:
        return near


def _scaled(wish: Wish, rho_nano: int, most: int) -> int:
    noise = noise_at(wish.figure, rho_nano)
    scale = largest_scale(lambda s: wish.reached(wish.figure.width(noise, wish.by, wish.span, s)))
    return min(int(rho_nano / scale), most) if scale else most
