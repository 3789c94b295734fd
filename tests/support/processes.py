"""Processes of their own that are the exchange on a database which others share: to be killed half-way, or to race.

They are forked from a clean server of `multiprocessing`, so that each begins in a few milliseconds and carries over
nothing of the tests: no connection, no thread, no noise.
"""

import multiprocessing
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.process import BaseProcess
from typing import Final

from flask import Flask

from api.app import create_app
from api.settings import read_settings
from contracts.parties import JsonObject
from privacy.mechanism import NoiseSource
from tests.support.small_exchange import CONTRACT, SmallExchange, TurnableClock

PROCESSES: Final = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.support.doomed", "tests.support.racing"])
PATIENCE_SECONDS: Final = 120


@dataclass(frozen=True, slots=True)
class Stand:
    """All that a process needs to stand in for a small exchange, at one instant and for one client of it.

    The small exchange must have been given a token key, so that its tokens are good here too.
    """

    settings: Mapping[str, str]
    now: datetime
    headers: Mapping[str, str]

    @classmethod
    def of(cls, small: SmallExchange, name: str) -> "Stand":
        return cls(small.environ, small.clock.now(), small.headers(name))

    def make_app(self, noise: NoiseSource | None = None) -> Flask:
        return create_app(read_settings(self.settings), clock=TurnableClock(self.now), noise=noise)

    def post(self, app: Flask, body: JsonObject) -> tuple[int, JsonObject]:
        """Status and body of the answer to a submission."""
        path = f"/v1/contracts/{CONTRACT}/submissions"
        answered = app.test_client().post(path, json=body, headers=dict(self.headers))
        return answered.status_code, dict(answered.get_json())


def end_of(process: BaseProcess) -> int | None:
    """The exit code of a process, once it has ended."""
    process.join(PATIENCE_SECONDS)
    code = process.exitcode
    process.close()
    return code
