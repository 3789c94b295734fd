"""The one place that joins adapters to ports."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import cast

from flask import current_app

from adapters.blocks import ArrowBlockFormat
from adapters.clock import SystemClock
from adapters.database import SqlDatabase, open_database
from adapters.identity.fetching import Reach
from adapters.identity.jwks import PublishedKeys
from adapters.witness import FileWitness
from api.auth.access_tokens import AccessTokens, OwnTokens
from api.auth.external_tokens import ExternalTokens
from api.auth.issuers import IssuersInvalid, TrustedIssuer, read_issuers
from api.auth.jose import KeyUnsuitable
from api.auth.keys import ReceiptKeys, TokenKeys
from api.limits import LimitsInvalid, RateLimits
from api.readiness import ReadinessProbe
from api.settings import Settings, SettingsInvalid
from contracts.agreeing import Agreeing
from contracts.asking import Asking
from contracts.audit.books import AuditBooks
from contracts.ledger.statements import Accounting
from contracts.listing import Listing
from contracts.ports import BlockFormat, Clock, Witness
from contracts.previewing import Previewing
from contracts.registering import Registering
from contracts.settling import Settling
from contracts.signing_keys import SigningKeys
from contracts.statistics.catalogue import GRANTABLE
from contracts.submissions.submitting import Submitting
from contracts.suspending import Suspending
from privacy.mechanism import DiscreteGaussian, NoiseSource


@dataclass(frozen=True)
class Wiring:
    """What one running exchange consists of."""

    settings: Settings
    database: SqlDatabase
    witness: Witness
    clock: Clock
    noise: NoiseSource
    blocks: BlockFormat
    token_keys: TokenKeys
    receipt_keys: ReceiptKeys
    trusted_issuers: tuple[TrustedIssuer, ...]
    rate_limits: RateLimits

    @cached_property
    def published_keys(self) -> PublishedKeys:
        """Of clients."""
        return self._new_published_keys()

    @cached_property
    def issuer_keys(self) -> PublishedKeys:
        """Of the issuers that the operator trusts; no client's URL, however slow, keeps theirs from being fetched."""
        return self._new_published_keys()

    def _new_published_keys(self) -> PublishedKeys:
        reach = Reach(self.settings.private_key_hosts, plain_http=not self.settings.production)
        return PublishedKeys(reach, waiting_max=max(1, self.settings.threads // 4))

    @cached_property
    def access_tokens(self) -> AccessTokens:
        own = OwnTokens(self.token_keys, self.settings.issuer, self.settings.audience, self.clock)
        external = (ExternalTokens(trusted, self.issuer_keys, self.clock) for trusted in self.trusted_issuers)
        return AccessTokens([own, *external])

    @cached_property
    def fingerprint_secrets(self) -> tuple[bytes, ...]:
        """Those of `api.idempotency`: the same in all processes and after a restart, and not in the database."""
        return self.receipt_keys.derive_secrets("parley idempotency fingerprint v1")

    @cached_property
    def readiness(self) -> ReadinessProbe:
        return ReadinessProbe(self.database, self.witness, Path(self.settings.witness))

    @cached_property
    def registering(self) -> Registering:
        return Registering(self.database, self.clock, self.witness)

    @cached_property
    def signing_keys(self) -> SigningKeys:
        return SigningKeys(self.database, self.clock)

    @cached_property
    def agreeing(self) -> Agreeing:
        return Agreeing(self.database, self.clock, GRANTABLE, self.settings.max_cells)

    @cached_property
    def listing(self) -> Listing:
        return Listing(self.database, self.clock)

    @cached_property
    def suspending(self) -> Suspending:
        return Suspending(self.database, self.clock)

    @cached_property
    def previewing(self) -> Previewing:
        return Previewing(self.clock, GRANTABLE, self.settings.max_cells)

    @cached_property
    def submitting(self) -> Submitting:
        lease = timedelta(seconds=self.settings.lease_seconds)
        return Submitting(self.database, self.clock, self.noise, self.blocks, lease, self.witness)

    @cached_property
    def asking(self) -> Asking:
        return Asking(self.database, self.clock, self.blocks)

    @cached_property
    def settling(self) -> Settling:
        return Settling(self.asking, self.database)

    @cached_property
    def audit_books(self) -> AuditBooks:
        return AuditBooks(self.database, self.clock)

    @cached_property
    def accounting(self) -> Accounting:
        return Accounting(self.database, self.clock, self.witness)


def wire(settings: Settings, *, clock: Clock | None = None, noise: NoiseSource | None = None) -> Wiring:
    """Join everything. clock and noise are arguments for tests only: no setting, entry point or command passes
    them, so that no deployment can weaken its noise."""
    keys = _token_keys(settings)
    return Wiring(
        settings=settings,
        database=open_database(settings.database_url),
        witness=FileWitness(Path(settings.witness)),
        clock=clock or SystemClock(),
        noise=noise or DiscreteGaussian(),
        blocks=ArrowBlockFormat(),
        token_keys=keys,
        receipt_keys=_receipt_keys(settings, keys),
        trusted_issuers=trusted_issuers(settings),
        rate_limits=rate_limits(settings),
    )


def rate_limits(settings: Settings) -> RateLimits:
    """Raises SettingsInvalid."""
    try:
        return RateLimits(settings.rate_limit, settings.address_rate_limit, settings.rate_limit_storage)
    except LimitsInvalid as invalid:
        raise SettingsInvalid(f"PARLEY_RATE_LIMIT_STORAGE {invalid}") from None


def _token_keys(settings: Settings) -> TokenKeys:
    try:
        return TokenKeys.from_json(settings.token_key) if settings.token_key else TokenKeys.generate()
    except KeyUnsuitable as unsuitable:
        raise SettingsInvalid(f"PARLEY_TOKEN_KEY: {unsuitable}") from None


def _receipt_keys(settings: Settings, token_keys: TokenKeys) -> ReceiptKeys:
    """Raises SettingsInvalid: whoever issues tokens is not to be able to sign receipts."""
    if not settings.receipt_key:
        return ReceiptKeys.generate()
    try:
        keys = ReceiptKeys.from_json(settings.receipt_key)
    except KeyUnsuitable as unsuitable:
        raise SettingsInvalid(f"PARLEY_RECEIPT_KEY: {unsuitable}") from None
    if keys.thumbprints() & token_keys.thumbprints():
        raise SettingsInvalid("PARLEY_RECEIPT_KEY: receipts need a key of their own, not the one of access tokens.")
    return keys


def trusted_issuers(settings: Settings) -> tuple[TrustedIssuer, ...]:
    """Raises SettingsInvalid."""
    if not settings.issuers_file:
        return ()
    try:
        return read_issuers(Path(settings.issuers_file), settings.issuer)
    except IssuersInvalid as invalid:
        raise SettingsInvalid(f"PARLEY_ISSUERS_FILE: {invalid}") from None


def wiring() -> Wiring:
    """The wiring of the current app."""
    return cast(Wiring, current_app.extensions["parley"])
