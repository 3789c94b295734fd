"""The entries of a ledger as lines of a table."""

from typing import Any

import pytest

from api.cli.commands.ledger import entry_line


@pytest.mark.parametrize(
    ("event", "nano", "rho", "change"),
    [
        ({"granted_nano": 100_000_000}, 0, "0", "+0.1"),
        ({"restores": {"grant_nano": 200_000_000}}, 0, "0", "+0.2"),
        ({}, 4_000_000, "0.004", "-0.004"),
        # Of periods beyond those that a person can be in.
        ({}, 0, "0", "0"),
    ],
)
def test_what_charges_nothing_has_no_sign(event: dict[str, Any], nano: int, rho: str, change: str) -> None:
    entry = {"event": event, "increment": {"rho_nano": nano, "rho": rho}, "balance": {"rho": "0.3"}, "sequence": 7}
    entry |= {"recorded_at": "2026-02-01T10:11:12Z", "contract_id": None, "explanation": "Why."}

    assert entry_line(entry) == ("7", "2026-02-01 10:11:12", "", change, "0.3", "Why.")
