"""What an explanation presents of a figure's parts where the contract grants no counts, however many they are."""

import pytest

from contracts.statistics.answers import Row, State, Term, Working
from contracts.statistics.explaining import explain

FIRST, SECOND, THIRD = (Term(name, estimate, 4.0, 2.0) for name, estimate in (("a", 30.25), ("m", 121.0), ("w", 7.5)))


def formula_told(formula: str, *terms: Term, granted: tuple[str, ...] = ("rate",)) -> Working:
    working = Working(formula, terms, 1.0, 0.5, 0.7)
    row = Row({}, "rate", "share", State.SHOWN, 0.25, None, None, (), working)
    (told,) = explain("helix", granted, (), (row,)).rows
    assert told.working is not None
    return told.working


@pytest.mark.parametrize(
    ("formula", "terms", "told"),
    [
        ("a / m = 30.25 / 121 = 0.25", (FIRST, SECOND), "a / m"),
        ("1000 * a / (m + w) = 1000 * 30.25 / (121 + 7.5) = 235.4", (FIRST, SECOND, THIRD), "1000 * a / (m + w)"),
        ("a - m, which is no share", (FIRST, SECOND), "a - m, which is no share"),
        # Where a statistic has its numbers in front, no more than their names.
        ("Phi((30.25 - 0.8 * 121) / 5) = 0.9", (FIRST, SECOND), "of a, m"),
    ],
)
def test_parts_stay_out_without_a_grant_of_counts_whatever_the_formula(
    formula: str, terms: tuple[Term, ...], told: str
) -> None:
    working = formula_told(formula, *terms)

    assert working.formula == f"{told}; the contract grants you no counts"
    assert (working.terms, working.covariance) == ((), None)
    assert (working.variance, working.sd) == (0.5, 0.7)


def test_with_a_grant_of_counts_or_without_parts_all_is_told() -> None:
    formula = "a / m = 30.25 / 121 = 0.25"

    assert formula_told(formula, FIRST, SECOND, granted=("counts", "rate")).terms == (FIRST, SECOND)
    assert formula_told("a = 30.25", FIRST).formula == "a = 30.25"
    assert formula_told("0.5 - 0.25 = 0.25").formula == "0.5 - 0.25 = 0.25"
