"""What was stored is what is acted on: altered contracts and blocks are refused, and posting has one order."""

import threading
from typing import Any

import pytest
import sqlalchemy as sa

from adapters.database.stores.remembered import Memory
from adapters.database.tables import contracts, releases
from contracts.refusals import AlreadyExists
from contracts.terms import document as terms
from tests.http.answers import FILLS, SUPPORT, answer, post
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import (
    BRAND,
    PAYERS,
    NoNoise,
    SmallExchange,
    fills,
    small_contract,
)


def altered(url: str, statement: Any, *setup: str) -> None:
    """Change rows behind the exchange's back, as somebody with the database's password could."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for text in setup:
            connection.exec_driver_sql(text)
        connection.execute(statement)
    engine.dispose()


def test_a_contract_altered_in_the_database_takes_no_submission(
    agreed: SmallExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    with agreed.wiring.database.reading() as stores:
        document = stores.contracts.find_history("dsc-small").versions[-1].document
    weaker = document | {"rules": document["rules"] | {"min_payers": 1}}
    altered(agreed.url, contracts.update().values(document=weaker))
    monkeypatch.setattr(terms, "_READ", terms.ReadTerms(2**20))  # as after a restart
    monkeypatch.setattr(agreed.wiring.database, "_memory", Memory())

    assert_problem(agreed.submit("blueridge", fills()), 500, "internal")
    assert agreed.traces()["releases"] == 0


def test_a_block_altered_in_the_database_is_not_answered_from(agreed: SmallExchange) -> None:
    for name in PAYERS:
        assert agreed.submit(name, fills()).status_code == 201
    with agreed.wiring.database.reading() as stores:
        found = stores.releases.list_for_contract("dsc-small")
        other = stores.releases.get_blocks([found[1].id])[found[1].id]
    altered(
        agreed.url,
        releases.update().where(releases.c.id == found[0].id).values(block=other),
        *(f"DROP TRIGGER {name}" for name in trigger_names(agreed.url)),
    )

    assert_problem(agreed.ask(BRAND, "pdc_pooled"), 500, "internal")


def trigger_names(url: str) -> list[str]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").all()
    engine.dispose()
    return [row[0] for row in rows]


def test_penetration_waits_until_every_payer_is_in_the_pool(migrated_sqlite_url: str) -> None:
    small = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    small.agree(small_contract(rules={"min_payers": 1, "small_cells": None}))
    post(small, "support", {key: rows for key, rows in SUPPORT.items() if key[1] == "2025-01"})
    january = {key: rows for key, rows in FILLS.items() if key[1] == "2025-01"}
    *first, last = january.items()
    post(small, "fills", dict(first))

    # The brand counts the patients of all three payers; over the members of two the share would be too high.
    assert answer(small, "pdc_pooled")["rows"][0]["state"] == "shown"
    assert_problem(small.ask(BRAND, "psp_penetration"), 409, "nothing-released")

    post(small, "fills", dict([last]))
    assert answer(small, "psp_penetration")["rows"][0]["state"] == "shown"


@pytest.mark.slow
def test_releases_of_one_contract_are_stored_one_after_another(migrated_postgresql_url: str) -> None:
    """Otherwise a release with an earlier number could appear within a pool that has opened without it."""
    small = SmallExchange(migrated_postgresql_url)
    small.agree()
    assert small.submit("blueridge", fills()).status_code == 201
    done = threading.Event()

    def post_another() -> None:
        assert small.submit("lakeshore", fills()).status_code == 201
        done.set()

    with small.wiring.database.writing() as stores:
        stored = stores.releases.find_for_submission(stores.releases.list_for_contract("dsc-small")[0].submission_id)
        with pytest.raises(AlreadyExists):
            stores.releases.add(stored, b"")  # takes the contract's turn, and adds nothing
        thread = threading.Thread(target=post_another)
        thread.start()
        assert not done.wait(1.0)
    assert done.wait(20)
    thread.join()
    small.wiring.database.close()
