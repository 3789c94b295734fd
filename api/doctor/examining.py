"""All checks, in the order in which they are told."""

from collections.abc import Iterator, Mapping
from functools import partial

from api.doctor.buffering import check_buffering, no_address
from api.doctor.clock import check_synchronised
from api.doctor.database import check_database
from api.doctor.findings import Check, Finding, carried_out
from api.doctor.machine import check_core_dumps, check_spooling, check_swap
from api.doctor.noise import check_draws, check_library, check_two_processes
from api.doctor.secrets import check_debug, check_secrets, check_settings
from api.doctor.witness import check_witness
from api.settings import witness_beside
from privacy.mechanism import DiscreteGaussian


def examine(environ: Mapping[str, str], url: str | None) -> Iterator[Finding]:
    """environ: the variables of the exchange, right or not. url: the exchange as clients see it."""
    yield from carried_out(_checks(environ, url))


def _checks(environ: Mapping[str, str], url: str | None) -> Iterator[tuple[str, Check]]:
    in_production = environ.get("PARLEY_ENVIRONMENT") == "production"
    database = environ.get("PARLEY_DATABASE_URL", "" if in_production else "sqlite:///parley.sqlite")
    witness = environ.get("PARLEY_WITNESS", "" if in_production else witness_beside(database))
    yield "settings", partial(check_settings, environ)
    yield "debug", partial(check_debug, environ)
    yield "secrets", partial(check_secrets, environ)
    yield "swap", check_swap
    yield "core dumps", check_core_dumps
    yield "temporary files", check_spooling
    yield "body buffering", partial(check_buffering, url) if url else no_address
    yield "clock", check_synchronised
    yield "database", partial(check_database, database)
    yield "witness", partial(check_witness, witness, database)
    yield "noise", check_library
    yield "noise", partial(check_draws, DiscreteGaussian())
    yield "noise", check_two_processes
