"""Use cases of the operator: who is in the exchange. Organisations, populations, clients, signing keys."""

import re
from dataclasses import dataclass, replace

from joserfc.errors import JoseError
from joserfc.jwk import RSAKey, import_key

from contracts.audit import acts
from contracts.audit.acts import CONSOLE, By
from contracts.audit.chain import append
from contracts.ledger.entries import Entry
from contracts.ledger.witnessing import WitnessedLedger
from contracts.parties import Caller, Client, JsonObject, Organisation, Population, Role, Scope, SigningKey
from contracts.ports import Clock, Database, Stores, Witness
from contracts.refusals import (
    AlreadyExists,
    ClientNotFound,
    ClientRevoked,
    Conflict,
    Fault,
    OperatorOnly,
    OrganisationNotFound,
    PopulationNotFound,
    RegistrationInvalid,
    SigningKeyRevoked,
)
from contracts.signing import algorithm_for, is_weak, plain_key, thumbprint
from privacy.units import NotABudget, budget_nano

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
_KID = re.compile(r"(?!\.)[A-Za-z0-9._~-]{1,128}")
_KINDS = {("EC", "P-256"), ("EC", "P-384"), ("OKP", "Ed25519"), ("RSA", "")}
_PUBLIC_MEMBERS = {"kty", "crv", "x", "y", "n", "e", "kid", "use", "alg", "key_ops"}


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
        public_keys: tuple[JsonObject, ...],
        by: By = CONSOLE,
    ) -> Client:
        """Raises OrganisationNotFound, RegistrationInvalid, ClientRevoked, AlreadyExists."""
        keys = tuple(public_jwk(key, f"/public_keys/{i}") for i, key in enumerate(public_keys))
        client = Client(client_id, organisation_id, scopes, keys, self.clock.now())
        with self.database.writing() as stores:
            organisation = _get_organisation(stores, organisation_id)
            if Scope.ORG_ADMIN in scopes and organisation.role is not Role.OPERATOR:
                raise _invalid("/scopes", "scope_reserved", "org.admin is for clients of the operator")
            same = stores.parties.find_client(client_id)
            if same is not None and same.revoked_at is not None:
                raise ClientRevoked("A client of this id was revoked, which is final; choose another id.")
            for i, key in enumerate(keys):
                if stores.parties.find_key_by_thumbprint(thumbprint(key)) is not None:
                    raise _not_apart(f"/public_keys/{i}")
                _require_not_revoked(stores, key)
            stores.parties.add_client(client)
            append(stores, client.created_at, acts.client_registered(by, client))
        return client

    def revoke_client(
        self, client_id: str, reason: str, organisation_id: str | None = None, by: By = CONSOLE
    ) -> Client:
        """From now on it gets no token, and those that are out open nothing. Final. It stays registered, so that the
        audit still tells whose it was. organisation_id: whose it must be, if that matters.

        Raises ClientNotFound, ClientRevoked.
        """
        with self.database.writing() as stores:
            client = stores.parties.lock_client(client_id)
            if client is None or organisation_id not in (None, client.organisation):
                raise ClientNotFound("There is no client of this id.")
            if client.revoked_at is not None:
                raise ClientRevoked("The client was revoked before, which is final.")
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
    """Store a signing key that nobody has yet, whatever its name, and that proves no client of its organisation.

    Raises RegistrationInvalid, SigningKeyRevoked, ClientRevoked, AlreadyExists.
    """
    found = thumbprint(key.public_key)
    same = stores.parties.find_key_by_thumbprint(found)
    if same is not None and same.organisation != key.organisation:
        raise _invalid("/public_key", "key_taken", "another organisation signs with this key; make a pair of your own")
    same = same or stores.parties.find_signing_key(key.organisation, key.kid)
    if same is not None and same.revoked_at is not None:
        raise SigningKeyRevoked("This key, or one of its kid, was revoked, which is final; make a new pair.")
    if same is not None:
        raise AlreadyExists(f"{key.organisation} has this signing key, or one of its kid, already.")
    clients = stores.parties.list_clients(key.organisation)
    if any(found == thumbprint(client_key) for client in clients for client_key in client.public_keys):
        raise _not_apart("/public_key")
    _require_not_revoked(stores, key.public_key)
    stores.parties.add_signing_key(key)


def _require_not_revoked(stores: Stores, key: JsonObject) -> None:
    """What a revoked client proved itself with may be in anybody's hands. Raises ClientRevoked."""
    revoked = (known for client in stores.parties.list_revoked_clients() for known in client.public_keys)
    if thumbprint(key) in map(thumbprint, revoked):
        raise ClientRevoked("This key is one of a revoked client, which is final; make a new pair.")


def signing_jwk(key: JsonObject, pointer: str) -> JsonObject:
    """A public JWK of a kind that signs contracts, as it is registered. Raises RegistrationInvalid."""
    jwk = public_jwk(key, pointer)
    try:
        algorithm_for(jwk)
    except ValueError as error:
        raise _invalid(pointer, "key_not_usable", str(error)) from None
    return jwk


def public_jwk(key: JsonObject, pointer: str) -> JsonObject:
    """A public JWK with a `kid` (its RFC 7638 thumbprint unless given). Raises RegistrationInvalid.

    A private or symmetric key is refused, so that none is ever stored by accident.
    """
    kind = str(key.get("kty")), str(key.get("crv", ""))
    if set(key) - _PUBLIC_MEMBERS or kind not in _KINDS:
        message = "a public JWK, EC (P-256 or P-384), OKP (Ed25519) or RSA, without private members"
        raise _invalid(pointer, "key_not_public", message)
    try:
        imported = import_key(key)
        imported.ensure_kid()
    except (JoseError, ValueError, TypeError, KeyError):
        raise _invalid(pointer, "key_not_usable", "this JWK cannot be read") from None
    if isinstance(imported, RSAKey) and not MIN_RSA_BITS <= imported.raw_value.key_size <= MAX_RSA_BITS:
        raise _invalid(pointer, "key_not_usable", f"an RSA key has {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
    if is_weak(key):
        message = "this is no point that a key pair has: one signature by it fits every text; make a new pair"
        raise _invalid(pointer, "key_not_usable", message)
    if not _KID.fullmatch(str(imported.kid)):
        message = "a kid is up to 128 letters, digits and . _ ~ -, and begins with no dot"
        raise _invalid(pointer, "key_not_usable", message)
    # Which algorithm goes with a key is decided here, by its type; what the JWK says of its use is left out.
    plain = plain_key(key)
    return {**plain, "kid": str(key.get("kid") or thumbprint(plain))}


def _granted_nano(rho: str) -> int:
    try:
        return budget_nano(rho)
    except NotABudget as error:
        raise _invalid("/rho", "budget_invalid", str(error)) from None


def _get_organisation(stores: Stores, organisation_id: str) -> Organisation:
    organisation = stores.parties.find_organisation(organisation_id)
    if organisation is None:
        raise OrganisationNotFound("There is no organisation of this name.")
    return organisation


def _not_apart(pointer: str) -> RegistrationInvalid:
    message = "a signing key is no client key: whoever steals the one could else use it as the other"
    return _invalid(pointer, "key_not_apart", message)


def _invalid(pointer: str, code: str, message: str) -> RegistrationInvalid:
    return RegistrationInvalid("The registration has faults.", faults=(Fault(pointer, code, message),))
