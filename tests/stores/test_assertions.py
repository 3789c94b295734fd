"""Client assertions are used once, on every database."""

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.database import SqlDatabase
from tests.stores.examples import CLIENT, LATER, NOW
from tests.stores.threads import at_once


def test_an_assertion_is_used_once(database: SqlDatabase) -> None:
    with database.writing() as stores:
        assert stores.assertions.use_once(CLIENT.id, "jti-1", LATER, NOW)
        assert not stores.assertions.use_once(CLIENT.id, "jti-1", LATER, NOW)
    with database.writing() as stores:
        assert not stores.assertions.use_once(CLIENT.id, "jti-1", LATER, NOW)
        assert stores.assertions.use_once(CLIENT.id, "jti-2", LATER, NOW)


def test_clients_do_not_share_their_ids(database: SqlDatabase) -> None:
    with database.writing() as stores:
        stores.parties.add_client(replace(CLIENT, id="another"))
        assert stores.assertions.use_once(CLIENT.id, "jti-1", LATER, NOW)
        assert stores.assertions.use_once("another", "jti-1", LATER, NOW)


def test_of_many_threads_one_uses_it(database: SqlDatabase) -> None:
    def use(_number: int) -> bool:
        with database.writing() as stores:
            return stores.assertions.use_once(CLIENT.id, "jti-1", LATER, NOW)

    assert sum(at_once(use)) == 1


@pytest.mark.parametrize(("after", "forgotten"), [(timedelta(minutes=59), False), (timedelta(hours=2), True)])
def test_an_assertion_is_remembered_well_beyond_its_expiry(
    database: SqlDatabase, after: timedelta, forgotten: bool
) -> None:
    with database.writing() as stores:
        stores.assertions.use_once(CLIENT.id, "jti-1", LATER, NOW)
    with database.writing() as stores:
        assert stores.assertions.use_once(CLIENT.id, "jti-1", LATER, LATER + after) is forgotten
