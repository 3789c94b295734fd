"""Treatment episodes and Kaplan-Meier as R makes them of the same fills: AdhereR's compute.treatment.episodes, and
survival, for which the exits are the events.

By experiment, the references were made with carry-over over all drugs (of the settings with and without carry-over, and
with carry-over for the same drug only, no other gives all rows), by fills of either drug alike, and with a follow-up of
730 days from each patient's first fill, later fills left out. `episode.end` is the first day without supply. The
follow-up cuts supply short; while its last gap is not longer than is permitted, the last episode goes on to its end and
is censored there (the gap is told all the same). Our episodes know no follow-up, and so are cut in the same way here;
our exits know one, the plan's last day.
"""

import csv
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.preparation.groups import COHORTS, FIRST_EXITS
from contracts.preparation.definitions import Persons
from tests.unit.histories import EVER, Histories, day, opened_histories

REPOSITORY = Path(__file__).resolve().parents[2]
ADHERER = Path(os.environ.get("PARLEY_TEST_DATA", REPOSITORY.parent / "shared" / "data")) / "adherer"
FOLLOW_UP_DAYS = 730

Episode = tuple[int, int, int, int]  # start, days of gap after it, duration, first day without supply


@pytest.fixture(scope="module")
def histories() -> Iterator[Histories]:
    with opened_histories() as histories:
        yield histories


def read(name: str) -> list[dict[str, str]]:
    if not ADHERER.is_dir():
        pytest.skip("needs the folder adherer of the test data (PARLEY_TEST_DATA), which is absent")
    with (ADHERER / name).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def starts(histories: Histories) -> dict[str, int]:
    """The first fill of each patient. Fills of the follow-up go into the engine, with the follow-up as enrolment."""
    fills = [
        (row["PATIENT_ID"], row["CATEGORY"], "any", day(row["DATE_ISO"]), int(row["DURATION"]))
        for row in read("med_events.csv")
    ]
    starts: dict[str, int] = {}
    for patient, _, _, fill_day, _ in fills:
        starts[patient] = min(starts.get(patient, EVER), fill_day)
    histories.replace(
        {"last_day": EVER - 1},
        members=[(patient,) for patient in starts],
        present=[(patient,) for patient in starts],
        class_fills=[fill for fill in fills if fill[3] < starts[fill[0]] + FOLLOW_UP_DAYS],
        enrolled_spans=[(patient, start, start + FOLLOW_UP_DAYS - 1) for patient, start in starts.items()],
    )
    return starts


def cut_to_follow_up(spans: list[tuple[int, int]], gap_days: int) -> list[Episode]:
    """spans: first and last day of supply of each episode of one patient, in order."""
    end = spans[0][0] + FOLLOW_UP_DAYS
    followed = [(first, min(last + 1, end)) for first, last in spans]
    next_starts = [first for first, _ in followed[1:]] + [end]
    episodes = []
    for (first, after), next_start in zip(followed, next_starts, strict=True):
        gap = next_start - after
        ended = end if next_start == end and gap <= gap_days else after
        episodes.append((first, gap, ended - first, ended))
    return episodes


@pytest.mark.parametrize("gap_days", [30, 60, 90])
def test_episodes_are_those_of_adherer(histories: Histories, starts: dict[str, int], gap_days: int) -> None:
    reference = defaultdict(list)
    for row in read("reference_treatment_episodes.csv"):
        if row["gap"] == str(gap_days):
            gap, duration = int(row["end.episode.gap.days"]), int(row["episode.duration"])
            reference[row["PATIENT_ID"]].append((day(row["episode.start"]), gap, duration, day(row["episode.end"])))
    assert len(reference) == 60

    histories.ask(gap_days=gap_days)
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for episode in histories.select("class_supply", "episodes"):
        spans[episode["member"]].append((episode["start_day"], episode["end_day"]))

    found = {patient: cut_to_follow_up(sorted(spans[patient]), gap_days) for patient in reference}
    assert found == reference


def test_starts_less_exits_give_the_reference_s_kaplan_meier_curve(
    histories: Histories, starts: dict[str, int]
) -> None:
    """At daily grain: the event is dated on the first day without supply, days after the start; whoever leaves the
    follow-up while the gap is still permitted is censored at its end."""
    histories.ask(gap_days=30, first_day=-719162, last_day=EVER - 1, feed_first_day=-719162)
    starting = histories.rows(COHORTS[Persons.STARTING])
    entered = sum(row["not_in_cohort"] is None for row in starting.values())
    exits = histories.select(*COHORTS[Persons.EXITING].tables, *FIRST_EXITS)
    events = Counter(row["end_day"] + 1 - row["start_day"] for row in exits if row["reason"] == "stopped")
    censored = sum(row["reason"] == "left_plan" for row in exits)
    assert {row["member"]: row["start_day"] for row in exits} == starts

    reference = read("reference_km_persistence.csv")
    assert sum(int(row["n_event"]) for row in reference) == events.total()
    assert int(reference[-1]["n_censor"]) == censored
    at_risk, survival = entered, 1.0
    for row in reference:
        ended = events[int(row["time"])]
        survival *= 1 - ended / at_risk
        assert (at_risk, ended) == (int(row["n_risk"]), int(row["n_event"]))
        assert survival == pytest.approx(float(row["surv"]), abs=1e-9)
        at_risk -= ended
    assert at_risk == censored
