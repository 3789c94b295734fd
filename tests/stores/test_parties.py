"""Organisations, populations, clients and signing keys, on every database."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from adapters.database import SqlDatabase
from contracts.parties import Bearer
from contracts.refusals import AlreadyExists
from contracts.signing import thumbprint
from tests.stores.examples import BRAND, CLIENT, NOW, PAYER, POPULATION, PUBLIC_KEY, SIGNING_KEY


def test_what_was_registered_is_found_as_it_was(database: SqlDatabase) -> None:
    with database.writing() as stores:
        stores.parties.add_signing_key(SIGNING_KEY)
    with database.reading() as stores:
        assert stores.parties.find_organisation(PAYER.id) == PAYER
        assert stores.parties.find_population(POPULATION.id) == POPULATION
        assert stores.parties.find_client(CLIENT.id) == CLIENT
        assert stores.parties.find_signing_key(PAYER.id, SIGNING_KEY.kid) == SIGNING_KEY


def test_what_was_never_registered_is_none(database: SqlDatabase) -> None:
    with database.reading() as stores:
        assert stores.parties.find_organisation("nobody") is None
        assert stores.parties.find_population("nobody") is None
        assert stores.parties.find_client("nobody") is None
        assert stores.parties.list_populations("nobody") == []


def test_the_bearer_of_a_token_is_found_by_client_or_by_an_issuers_name_for_it(database: SqlDatabase) -> None:
    issuer = "https://login.example"
    external = replace(CLIENT, id="external", public_keys=(), issuer=issuer, subject=CLIENT.id)
    with database.writing() as stores:
        stores.parties.add_client(external)
        stores.tokens.revoke("taken-back", NOW + timedelta(minutes=5), NOW)
    with database.reading() as stores:
        for jti, token_revoked in ((None, False), ("another", False), ("taken-back", True)):
            assert stores.parties.find_bearer(CLIENT.id, None, jti) == Bearer(CLIENT, PAYER.role, token_revoked)
            assert stores.parties.find_bearer(CLIENT.id, issuer, jti) == Bearer(external, PAYER.role, token_revoked)
        assert stores.parties.find_bearer("nobody", None, "another") is None
        assert stores.parties.find_bearer(external.id, issuer, None) is None
        assert stores.parties.find_bearer(CLIENT.id, "https://other.example", None) is None


def test_a_signing_key_belongs_to_one_organisation_only(database: SqlDatabase) -> None:
    """Whatever its kid, and however its numbers are written."""
    with database.writing() as stores:
        stores.parties.add_signing_key(SIGNING_KEY)
        for other in (replace(SIGNING_KEY, organisation=BRAND.id), replace(SIGNING_KEY, kid="other")):
            with pytest.raises(AlreadyExists):
                stores.parties.add_signing_key(other)
        assert stores.parties.find_signing_key(PAYER.id, "other") is None
        assert stores.parties.find_signing_key(BRAND.id, SIGNING_KEY.kid) is None
        assert stores.parties.find_key_by_thumbprint(thumbprint(PUBLIC_KEY)) == SIGNING_KEY


def test_a_revoked_key_stays_in_the_list_with_its_reason(database: SqlDatabase) -> None:
    revoked = replace(SIGNING_KEY, revoked_at=NOW + timedelta(1), revocation_reason="stolen", compromised=True)
    with database.writing() as stores:
        stores.parties.add_signing_key(SIGNING_KEY)
        assert stores.parties.lock_signing_key(PAYER.id, SIGNING_KEY.kid) == SIGNING_KEY
        stores.parties.revoke_signing_key(revoked)
    with database.reading() as stores:
        assert stores.parties.find_signing_key(PAYER.id, SIGNING_KEY.kid) == revoked
        assert stores.parties.list_signing_keys(PAYER.id) == [revoked]
        assert stores.parties.list_signing_keys(BRAND.id) == []
        assert stores.parties.list_clients(PAYER.id) == [CLIENT]


def test_clients_are_listed_in_the_order_of_bytes_after_one_and_up_to_a_limit(database: SqlDatabase) -> None:
    ids = ["a-b", "a1", "ab", "b-"]
    with database.writing() as stores:
        for client_id in reversed(ids):
            stores.parties.add_client(replace(CLIENT, id=client_id, organisation=BRAND.id))
    with database.reading() as stores:
        assert [client.id for client in stores.parties.list_clients(BRAND.id)] == ids
        assert [client.id for client in stores.parties.list_clients(BRAND.id, after="a-b", limit=2)] == ["a1", "ab"]
        assert stores.parties.list_clients(BRAND.id, after="b-") == []


@pytest.mark.parametrize(
    ("method", "value"),
    [
        ("add_organisation", replace(PAYER, name="Another name")),
        ("add_population", replace(POPULATION, attestation="no person is in both")),
        ("add_client", replace(CLIENT, organisation=BRAND.id)),
        ("add_signing_key", SIGNING_KEY),
    ],
)
def test_adding_what_exists_is_refused_and_the_transaction_goes_on(
    database: SqlDatabase, method: str, value: object
) -> None:
    with database.writing() as stores:
        stores.parties.add_signing_key(SIGNING_KEY)
        with pytest.raises(AlreadyExists):
            getattr(stores.parties, method)(value)
        stores.parties.add_organisation(replace(PAYER, id="lakeshore"))
    with database.reading() as stores:
        assert stores.parties.find_organisation(PAYER.id) == PAYER
        assert stores.parties.find_organisation("lakeshore") is not None


def test_a_reference_to_nobody_is_no_mere_duplicate(database: SqlDatabase) -> None:
    with pytest.raises(sa.exc.IntegrityError), database.writing() as stores:
        stores.parties.add_population(replace(POPULATION, id="new", organisation="nobody"))


def test_organisations_and_populations_are_listed_in_order(database: SqlDatabase) -> None:
    second = replace(POPULATION, id="a-second", attestation="no person is in both", created_at=NOW + timedelta(1))
    with database.writing() as stores:
        stores.parties.add_population(second)
    with database.reading() as stores:
        assert stores.parties.list_organisations() == [PAYER, BRAND]
        assert stores.parties.list_populations(PAYER.id) == [POPULATION, second]


def test_ids_may_be_written_in_any_script(database: SqlDatabase) -> None:
    organisation = replace(PAYER, id="łódź-健康-🩺", name="'; DROP TABLE organisations; --")
    with database.writing() as stores:
        stores.parties.add_organisation(organisation)
    with database.reading() as stores:
        assert stores.parties.find_organisation(organisation.id) == organisation


def test_an_instant_comes_back_in_utc_whatever_zone_it_was_given_in(database: SqlDatabase) -> None:
    tokyo = NOW.astimezone(timezone(timedelta(hours=9)))
    with database.writing() as stores:
        stores.parties.add_organisation(replace(PAYER, id="lakeshore", created_at=tokyo))
    with database.reading() as stores:
        found = stores.parties.find_organisation("lakeshore")
        assert found is not None
        assert found.created_at == NOW
        assert found.created_at.utcoffset() == timedelta(0)


def test_an_instant_without_a_zone_is_refused(database: SqlDatabase) -> None:
    naive = datetime(2026, 3, 1)
    with pytest.raises(sa.exc.StatementError, match="timezone-aware"), database.writing() as stores:
        stores.parties.add_organisation(replace(PAYER, id="lakeshore", created_at=naive))
