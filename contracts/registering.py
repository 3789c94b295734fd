"""Use cases of the operator: who is in the exchange. Organisations, populations, clients, signing keys."""

from dataclasses import dataclass, replace

from contracts.audit import acts
from contracts.audit.acts import CONSOLE, By
from contracts.audit.chain import append
from contracts.external_issuers import require_free_name, require_sound_name
from contracts.ledger.entries import Entry
from contracts.ledger.witnessing import WitnessedLedger
from contracts.parties import Caller, Client, JsonObject, Organisation, Population, Role, Scope, SigningKey
from contracts.ports import Clock, Database, Stores, Witness
from contracts.proofs import require_free_proofs, require_no_client_key
from contracts.public_keys import invalid, public_jwk, published_at, signing_jwk
from contracts.refusals import (
    AlreadyExists,
    ClientNotFound,
    ClientRevoked,
    Conflict,
    OperatorOnly,
    OrganisationNotFound,
    PopulationNotFound,
    SigningKeyRevoked,
)
from contracts.signing import thumbprint
from privacy.units import NotABudget, budget_nano


class AttestationMissing(Conflict):
    """A second population of one provider, without the recorded statement that no person is in both."""

    code = "attestation-missing"


def require_operator(caller: Caller) -> None:
    """Raises OperatorOnly."""
    if caller.role is not Role.OPERATOR:
        raise OperatorOnly("Only the operator registers organisations and what belongs to them.")


@dataclass(frozen=True, slots=True)
class Registering:
    """Registration. The door decides who may call; the command line calls as the operator.

    by: who registers, for the audit.
    """

    database: Database
    clock: Clock
    witness: Witness

    def add_organisation(self, organisation_id: str, name: str, role: Role, by: By = CONSOLE) -> Organisation:
        """Raises AlreadyExists."""
        organisation = Organisation(organisation_id, name, role, self.clock.now())
        with self.database.writing() as stores:
            stores.parties.add_organisation(organisation)
            append(stores, organisation.created_at, acts.organisation_registered(by, organisation))
        return organisation

    def add_population(
        self,
        organisation_id: str,
        population_id: str,
        rho: str,
        attestation: str | None = None,
        by: By = CONSOLE,
    ) -> Population:
        """Create a population and record the grant that is its lifetime ceiling, in rho.

        Raises OrganisationNotFound, RegistrationInvalid, AttestationMissing, AlreadyExists, or LedgerSealed when the
        witness knows this population of before.
        """
        granted_nano = _granted_nano(rho)
        population = Population(population_id, organisation_id, attestation, self.clock.now())
        with WitnessedLedger(self.database, self.witness).writing() as writing:
            stores = writing.stores
            _get_organisation(stores, organisation_id)
            if stores.parties.list_populations(organisation_id) and not attestation:
                raise AttestationMissing(
                    "The organisation has a population. A second one needs the operator's attestation that no person "
                    "is in both, since losses of one person add up."
                )
            stores.parties.add_population(population)
            account = writing.open_account(population_id)
            entry = account.grant(granted_nano, "population registered", self.clock.now())
            writing.append(entry)
            registered = acts.population_registered(by, population)
            append(stores, population.created_at, registered, acts.budget_granted(by, organisation_id, entry))
        return population

    def grant(self, population_id: str, rho: str, reason: str, by: By = CONSOLE) -> Entry:
        """Record a grant that raises a population's lifetime ceiling by rho: the only way to new budget.

        Raises PopulationNotFound, RegistrationInvalid, LedgerSealed.
        """
        amount_nano = _granted_nano(rho)
        with WitnessedLedger(self.database, self.witness).writing() as writing:
            stores = writing.stores
            population = stores.parties.find_population(population_id)
            if population is None:
                raise PopulationNotFound("There is no population of this name.")
            entry = writing.open_account(population_id).grant(amount_nano, reason, self.clock.now())
            writing.append(entry)
            append(stores, entry.recorded_at, acts.budget_granted(by, population.organisation, entry))
        return entry

    def add_client(
        self,
        organisation_id: str,
        client_id: str,
        scopes: frozenset[Scope],
        public_keys: tuple[JsonObject, ...] = (),
        by: By = CONSOLE,
        *,
        jwks_url: str | None = None,
        issuer: str | None = None,
        subject: str | None = None,
    ) -> Client:
        """It proves itself with these keys, with those that it publishes at a URL, or by tokens of an external issuer
        that calls it by this subject.

        Raises OrganisationNotFound, RegistrationInvalid, ClientRevoked, AlreadyExists.
        """
        client = Client(client_id, organisation_id, scopes, (), self.clock.now(), issuer=issuer, subject=subject)
        client = _with_proof(client, public_keys, jwks_url)
        with self.database.writing() as stores:
            organisation = _get_organisation(stores, organisation_id)
            if Scope.ORG_ADMIN in scopes and organisation.role is not Role.OPERATOR:
                raise invalid("/scopes", "scope_reserved", "org.admin is for clients of the operator")
            same = stores.parties.find_client(client_id)
            if same is not None and same.revoked_at is not None:
                raise ClientRevoked("A client of this id was revoked, which is final; choose another id.")
            require_free_proofs(stores, client)
            require_free_name(stores, client)
            stores.parties.add_client(client)
            append(stores, client.created_at, acts.client_registered(by, client))
        return client

    def replace_client_keys(
        self,
        client_id: str,
        public_keys: tuple[JsonObject, ...] = (),
        by: By = CONSOLE,
        *,
        jwks_url: str | None = None,
        organisation_id: str | None = None,
    ) -> Client:
        """From now on it proves itself with these keys, or with those at this URL, and no others. To rotate without a
        pause, name the old key beside the new one until the client signs with the new one.

        organisation_id: whose it must be, if that matters. Raises ClientNotFound, ClientRevoked, RegistrationInvalid.
        """
        with self.database.writing() as stores:
            client = _lock_live_client(stores, client_id, organisation_id)
            if client.issuer is not None:
                raise invalid("/public_keys", "keys_not_its_own", "this client comes with tokens of an external issuer")
            client = _with_keys(client, public_keys, jwks_url)
            require_free_proofs(stores, client)
            stores.parties.replace_client_keys(client)
            append(stores, self.clock.now(), acts.client_keys_replaced(by, client))
        return client

    def revoke_client(
        self, client_id: str, reason: str, organisation_id: str | None = None, by: By = CONSOLE
    ) -> Client:
        """From now on it gets no token, and those that are out open nothing. Final. It stays registered, so that the
        audit still tells whose it was. organisation_id: whose it must be, if that matters.

        Raises ClientNotFound, ClientRevoked.
        """
        with self.database.writing() as stores:
            client = _lock_live_client(stores, client_id, organisation_id)
            now = self.clock.now()
            revoked = replace(client, revoked_at=now, revocation_reason=reason)
            stores.parties.revoke_client(revoked)
            append(stores, now, acts.client_revoked(by, revoked))
        return revoked

    def add_signing_key(self, organisation_id: str, public_key: JsonObject, by: By = CONSOLE) -> SigningKey:
        """Without anybody's endorsement: the first key, or the next one where all are lost.

        Raises OrganisationNotFound, RegistrationInvalid, SigningKeyRevoked, AlreadyExists.
        """
        jwk = signing_jwk(public_key, "/public_key")
        key = SigningKey(jwk["kid"], organisation_id, jwk, self.clock.now())
        with self.database.writing() as stores:
            _get_organisation(stores, organisation_id)
            add_new_key(stores, key)
            append(stores, key.created_at, acts.signing_key_registered(by, key))
        return key


def add_new_key(stores: Stores, key: SigningKey) -> None:
    """Store a signing key that nobody has yet, whatever its name, and that never proved any client.

    Raises RegistrationInvalid, SigningKeyRevoked, ClientRevoked, AlreadyExists.
    """
    found = thumbprint(key.public_key)
    same = stores.parties.find_key_by_thumbprint(found)
    if same is not None and same.organisation != key.organisation:
        raise invalid("/public_key", "key_taken", "another organisation signs with this key; make a pair of your own")
    same = same or stores.parties.find_signing_key(key.organisation, key.kid)
    if same is not None and same.revoked_at is not None:
        raise SigningKeyRevoked("This key, or one of its kid, was revoked, which is final; make a new pair.")
    if same is not None:
        raise AlreadyExists(f"{key.organisation} has this signing key, or one of its kid, already.")
    require_no_client_key(stores, key)
    stores.parties.add_signing_key(key)


def _with_proof(client: Client, public_keys: tuple[JsonObject, ...], url: str | None) -> Client:
    """Raises RegistrationInvalid unless there is exactly one way in which it proves itself."""
    if client.issuer is None and client.subject is None:
        return _with_keys(client, public_keys, url)
    if public_keys or url is not None:
        raise invalid("/issuer", "keys_or_issuer", "a client of an external issuer has no public_keys and no jwks_url")
    require_sound_name(client)
    return client


def _with_keys(client: Client, public_keys: tuple[JsonObject, ...], url: str | None) -> Client:
    """Raises RegistrationInvalid unless it is either sound keys, each of another kid, or a URL."""
    if bool(public_keys) == (url is not None):
        raise invalid("/public_keys", "keys_or_url", "a client has public_keys, a jwks_url, or an issuer and a subject")
    keys = tuple(public_jwk(key, f"/public_keys/{i}") for i, key in enumerate(public_keys))
    kids = [key["kid"] for key in keys]
    for i, kid in enumerate(kids):
        if kid in kids[:i]:
            raise invalid(f"/public_keys/{i}", "kid_taken", "an earlier key has this kid; give each its own")
    return replace(client, public_keys=keys, jwks_url=None if url is None else published_at(url, "/jwks_url"))


def _lock_live_client(stores: Stores, client_id: str, organisation_id: str | None) -> Client:
    """Raises ClientNotFound, ClientRevoked."""
    client = stores.parties.lock_client(client_id)
    if client is None or organisation_id not in (None, client.organisation):
        raise ClientNotFound("There is no client of this id.")
    if client.revoked_at is not None:
        raise ClientRevoked("The client was revoked before, which is final.")
    return client


def _granted_nano(rho: str) -> int:
    try:
        return budget_nano(rho)
    except NotABudget as error:
        raise invalid("/rho", "budget_invalid", str(error)) from None


def _get_organisation(stores: Stores, organisation_id: str) -> Organisation:
    organisation = stores.parties.find_organisation(organisation_id)
    if organisation is None:
        raise OrganisationNotFound("There is no organisation of this name.")
    return organisation
