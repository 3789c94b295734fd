"""programme_effect where no cell tells both outcome and programme: bounds, and no value."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from contracts.periods import Period
from contracts.refusals import QuestionInvalid
from contracts.statistics.answers import Flag, Label, State
from contracts.statistics.questions import Question
from contracts.terms import FeedTerms, Terms
from privacy.release import ExactTable
from tests.unit.programme_worlds import (
    HOSPITALISED,
    RoundedNormal,
    a_feed,
    answered,
    derived,
    ends_of,
    random_cells,
    support,
    table,
    terms_of,
)

QUARTERS = ("2025-Q1", "2025-Q2", "2025-Q3", "2025-Q4")


def bounded_terms(**changes: Any) -> Terms:
    return terms_of(a_feed(measures=HOSPITALISED), support(**changes))


class Persons:
    """A population of which each person's region, sex, adherence and enrolment are known: both sides' cells, and the
    truth."""

    def __init__(self, seed: int, scale: int = 60) -> None:
        rng = np.random.default_rng(seed)
        # quarter x payer x region x sex x band x enrolled
        self.counts = rng.integers(0, scale, (4, 2, 3, 2, 2, 2))

    def __call__(self, feed: FeedTerms, period: Period, provider: str) -> dict[str, ExactTable]:
        quarter = period.rolled_up_to(feed.grain.__class__("quarter")).index % 4
        if feed.name == "adherence":
            members = self.counts[quarter, "ab".index(provider)].sum(axis=-1)
            return {"members": members, "hospitalised_members": members // 3}
        in_network = self.counts[quarter, ..., 1].sum(axis=(0, 3))
        # Others are enrolled too, whom no payer here insures.
        return {"enrolled": np.stack([in_network, in_network + 7], axis=-1)}

    def truth(self, quarters: slice, regions: slice) -> tuple[float, float]:
        """The share that is adherent, of those enrolled and of the others."""
        pooled = self.counts[quarters, :, regions].sum(axis=(0, 1, 2, 3))
        return pooled[1, 1] / pooled[:, 1].sum(), pooled[1, 0] / pooled[:, 0].sum()


@pytest.mark.parametrize("seed", range(3))
def test_without_noise_bounds_are_frechets_and_hold_the_truth(seed: int) -> None:
    """With so many persons that what the plan says of noise is nothing beside them."""
    persons = Persons(seed, scale=10**8)
    found = table(answered(bounded_terms(), Question("programme_effect", by=("region",), periods="2025-Q2"), persons))

    for i, region in enumerate(("northeast", "south", "west")):
        strata = persons.counts[1, :, i].sum(axis=0)  # sex x band x enrolled
        e, a, m = strata[:, :, 1].sum(1), strata[:, 1].sum(1), strata.sum((1, 2))
        low, high = np.maximum(0, e + a - m).sum(), np.minimum(e, a).sum()
        inside, outside = persons.truth(slice(1, 2), slice(i, i + 1))
        expected = (low / e.sum(), high / e.sum())
        assert ends_of(found["adherence_rate_inside", region]) == pytest.approx(expected, abs=1e-4)
        rest = (m - e).sum()
        expected = (low / e.sum() - (a.sum() - low) / rest, high / e.sum() - (a.sum() - high) / rest)
        lower, upper = ends_of(found["difference", region])
        assert (lower, upper) == pytest.approx(expected, abs=1e-4)
        assert lower <= inside - outside <= upper


def test_no_row_has_a_value_and_each_says_why() -> None:
    computed = answered(bounded_terms(), Question("programme_effect", by=("quarter",)), Persons(1))
    rows = table(computed)

    assert len(rows) == 3 * 4
    for row in rows.values():
        assert (row.state, row.value, row.total_interval) == (State.SHOWN, None, None)
        assert row.interval is not None
        assert Flag.NOT_IDENTIFIED in row.flags
    assert any(note.startswith("Not identified") for note in computed.notes)
    assert derived(bounded_terms(), Question("programme_effect")).label is Label.ECOLOGICAL


def test_a_brand_that_posts_by_month_counts_by_the_average_month() -> None:
    """With so many persons that the noise of three months beside that of one quarter is nothing."""
    persons = Persons(3, scale=10**8)
    monthly = bounded_terms(grain="month", first_period="2025-01", last_period="2025-12", k=12)
    by_quarter, by_month = (
        table(answered(terms, Question("programme_effect", by=("region",)), persons))
        for terms in (bounded_terms(), monthly)
    )

    for key, row in by_quarter.items():
        assert ends_of(by_month[key]) == pytest.approx(ends_of(row), abs=1e-4)
        assert ends_of(row) != (-1.0, 1.0)


def test_periods_that_one_side_lacks_are_left_out_of_both() -> None:
    persons, terms = Persons(4), bounded_terms(grain="month", first_period="2025-01", last_period="2025-12", k=12)
    rows = table(answered(terms, Question("programme_effect", by=("quarter",)), persons, unposted=["2025-05"]))
    total = table(answered(terms, Question("programme_effect"), persons, unposted=["2025-05"]))

    assert {key[1]: row.state for key, row in rows.items()}["2025-Q2"] is State.MISSING
    assert Flag.PARTIAL_PERIODS in total["difference",].flags
    kept = Persons(4)
    kept.counts = kept.counts[[0, 2, 3]]
    inside, outside = kept.truth(slice(None), slice(None))
    lower, upper = ends_of(total["difference",])
    assert lower <= inside - outside <= upper


@pytest.mark.parametrize(
    ("feeds", "code"),
    [
        ([a_feed(), support(dimensions=["region"])], "feed_missing"),
        ([a_feed(), support(grain="year", first_period="2025", last_period="2025", k=1)], "feed_missing"),
        ([a_feed(dimensions=["region"]), support()], "feed_missing"),
    ],
    ids=["a brand that does not tell whom the payers insure", "longer periods", "no bands"],
)
def test_what_is_missing_is_said(feeds: list[Any], code: str) -> None:
    with pytest.raises(QuestionInvalid) as refused:
        answered(terms_of(*feeds), Question("programme_effect"), random_cells(1))

    assert code in [fault.code for fault in refused.value.faults]
    assert any("coverage in_network" in fault.message or "p60_80" in fault.message for fault in refused.value.faults)


def test_days_have_no_bounds_and_what_has_is_said() -> None:
    with pytest.raises(QuestionInvalid) as refused:
        derived(bounded_terms(), Question("programme_effect", of="pdc_pooled"))

    (fault,) = refused.value.faults
    assert (fault.pointer, fault.code) == ("/of", "no_bounds")


def test_stays_are_bounded_too() -> None:
    persons = Persons(2)
    row = table(answered(bounded_terms(), Question("programme_effect", of="utilisation_rate"), persons))["difference",]

    lower, upper = ends_of(row)
    assert -1 <= lower < upper <= 1


def test_a_question_that_names_the_brands_feed_gets_bounds_whatever_else_there_is() -> None:
    terms = replace(
        terms_of(a_feed(), support(), rollout={"dimension": "region", "starts": {"south": "2025-Q2"}}),
    )

    figures = {
        feeds: [figure.name for figure in derived(terms, Question("programme_effect", feeds=feeds)).figures]
        for feeds in ((), ("support",))
    }
    assert figures[()][-1] == "difference_in_differences"
    assert figures["support",][-1] == "difference"


@pytest.mark.slow
@pytest.mark.parametrize(("by", "confidence"), list(product([(), ("region",)], [0.8, 0.95])))
def test_noisy_bounds_hold_the_truth_as_often_as_they_claim(by: tuple[str, ...], confidence: float) -> None:
    """Of each row; they are wider than they need be, so 300 runs miss 100 at 80% with a probability below 1e-7, and 40
    at 95%."""
    persons, terms, noise = Persons(5, scale=400), bounded_terms(rho="4"), RoundedNormal(3)
    # Everybody enrolled who can be is adherent: the truth lies at the bound itself.
    persons.counts[..., 1, 1] += persons.counts[..., 0, 1]
    persons.counts[..., 0, 1] = 0
    question = Question("programme_effect", by=by, confidence=confidence)
    regions = (
        {(): slice(None)} if not by else {(r,): slice(i, i + 1) for i, r in enumerate(("northeast", "south", "west"))}
    )
    missed = dict.fromkeys(regions, 0)
    for _ in range(300):
        rows = table(answered(terms, question, persons, noise))
        for key, chosen in regions.items():
            inside, outside = persons.truth(slice(None), chosen)
            lower, upper = ends_of(rows["difference", *key])
            missed[key] += not lower <= inside - outside <= upper

    assert max(missed.values()) < (100 if confidence < 0.9 else 40)
