"""Coarser dimensions sum the same fitted cells, in one order in every feed; a draft that confuses them is refused."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.agreeing import with_plans
from contracts.differences.comparing import compare
from contracts.drafting.rollups import rollup_faults
from contracts.parties import JsonObject
from contracts.periods import Grain, Period
from contracts.refusals import QuestionInvalid
from contracts.statistics.checking import check_question
from contracts.statistics.meeting import in_common, require_common
from contracts.statistics.questions import Question, group_names, groups_of
from contracts.terms import DimensionRollup, FeedTerms, read_terms
from contracts.terms.rollups import RolledUp, rolled_up_in
from privacy.arrays import Floats
from privacy.mechanism import DiscreteGaussian
from tests.unit.terms import DOCUMENT, a_release, some_feed, some_terms
from tests.unit.test_slices import MARGINS, PAYERS, SIGMA, a_feed, cut, released

STATES = ("CT", "FL", "MA", "NY", "TX")
DIVISION = DimensionRollup(
    "division", "state", {"new_england": ("CT", "MA"), "mid_atlantic": ("NY",), "gulf": ("TX", "FL")}
)
REGION = DimensionRollup("region", "division", {"northeast": ("mid_atlantic", "new_england"), "south": ("gulf",)})
DRAFT: JsonObject = {
    "vocabularies": {"state": list(STATES), "region": ["south", "northeast"], "sex": ["F", "M"]},
    "rollups": {
        "period": {"quarter": "month"},
        "dimensions": {
            "division": {"of": "state", "groups": {k: list(v) for k, v in DIVISION.groups.items()}},
            "region": {"of": "division", "groups": {k: list(v) for k, v in REGION.groups.items()}},
        },
    },
    "feeds": [{"dimensions": ["state", "sex"]}, {"dimensions": ["region"]}],
}


def by_states(**vocabularies: tuple[str, ...]) -> FeedTerms:
    """fills, by state and sex, which roll up to divisions and regions."""
    known = {"state": STATES, "sex": ("F", "M"), **vocabularies}
    rolled_up = rolled_up_in(("state", "sex"), known, (REGION, DIVISION))
    return replace(some_feed(), vocabularies={"state": STATES, "sex": ("F", "M")}, rolled_up=rolled_up)


def test_a_feed_of_the_finest_can_be_asked_by_all_that_it_rolls_up_to() -> None:
    feed = by_states()

    assert feed.askable == ("state", "sex", "division", "region")
    assert [feed.own_of(name) for name in feed.askable] == ["state", "sex", "state", "state"]
    assert feed.groups_by("division") == DIVISION.groups
    assert {value: set(held) for value, held in feed.groups_by("region").items()} == {
        "northeast": {"CT", "MA", "NY"},
        "south": {"FL", "TX"},
    }


def test_a_feed_of_divisions_rolls_up_from_there_and_its_own_dimensions_stay_its_own() -> None:
    found = rolled_up_in(("division",), {"division": ("gulf", "mid_atlantic", "new_england")}, (DIVISION, REGION))

    assert {name: each.of for name, each in found.items()} == {"region": "division"}
    assert list(found["region"].groups) == ["south", "northeast"]
    assert rolled_up_in(("sex",), {"sex": ("F", "M")}, (DIVISION, REGION)) == {}


def test_values_stand_in_the_order_of_lists_and_never_of_the_members_of_an_object() -> None:
    turned = DimensionRollup("division", "state", dict(reversed(DIVISION.groups.items())))
    for rollup in (DIVISION, turned):
        found = rolled_up_in(("state",), {"state": STATES}, (rollup,))
        assert list(found["division"].groups) == ["new_england", "gulf", "mid_atlantic"]  # CT, FL, NY come so

    named = by_states(region=("south", "northeast"))
    assert list(named.groups_by("region")) == ["south", "northeast"]
    assert list(by_states().groups_by("region")) == ["northeast", "south"]


def test_a_circle_of_roll_ups_is_read_without_end_nowhere() -> None:
    circle = (DimensionRollup("a", "b", {"x": ("y",)}), DimensionRollup("b", "a", {"y": ("x",)}))

    assert rolled_up_in(("state",), {"state": STATES}, circle) == {}


def summed(by: tuple[str, ...] = (), **where: tuple[str, ...]) -> list[set[str]]:
    """The states behind each row."""
    feed = by_states()
    states, _ = groups_of(Question("counts", by=by, where=where), feed, {})
    return [{state for state, weight in zip(STATES, row, strict=True) if weight == 1.0} for row in states]


def test_each_row_of_a_roll_up_sums_what_it_holds_and_filters_leave() -> None:
    assert summed(("division",)) == [{"CT", "MA"}, {"FL", "TX"}, {"NY"}]
    assert summed(("region",)) == [{"CT", "MA", "NY"}, {"FL", "TX"}]
    assert summed((), region=("south",)) == [{"FL", "TX"}]
    assert summed(("state",), region=("south",)) == [{"FL"}, {"TX"}]
    assert summed(("region",), state=("NY", "TX", "CT")) == [{"CT", "NY"}, {"TX"}]
    assert summed(("division",), region=("northeast",), state=("NY", "TX")) == [{"NY"}]
    question = Question("counts", by=("division",), where={"region": ("northeast",)})
    assert group_names(question, by_states(), "division") == ("new_england", "mid_atlantic")


def test_a_statistic_narrows_by_a_roll_up_without_dropping_rows() -> None:
    states, _ = groups_of(Question("counts", by=("state",)), by_states(), {"region": ("south",)})

    assert states.sum(axis=1).tolist() == [0, 1, 0, 0, 1]


def faults_of(**parts: Any) -> dict[str, str]:
    try:
        check_question(Question("counts", **parts), some_terms(), (by_states(),), (1,))
    except QuestionInvalid as refused:
        return {f"{fault.pointer} {fault.code}": fault.message for fault in refused.faults}
    return {}


def test_questions_that_confuse_a_dimension_with_its_roll_up_are_told_what_would_do() -> None:
    assert faults_of(by=("region", "sex"), where={"state": ("NY",)}) == {}
    nested = faults_of(by=("state", "region"))
    assert list(nested) == ["/by dimensions_nested"]
    assert "state, division, region" in nested["/by dimensions_nested"]
    unknown = faults_of(by=("county",))
    assert all(name in unknown["/by dimension_unknown"] for name in ("state", "division", "region", "month"))
    assert "northeast, south" in faults_of(where={"region": ("north",)})["/where value_unknown"]
    empty = faults_of(where={"region": ("south",), "state": ("NY", "CT")})
    assert list(empty) == ["/where filters_contradict"]
    assert "south is made of FL, TX" in empty["/where filters_contradict"].replace("TX, FL", "FL, TX")
    assert list(faults_of(where={"region": ("south",), "division": ("gulf", "mid_atlantic")})) == []


# --- sums and their noise


def dense_covariance() -> Floats:
    """Of the fitted cells of one release of `a_feed`: dense least squares over its margins."""
    sizes = {"region": 3, "sex": 2}
    information: Floats = np.zeros((6, 6))
    for place, margin in enumerate(MARGINS):
        rows: Floats = np.ones((1, 1))
        for name, size in sizes.items():
            wider = np.eye(size) if name in margin else np.ones((1, size))
            rows = np.asarray(np.kron(rows, wider), dtype=np.float64)
        information += np.asarray(rows.T @ rows / (SIGMA / (place + 1)) ** 2, dtype=np.float64)
    return np.asarray(np.linalg.inv(information), dtype=np.float64)


def test_rolling_up_is_the_sum_of_the_same_fitted_cells_with_the_variance_of_that_sum() -> None:
    groups = {"pacific": ("west",), "atlantic": ("northeast", "south")}
    feed = replace(a_feed(), rolled_up={"coast": RolledUp("region", groups)})
    drawn = released(feed, DiscreteGaussian())

    fine = cut(feed, drawn, "region", "sex").estimate("members").values.reshape(3, 2)
    coarse = cut(feed, drawn, "coast", "sex").estimate("members")
    turned = cut(feed, drawn, "sex", "coast").estimate("members").values.reshape(2, 2)
    kept = cut(feed, drawn, coast=("atlantic",)).estimate("members")

    values = coarse.values.reshape(2, 2)
    assert values[0] == pytest.approx(fine[2], abs=1e-9)
    assert values[1] == pytest.approx(fine[0] + fine[1], abs=1e-9)
    assert turned.T.ravel() == pytest.approx(values.ravel(), abs=1e-9)
    assert kept.values[0] == pytest.approx(fine[:2].sum(), abs=1e-9)
    releases, covariance = 2 * len(PAYERS) + 2, dense_covariance()
    weights = np.kron([[0, 0, 1], [1, 1, 0]], np.eye(2))
    assert coarse.variances == pytest.approx(releases * np.diag(weights @ covariance @ weights.T))
    both = np.kron([1, 1, 0], [1, 1])
    assert kept.variances[0] == pytest.approx(releases * both @ covariance @ both)


@given(st.lists(st.integers(0, 2), min_size=5, max_size=5), st.sets(st.sampled_from(STATES), min_size=1))
def test_whatever_the_groups_their_rows_hold_what_the_filter_leaves_once(groups: list[int], kept: set[str]) -> None:
    held = {f"g{g}": tuple(s for s, at in zip(STATES, groups, strict=True) if at == g) for g in sorted(set(groups))}
    feed = replace(by_states(), rolled_up={"group": RolledUp("state", held)})

    question = Question("counts", by=("group",), where={"state": tuple(kept)})
    states, _ = groups_of(question, feed, {})

    assert states.sum(axis=0).tolist() == [float(state in kept) for state in STATES]
    assert (states.sum(axis=1) > 0).all()
    assert len(states) == len(group_names(question, feed, "group"))


# --- drafting


def change(*path: str, value: Any) -> Callable[[JsonObject], None]:
    def apply(document: JsonObject) -> None:
        for name in path[:-1]:
            document = document[name]
        document[path[-1]] = value

    return apply


DIMENSIONS = ("rollups", "dimensions")
DRAFTS = {
    "of nothing there is": (
        change(*DIMENSIONS, "division", "of", value="county"),
        {"/rollups/dimensions/division/of dimension_unknown"},
    ),
    "of itself": (
        change(*DIMENSIONS, "division", "of", value="division"),
        {"/rollups/dimensions/division/of rollup_circular"},
    ),
    "in a circle": (
        change(*DIMENSIONS, "division", "of", value="region"),
        {f"/rollups/dimensions/{name}/of rollup_circular" for name in ("division", "region")},
    ),
    "with a value that is not there": (
        change(*DIMENSIONS, "division", "groups", "gulf", value=["TX", "FL", "AL"]),
        {"/rollups/dimensions/division/groups/gulf value_unknown"},
    ),
    "with a value in two groups": (
        change(*DIMENSIONS, "division", "groups", "gulf", value=["TX", "FL", "NY"]),
        {"/rollups/dimensions/division/groups value_repeated"},
    ),
    "with a value in none": (
        change(*DIMENSIONS, "division", "groups", "gulf", value=["TX"]),
        {"/rollups/dimensions/division/groups value_ungrouped"},
    ),
    "with other values than the vocabulary of its name": (
        change("vocabularies", "region", value=["south", "northeast", "west"]),
        {"/rollups/dimensions/region/groups values_differ"},
    ),
    "with a name of the exchange": (
        change(*DIMENSIONS, "payer", value={"of": "sex", "groups": {"all": ["F", "M"]}}),
        {"/rollups/dimensions/payer name_reserved"},
    ),
    "beside what it is made of": (
        change("feeds", value=[{"dimensions": ["sex", "region", "state"]}]),
        {"/feeds/0/dimensions/1 rollup_in_feed"},
    ),
    "of time from coarse to fine": (
        change("rollups", "period", value={"month": "quarter"}),
        {"/rollups/period/month rollup_reversed"},
    ),
}


@pytest.mark.parametrize("name", DRAFTS)
def test_a_roll_up_that_does_not_hold_each_value_once_is_refused(name: str) -> None:
    apply, expected = DRAFTS[name]
    document = deepcopy(DRAFT)
    assert list(rollup_faults(document)) == []

    apply(document)

    assert {f"{fault.pointer} {fault.code}" for fault in rollup_faults(document)} == expected


def test_a_change_of_a_roll_up_is_said_by_its_name_and_value() -> None:
    document = with_plans(deepcopy(DOCUMENT))
    document["rollups"]["dimensions"] = {"coast": {"of": "region", "groups": {"east": ["northeast", "south"]}}}
    changed = deepcopy(document)
    changed["rollups"]["dimensions"]["coast"]["groups"] = {"east": ["northeast"], "inland": ["south"]}

    said = [difference.words for difference in compare(document, changed).differences]

    assert said == ["of the roll-up coast, east loses south", "of the roll-up coast, inland is added (south)"]


# --- time


def test_roll_ups_of_time_follow_one_another() -> None:
    document = deepcopy(DOCUMENT)
    document["rollups"]["period"] = {"quarter": "month", "year": "quarter"}
    terms = read_terms(document)

    fills, _, adherence = terms.feeds
    assert terms.grains_of(fills) == (Grain.MONTH, Grain.QUARTER, Grain.YEAR)
    assert terms.grains_of(replace(fills, grain=Grain.QUARTER)) == (Grain.QUARTER, Grain.YEAR)
    assert terms.grains_of(adherence) == (Grain.YEAR,)


def months(*numbers: int) -> tuple[Period, ...]:
    return tuple(Period.parse(f"2025-{number:02d}", Grain.MONTH) for number in numbers)


def test_feeds_of_two_grains_meet_over_whole_periods_of_the_coarser() -> None:
    monthly, quarterly = some_feed(), replace(some_feed(), name="treated", grain=Grain.QUARTER)
    quarters = tuple(Period.parse(f"2025-Q{number}", Grain.QUARTER) for number in (1, 2, 3))
    opened = [
        {str(period): [a_release("a", str(period))] for period in quarters[:2]},
        {str(period): [a_release("a", str(period))] for period in months(1, 2, 3, 5, 6, 7, 8, 9)},
    ]

    shared, asked = in_common([quarterly, monthly], opened, [quarters, months(*range(2, 10))])

    assert [list(found) for found in shared] == [["2025-Q1"], ["2025-01", "2025-02", "2025-03"]]
    assert asked == [quarters[1:], months(4, 5, 6, 7, 8, 9)]
    with pytest.raises(QuestionInvalid) as refused:
        require_common([quarterly, monthly], [quarters[:1], months(2, 3, 4, 5)])
    (fault,) = refused.value.faults
    assert (fault.pointer, fault.code) == ("/periods", "period_invalid")
    assert "treated has" in fault.message
