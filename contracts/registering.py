"""Use cases of the operator: who is in the exchange. Organisations, populations, clients, signing keys."""

import re
from dataclasses import dataclass

from joserfc.errors import JoseError
from joserfc.jwk import RSAKey, import_key

from contracts.ledger import Account, Entry
from contracts.parties import Caller, Client, JsonObject, Organisation, Population, Role, Scope, SigningKey
from contracts.ports import Clock, Database, Stores
from contracts.refusals import (
    Conflict,
    Fault,
    OperatorOnly,
    OrganisationNotFound,
    PopulationNotFound,
    RegistrationInvalid,
)
from contracts.signing import algorithm_for
from privacy.units import NotABudget, budget_nano

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
_KID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
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
    """Registration. The door decides who may call; the command line calls as the operator."""

    database: Database
    clock: Clock

    def add_organisation(self, organisation_id: str, name: str, role: Role) -> Organisation:
        """Raises AlreadyExists."""
        organisation = Organisation(organisation_id, name, role, self.clock.now())
        with self.database.writing() as stores:
            stores.parties.add_organisation(organisation)
        return organisation

    def add_population(
        self, organisation_id: str, population_id: str, rho: str, attestation: str | None = None
    ) -> Population:
        """Create a population and record the grant that is its lifetime ceiling, in rho.

        Raises OrganisationNotFound, RegistrationInvalid, AttestationMissing, AlreadyExists.
        """
        granted_nano = _granted_nano(rho)
        population = Population(population_id, organisation_id, attestation, self.clock.now())
        with self.database.writing() as stores:
            _get_organisation(stores, organisation_id)
            if stores.parties.list_populations(organisation_id) and not attestation:
                raise AttestationMissing(
                    "The organisation has a population. A second one needs the operator's attestation that no person "
                    "is in both, since losses of one person add up."
                )
            stores.parties.add_population(population)
            account = Account(population_id, [])
            stores.ledger.append(account.grant(granted_nano, "population registered", self.clock.now()))
        return population

    def grant(self, population_id: str, rho: str, reason: str) -> Entry:
        """Record a grant that raises a population's lifetime ceiling by rho: the only way to new budget.

        Raises PopulationNotFound, RegistrationInvalid.
        """
        amount_nano = _granted_nano(rho)
        with self.database.writing() as stores:
            if stores.parties.find_population(population_id) is None:
                raise PopulationNotFound("There is no population of this name.")
            stores.ledger.lock(population_id)
            account = Account(population_id, stores.ledger.entries(population_id))
            entry = account.grant(amount_nano, reason, self.clock.now())
            stores.ledger.append(entry)
        return entry

    def add_client(
        self,
        organisation_id: str,
        client_id: str,
        scopes: frozenset[Scope],
        public_keys: tuple[JsonObject, ...],
    ) -> Client:
        """Raises OrganisationNotFound, RegistrationInvalid, AlreadyExists."""
        keys = tuple(public_jwk(key, f"/public_keys/{i}") for i, key in enumerate(public_keys))
        client = Client(client_id, organisation_id, scopes, keys, self.clock.now())
        with self.database.writing() as stores:
            organisation = _get_organisation(stores, organisation_id)
            if Scope.ORG_ADMIN in scopes and organisation.role is not Role.OPERATOR:
                raise _invalid("/scopes", "scope_reserved", "org.admin is for clients of the operator")
            stores.parties.add_client(client)
        return client

    def add_signing_key(self, organisation_id: str, public_key: JsonObject) -> SigningKey:
        """Raises OrganisationNotFound, RegistrationInvalid, AlreadyExists."""
        jwk = public_jwk(public_key, "/public_key")
        try:
            algorithm_for(jwk)
        except ValueError as error:
            raise _invalid("/public_key", "key_not_usable", str(error)) from None
        key = SigningKey(jwk["kid"], organisation_id, jwk, self.clock.now())
        with self.database.writing() as stores:
            _get_organisation(stores, organisation_id)
            stores.parties.add_signing_key(key)
        return key


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
    if not _KID.fullmatch(str(imported.kid)):
        raise _invalid(pointer, "key_not_usable", "a kid is up to 128 letters, digits and . _ ~ -")
    # Which algorithm goes with a key is decided here, by its type; what the JWK says of its use is left out.
    kept = {name: value for name, value in key.items() if name not in ("use", "alg", "key_ops")}
    return {**kept, "kid": imported.kid}


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


def _invalid(pointer: str, code: str, message: str) -> RegistrationInvalid:
    return RegistrationInvalid("The registration has faults.", faults=(Fault(pointer, code, message),))
