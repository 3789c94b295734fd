"""`make study` asks every statistic: its subjects are answered, and most intervals hold even in a handful of draws."""

import pytest

from benchmarks.study.__main__ import tried
from benchmarks.study.subjects import SUBJECTS, Subject
from contracts.statistics.catalogue import OFFERED

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_a_subject_of_the_study_is_answered(subject: Subject) -> None:
    """At 95% coverage fewer than half of 20 draws hold the truth less than once in a million."""
    held = [each.noise for _, each in tried(subject, people=1_000, sd=10.0, draws=20, seed=1) if each.noise is not None]

    assert sum(held) > len(held) / 2 > 0


def test_every_statistic_is_studied_but_the_assessment_which_has_no_interval() -> None:
    assert {subject.question.statistic for subject in SUBJECTS} == set(OFFERED) - {"threshold_assessment"}
