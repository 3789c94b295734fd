"""Organisations, their populations, clients and signing keys."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

JsonObject = dict[str, Any]


class Role(StrEnum):
    """What an organisation is in the exchange."""

    PAYER = "payer"
    BRAND = "brand"
    OPERATOR = "operator"


class Scope(StrEnum):
    """OAuth scopes. What a contract allows is its terms, never a scope."""

    CONTRACTS_READ = "contracts.read"
    CONTRACTS_WRITE = "contracts.write"
    CONTRACTS_SIGN = "contracts.sign"
    SUBMISSIONS_WRITE = "submissions.write"
    STATISTICS_READ = "statistics.read"
    LEDGER_READ = "ledger.read"
    AUDIT_READ = "audit.read"
    KEYS_WRITE = "keys.write"
    ORG_ADMIN = "org.admin"


@dataclass(frozen=True, slots=True)
class Organisation:
    """One organisation, registered by the operator."""

    id: str
    name: str
    role: Role
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Population:
    """All the persons whose records a provider may ever post; the unit that a lifetime loss belongs to.

    attestation: for a provider's second population, the operator's recorded statement that no person is in both.
    """

    id: str
    organisation: str
    attestation: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Client:
    """A program that asks for tokens on behalf of one organisation. It proves itself in one of three ways.

    public_keys: public JWKs, registered here; or jwks_url: where it publishes them; or issuer and subject: whose tokens
    it comes with, and what that issuer calls it.
    """

    id: str
    organisation: str
    scopes: frozenset[Scope]
    public_keys: tuple[JsonObject, ...]
    created_at: datetime
    revoked_at: datetime | None = None
    revocation_reason: str | None = None
    jwks_url: str | None = None
    issuer: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """Of a client that was ever registered with a key or URL: whose it is, and whether it was revoked."""

    organisation: str
    revoked: bool


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom an access token stands for, as registered now, and whether the token itself was revoked (RFC 7009)."""

    client: Client
    role: Role
    token_revoked: bool


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key (JWK) with which an organisation signs contracts; apart from its client keys.

    endorsed_by: the kid of the key that vouched for it; None when the operator registered it. A revoked key signs
    nothing more; what it signed before stands, and is in doubt where the key was compromised.
    """

    kid: str
    organisation: str
    public_key: JsonObject
    created_at: datetime
    endorsed_by: str | None = None
    revoked_at: datetime | None = None
    revocation_reason: str | None = None
    compromised: bool = False


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: what a validated access token says, and the organisation's role as registered here.

    contracts: the ids to which `authorization_details` narrow the token for what is being done; None where they do not.
    """

    client: str
    organisation: str
    role: Role
    scopes: frozenset[Scope]
    contracts: frozenset[str] | None = None

    def may_touch(self, contract_id: str | None) -> bool:
        """Whether the token is for this contract too; what belongs to no contract (None) every token may see."""
        return self.contracts is None or contract_id is None or contract_id in self.contracts
