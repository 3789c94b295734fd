"""Contracts and signatures, on every database."""

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.database import SqlDatabase
from contracts.records import Stage
from contracts.refusals import AlreadyExists
from tests.stores.examples import BRAND, DOCUMENT, DRAFT, LATER, NOW, PAYER, PROPOSED, SIGNATURE
from tests.stores.threads import at_once


def test_a_draft_is_found_as_it_was_written(database: SqlDatabase) -> None:
    with database.reading() as stores:
        assert stores.contracts.find(DRAFT.id) == DRAFT
        assert stores.contracts.find("nothing") is None


@pytest.mark.parametrize("version", [1, 2])
def test_the_id_of_a_contract_can_be_taken_once_in_any_version(database: SqlDatabase, version: int) -> None:
    with database.writing() as stores:
        with pytest.raises(AlreadyExists):
            stores.contracts.add(replace(DRAFT, version=version, drafted_by=PAYER.id))
        assert stores.contracts.find(DRAFT.id) == DRAFT


def test_freezing_replaces_the_draft_by_its_proposed_form(database: SqlDatabase) -> None:
    with database.writing() as stores:
        assert stores.contracts.freeze(PROPOSED)
    with database.reading() as stores:
        assert stores.contracts.find(DRAFT.id) == PROPOSED


def test_what_is_frozen_stays_as_it_is(database: SqlDatabase) -> None:
    with database.writing() as stores:
        assert stores.contracts.freeze(PROPOSED)
        assert not stores.contracts.freeze(replace(PROPOSED, document=DOCUMENT, digest="00" * 32))
        assert not stores.contracts.freeze(replace(PROPOSED, id="nothing"))
    with database.reading() as stores:
        assert stores.contracts.find(DRAFT.id) == PROPOSED


def test_of_many_proposals_at_once_one_freezes_the_draft(database: SqlDatabase) -> None:
    def propose(number: int) -> bool:
        with database.writing() as stores:
            return stores.contracts.freeze(replace(PROPOSED, digest=f"{number:064}"))

    won = at_once(propose)
    assert sum(won) == 1
    with database.reading() as stores:
        found = stores.contracts.find(DRAFT.id)
        assert found is not None
        assert found.digest == f"{won.index(True):064}"


def test_signatures_come_with_their_contract_in_the_order_of_signing(database: SqlDatabase) -> None:
    second = replace(SIGNATURE, organisation=BRAND.id, signed_at=LATER)
    with database.writing() as stores:
        stores.contracts.freeze(PROPOSED)
        stores.contracts.add_signature(DRAFT.id, 1, second)
        stores.contracts.add_signature(DRAFT.id, 1, SIGNATURE)
    with database.reading() as stores:
        found = stores.contracts.find(DRAFT.id)
        assert found == replace(PROPOSED, signatures=(SIGNATURE, second))
        assert stores.contracts.list_for(PAYER.id) == [found]


def test_a_party_signs_a_version_once(database: SqlDatabase) -> None:
    with database.writing() as stores:
        stores.contracts.freeze(PROPOSED)
        stores.contracts.add_signature(DRAFT.id, 1, SIGNATURE)
        with pytest.raises(AlreadyExists):
            stores.contracts.add_signature(DRAFT.id, 1, replace(SIGNATURE, jws="another..one"))
    with database.reading() as stores:
        found = stores.contracts.find(DRAFT.id)
        assert found is not None
        assert found.signatures == (SIGNATURE,)


def test_contracts_are_listed_for_who_drafted_them_and_whom_they_name(database: SqlDatabase) -> None:
    earlier = replace(
        DRAFT,
        id="zz-earlier",
        document={"parties": [{"organisation": "not-registered"}]},
        drafted_by=PAYER.id,
        drafted_at=NOW - timedelta(days=1),
    )
    with database.writing() as stores:
        stores.contracts.add(earlier)
    with database.reading() as stores:
        assert stores.contracts.list_for(PAYER.id) == [earlier, DRAFT]
        assert stores.contracts.list_for(BRAND.id) == [DRAFT]
        assert stores.contracts.list_for("not-registered") == [earlier]
        assert stores.contracts.list_for("nobody") == []


def test_freezing_lists_the_contract_for_whom_it_names_then(database: SqlDatabase) -> None:
    without_payer = replace(PROPOSED, document={"parties": [{"organisation": BRAND.id}]}, stage=Stage.PROPOSED)
    with database.writing() as stores:
        assert stores.contracts.freeze(without_payer)
    with database.reading() as stores:
        assert stores.contracts.list_for(PAYER.id) == []
        assert stores.contracts.list_for(BRAND.id) == [without_payer]
