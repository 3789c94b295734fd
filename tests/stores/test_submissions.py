"""Submissions, on every database."""

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.database import SqlDatabase
from contracts.records import SubmissionRecord
from contracts.refusals import AlreadyExists
from tests.stores.examples import BRAND, DRAFT, LATER, PAYER, SUBMISSION
from tests.stores.threads import at_once


@pytest.fixture
def database_with_submission(database: SqlDatabase) -> SqlDatabase:
    with database.writing() as stores:
        stores.submissions.add(SUBMISSION)
    return database


def test_a_submission_is_found_by_its_id_and_by_its_period(database_with_submission: SqlDatabase) -> None:
    with database_with_submission.reading() as stores:
        assert stores.submissions.find(SUBMISSION.id) == SUBMISSION
        assert stores.submissions.find("nothing") is None
        period = (DRAFT.id, (1,), "fills", PAYER.id)
        assert stores.submissions.find_for_period(*period, "2025-01", 0) == SUBMISSION
        assert stores.submissions.find_for_period(*period, "2025-02", 0) is None
        assert stores.submissions.find_for_period(*period, "2025-01", 1) is None


@pytest.mark.parametrize(
    "rival", [replace(SUBMISSION, period="2025-02"), replace(SUBMISSION, id="sub-2")], ids=["id", "period"]
)
def test_an_id_and_a_period_are_submitted_once(database_with_submission: SqlDatabase, rival: SubmissionRecord) -> None:
    with database_with_submission.writing() as stores:
        with pytest.raises(AlreadyExists):
            stores.submissions.add(rival)
        assert stores.submissions.find(SUBMISSION.id) == SUBMISSION


def test_each_restatement_of_a_period_is_a_submission_of_its_own(database_with_submission: SqlDatabase) -> None:
    restated = replace(SUBMISSION, id="sub-2", restatement=1)
    with database_with_submission.writing() as stores:
        stores.submissions.add(restated)
        with pytest.raises(AlreadyExists):
            stores.submissions.add(replace(restated, id="sub-3"))
        period = (DRAFT.id, (1,), "fills", PAYER.id, "2025-01")
        assert stores.submissions.find_for_period(*period, 0) == SUBMISSION
        assert stores.submissions.find_for_period(*period, 1) == restated


def test_another_feed_or_provider_has_periods_of_its_own(database_with_submission: SqlDatabase) -> None:
    with database_with_submission.writing() as stores:
        stores.submissions.add(replace(SUBMISSION, id="sub-2", feed="adherence"))
        stores.submissions.add(replace(SUBMISSION, id="sub-3", provider=BRAND.id))
    with database_with_submission.reading() as stores:
        assert stores.submissions.find_for_period(DRAFT.id, (1,), "fills", BRAND.id, "2025-01", 0) is not None


def test_of_many_threads_one_submits_a_period(database: SqlDatabase) -> None:
    def submit(number: int) -> bool:
        try:
            with database.writing() as stores:
                stores.submissions.add(replace(SUBMISSION, id=f"sub-{number}"))
        except AlreadyExists:
            return False
        return True

    assert sum(at_once(submit)) == 1


def test_a_claim_begins_the_next_attempt_and_no_other(database_with_submission: SqlDatabase) -> None:
    lease_until = LATER + timedelta(minutes=5)
    with database_with_submission.writing() as stores:
        assert not stores.submissions.claim(SUBMISSION.id, 1, lease_until)
        assert not stores.submissions.claim(SUBMISSION.id, 3, lease_until)
        assert not stores.submissions.claim("nothing", 2, lease_until)
        assert stores.submissions.claim(SUBMISSION.id, 2, lease_until)
    with database_with_submission.reading() as stores:
        claimed = replace(SUBMISSION, attempt=2, lease_until=lease_until)
        assert stores.submissions.find(SUBMISSION.id) == claimed


def test_of_many_threads_one_begins_an_attempt(database_with_submission: SqlDatabase) -> None:
    def claim(_number: int) -> bool:
        with database_with_submission.writing() as stores:
            return stores.submissions.claim(SUBMISSION.id, 2, LATER)

    assert sum(at_once(claim)) == 1
