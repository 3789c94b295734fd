"""Contracts and signatures, on every database."""

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.database import SqlDatabase
from adapters.database.stores import SqlStores
from contracts.records import ContractEvent, ContractRecord, EventKind, History, PopulationEvent, Stage
from contracts.refusals import AlreadyExists
from tests.stores.examples import BRAND, DOCUMENT, DRAFT, LATER, NOW, PAYER, POPULATION, PROPOSED, SIGNATURE
from tests.stores.threads import at_once


def versions(stores: SqlStores) -> tuple[ContractRecord, ...]:
    history = stores.contracts.find_history(DRAFT.id)
    assert history is not None
    return history.versions


def test_a_draft_is_found_as_it_was_written(database: SqlDatabase) -> None:
    with database.reading() as stores:
        assert stores.contracts.find_history(DRAFT.id) == History((DRAFT,))
        assert stores.contracts.find_history("nothing") is None


def test_the_id_of_a_contract_can_be_taken_once(database: SqlDatabase) -> None:
    with database.writing() as stores:
        with pytest.raises(AlreadyExists):
            stores.contracts.add(replace(DRAFT, drafted_by=PAYER.id))
        assert versions(stores) == (DRAFT,)


def test_versions_of_a_contract_stand_in_their_order(database: SqlDatabase) -> None:
    third, second = replace(DRAFT, version=3), replace(DRAFT, version=2, drafted_by=PAYER.id)
    with database.writing() as stores:
        stores.contracts.add(third)
        stores.contracts.add(second)
        with pytest.raises(AlreadyExists):
            stores.contracts.add(replace(second, drafted_by=BRAND.id))
    with database.reading() as stores:
        assert versions(stores) == (DRAFT, second, third)
        assert stores.contracts.list_histories(BRAND.id) == [History((DRAFT, second, third))]


def test_a_discarded_draft_leaves_nothing_behind(database: SqlDatabase) -> None:
    with database.writing() as stores:
        stores.contracts.discard_draft(DRAFT.id, 1)
    with database.reading() as stores:
        assert stores.contracts.find_history(DRAFT.id) is None
        assert stores.contracts.list_histories(PAYER.id) == []
    with database.writing() as stores:
        stores.contracts.add(DRAFT)


def test_what_is_frozen_is_not_discarded(database: SqlDatabase) -> None:
    with database.writing() as stores:
        assert stores.contracts.replace_draft(PROPOSED)
        stores.contracts.discard_draft(DRAFT.id, 1)
        assert versions(stores) == (PROPOSED,)


def test_events_stand_in_their_order_and_each_place_is_taken_once(database: SqlDatabase) -> None:
    suspended = ContractEvent(DRAFT.id, 1, 1, EventKind.SUSPENDED, PAYER.id, "blueridge-loader", "a breach", NOW)
    resumed = replace(suspended, sequence=2, kind=EventKind.RESUMED, organisation=None, client="console")
    with database.writing() as stores:
        assert stores.contracts.lock("nothing") is None
        assert stores.contracts.lock(DRAFT.id) == History((DRAFT,))
        stores.contracts.add_event(suspended)
        stores.contracts.add_event(resumed)
        with pytest.raises(AlreadyExists):
            stores.contracts.add_event(replace(resumed, kind=EventKind.TERMINATED))
    with database.reading() as stores:
        assert stores.contracts.find_history(DRAFT.id) == History((DRAFT,), (suspended, resumed))


def test_what_was_done_to_a_population_is_found_with_every_contract_that_names_it(database: SqlDatabase) -> None:
    suspended = PopulationEvent(POPULATION.id, 1, EventKind.SUSPENDED, None, "console", "a breach", NOW)
    with database.writing() as stores:
        stores.parties.lock_population(POPULATION.id)
        stores.parties.add_population_event(suspended)
        with pytest.raises(AlreadyExists):
            stores.parties.add_population_event(replace(suspended, reason="another"))
        with pytest.raises(KeyError):
            stores.parties.lock_population("nothing")
        stores.contracts.add(replace(DRAFT, id="dsc-other", document=DOCUMENT | {"parties": []}))
    with database.reading() as stores:
        assert stores.parties.population_events(POPULATION.id) == [suspended]
        found = {history.versions[0].id: history for history in stores.contracts.list_histories(BRAND.id)}
        assert found[DRAFT.id].population_events == (suspended,)
        assert found["dsc-other"].population_events == ()


def test_freezing_replaces_the_draft_by_its_proposed_form(database: SqlDatabase) -> None:
    with database.writing() as stores:
        assert stores.contracts.replace_draft(PROPOSED)
    with database.reading() as stores:
        assert versions(stores) == (PROPOSED,)


def test_what_is_frozen_stays_as_it_is(database: SqlDatabase) -> None:
    with database.writing() as stores:
        assert stores.contracts.replace_draft(PROPOSED)
        assert not stores.contracts.replace_draft(replace(PROPOSED, document=DOCUMENT, digest="00" * 32))
        assert not stores.contracts.replace_draft(replace(PROPOSED, id="nothing"))
    with database.reading() as stores:
        assert versions(stores) == (PROPOSED,)


def test_of_many_proposals_at_once_one_freezes_the_draft(database: SqlDatabase) -> None:
    def propose(number: int) -> bool:
        with database.writing() as stores:
            return stores.contracts.replace_draft(replace(PROPOSED, digest=f"{number:064}"))

    won = at_once(propose)
    assert sum(won) == 1
    with database.reading() as stores:
        (found,) = versions(stores)
        assert found.digest == f"{won.index(True):064}"


def test_signatures_come_with_their_contract_in_the_order_of_signing(database: SqlDatabase) -> None:
    second = replace(SIGNATURE, organisation=BRAND.id, signed_at=LATER)
    with database.writing() as stores:
        stores.contracts.replace_draft(PROPOSED)
        stores.contracts.add_signature(DRAFT.id, 1, second)
        stores.contracts.add_signature(DRAFT.id, 1, SIGNATURE)
    with database.reading() as stores:
        signed = replace(PROPOSED, signatures=(SIGNATURE, second))
        assert stores.contracts.list_histories(PAYER.id) == [History((signed,))]


def test_a_party_signs_a_version_once(database: SqlDatabase) -> None:
    with database.writing() as stores:
        stores.contracts.replace_draft(PROPOSED)
        stores.contracts.add_signature(DRAFT.id, 1, SIGNATURE)
        with pytest.raises(AlreadyExists):
            stores.contracts.add_signature(DRAFT.id, 1, replace(SIGNATURE, jws="another..one"))
    with database.reading() as stores:
        (found,) = versions(stores)
        assert found.signatures == (SIGNATURE,)


def test_contracts_are_listed_for_who_drafted_them_and_whom_they_name(database: SqlDatabase) -> None:
    earlier = replace(
        DRAFT,
        id="zz-earlier",
        document={"parties": [{"organisation": "not-registered", "population": "none"}]},
        drafted_by=PAYER.id,
        drafted_at=NOW - timedelta(days=1),
    )
    with database.writing() as stores:
        stores.contracts.add(earlier)
    with database.reading() as stores:
        assert stores.contracts.list_histories(PAYER.id) == [History((earlier,)), History((DRAFT,))]
        assert stores.contracts.list_histories(BRAND.id) == [History((DRAFT,))]
        assert stores.contracts.list_histories("not-registered") == [History((earlier,))]
        assert stores.contracts.list_histories("nobody") == []


def test_freezing_lists_the_contract_for_whom_it_names_then(database: SqlDatabase) -> None:
    without_payer = replace(
        PROPOSED,
        document={"parties": [{"organisation": BRAND.id, "population": "helix-patients"}]},
        stage=Stage.PROPOSED,
    )
    with database.writing() as stores:
        assert stores.contracts.replace_draft(without_payer)
    with database.reading() as stores:
        assert stores.contracts.list_histories(PAYER.id) == []
        assert stores.contracts.list_histories(BRAND.id) == [History((without_payer,))]
