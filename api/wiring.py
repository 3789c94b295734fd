"""The one place that joins adapters to ports."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import cast

from flask import current_app

from adapters.blocks import ArrowBlockFormat
from adapters.clock import SystemClock
from adapters.database import open_database
from api.auth.keys import TokenKeys
from api.settings import Settings
from contracts.accounting import Accounting
from contracts.agreeing import Agreeing
from contracts.asking import Asking
from contracts.ports import BlockFormat, Clock, Database
from contracts.previewing import Previewing
from contracts.registering import Registering
from contracts.statistics.catalogue import GRANTABLE
from contracts.submitting import Submitting
from privacy.mechanism import DiscreteGaussian, NoiseSource


@dataclass(frozen=True)
class Wiring:
    """What one running exchange consists of."""

    settings: Settings
    database: Database
    clock: Clock
    noise: NoiseSource
    blocks: BlockFormat
    token_keys: TokenKeys

    @cached_property
    def registering(self) -> Registering:
        return Registering(self.database, self.clock)

    @cached_property
    def agreeing(self) -> Agreeing:
        return Agreeing(self.database, self.clock, GRANTABLE, self.settings.max_cells)

    @cached_property
    def previewing(self) -> Previewing:
        return Previewing(self.clock, GRANTABLE, self.settings.max_cells)

    @cached_property
    def submitting(self) -> Submitting:
        lease = timedelta(seconds=self.settings.lease_seconds)
        return Submitting(self.database, self.clock, self.noise, self.blocks, lease)

    @cached_property
    def asking(self) -> Asking:
        return Asking(self.database, self.clock, self.blocks)

    @cached_property
    def accounting(self) -> Accounting:
        return Accounting(self.database, self.clock)


def wire(settings: Settings, *, clock: Clock | None = None, noise: NoiseSource | None = None) -> Wiring:
    """Join everything. clock and noise are arguments for tests only: no setting, entry point or command passes
    them, so that no deployment can weaken its noise."""
    keys = TokenKeys.from_json(settings.token_key) if settings.token_key else TokenKeys.generate()
    return Wiring(
        settings=settings,
        database=open_database(settings.database_url),
        clock=clock or SystemClock(),
        noise=noise or DiscreteGaussian(),
        blocks=ArrowBlockFormat(),
        token_keys=keys,
    )


def wiring() -> Wiring:
    """The wiring of the current app."""
    return cast(Wiring, current_app.extensions["parley"])
