"""Use cases of an organisation's own signing keys: add one that a current one vouches for, revoke one, list them.

A client key says who calls and lies on a server; a signing key binds the organisation. So whoever steals the first
gets no further than to revoke keys: a further key needs the endorsement of a current one, and where there is none
only the operator, who knows whom it deals with, registers one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from contracts.audit import acts
from contracts.audit.acts import By
from contracts.audit.chain import append
from contracts.parties import Caller, JsonObject, SigningKey
from contracts.ports import Clock, Database, Stores
from contracts.public_keys import signing_jwk
from contracts.refusals import (
    Fault,
    NoSigningKey,
    RegistrationInvalid,
    SignatureInvalid,
    SigningKeyNotFound,
    SigningKeyRevoked,
)
from contracts.registering import add_new_key
from contracts.signing import KeyStatement, read_statement_kid, verify_key_statement


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The keys with which the caller's own organisation signs contracts."""

    database: Database
    clock: Clock

    def list(self, caller: Caller, after: tuple[datetime, str] | None, limit: int) -> Sequence[SigningKey]:
        """Of all there ever were, oldest first, the next: `limit` of them, and one more if there is one. after: when a
        key was registered, and its kid."""
        with self.database.reading() as stores:
            return stores.parties.list_signing_keys(caller.organisation, after=after, limit=limit + 1)

    def add(self, caller: Caller, public_key: JsonObject, proof: str, endorsement: str | None) -> SigningKey:
        """Register a further key. proof: made with it, so that its holder is here; endorsement: with a current one.

        Raises NoSigningKey, RegistrationInvalid, SignatureInvalid, SigningKeyRevoked, AlreadyExists.
        """
        jwk = signing_jwk(public_key, "/public_key")
        verify_key_statement(KeyStatement.PROOF, caller.organisation, jwk, proof, jwk, "/proof")
        with self.database.writing() as stores:
            endorser = _get_endorser(stores, caller, jwk, endorsement)
            key = SigningKey(jwk["kid"], caller.organisation, jwk, self.clock.now(), endorsed_by=endorser.kid)
            add_new_key(stores, key)
            append(stores, key.created_at, acts.signing_key_registered(By.caller(caller), key))
        return key

    def revoke(self, caller: Caller, kid: str, reason: str, *, compromised: bool) -> SigningKey:
        """From now on the key signs nothing. Final; that it was compromised may still be found out afterwards.

        Raises SigningKeyNotFound, SigningKeyRevoked.
        """
        with self.database.writing() as stores:
            key = stores.parties.lock_signing_key(caller.organisation, kid)
            if key is None:
                raise SigningKeyNotFound("Your organisation has no signing key of this kid.")
            if key.revoked_at is not None and not (compromised and not key.compromised):
                raise SigningKeyRevoked("The key was revoked before, which is final.")
            now = self.clock.now()
            revoked_at = key.revoked_at or now
            revoked = replace(key, revoked_at=revoked_at, revocation_reason=reason, compromised=compromised)
            stores.parties.revoke_signing_key(revoked)
            append(stores, now, acts.signing_key_revoked(By.caller(caller), revoked))
        return revoked


def get_usable_key(stores: Stores, organisation: str, kid: str, pointer: str) -> SigningKey:
    """A key of the organisation that may sign now, and cannot be revoked before the transaction ends.

    Raises SignatureInvalid.
    """
    key = stores.parties.lock_signing_key(organisation, kid)
    if key is None:
        message = "the kid names no signing key registered for your organisation"
        raise _not_accepted(pointer, "signing_key_unknown", message)
    if key.revoked_at is not None:
        message = f"the key was revoked at {key.revoked_at.isoformat()} and signs nothing more; sign with a current one"
        raise _not_accepted(pointer, "signing_key_revoked", message)
    return key


def _get_endorser(stores: Stores, caller: Caller, jwk: JsonObject, endorsement: str | None) -> SigningKey:
    """The current key that made the endorsement. Raises NoSigningKey, RegistrationInvalid, SignatureInvalid."""
    if all(key.revoked_at is not None for key in stores.parties.list_signing_keys(caller.organisation)):
        raise NoSigningKey(
            "Your organisation has no current signing key that could endorse this one; the operator registers it, with "
            "`parley keys add`, once it has made sure that it is yours."
        )
    if endorsement is None:
        message = "a further key needs an endorsement, made with one of your current keys: see `parley keys rotate`"
        fault = Fault("/endorsement", "endorsement_missing", message)
        raise RegistrationInvalid("The registration has faults.", faults=(fault,))
    kid = read_statement_kid(KeyStatement.ENDORSEMENT, endorsement, "/endorsement")
    endorser = get_usable_key(stores, caller.organisation, kid, "/endorsement")
    verify_key_statement(
        KeyStatement.ENDORSEMENT, caller.organisation, jwk, endorsement, endorser.public_key, "/endorsement"
    )
    return endorser


def _not_accepted(pointer: str, code: str, message: str) -> SignatureInvalid:
    return SignatureInvalid("The signature was not accepted.", faults=(Fault(pointer, code, message),))
