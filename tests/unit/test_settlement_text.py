"""What a settlement comes to, in words."""

from typing import Any

import pytest

from api.cli.receipts import say_settlement

STATEMENT: dict[str, Any] = {
    "statistic": "adherence_rate",
    "target": "0.8",
    "period": "2025",
    "decide_at": "0.95",
    "undecided": "No rebate is paid.",
    "outcome": "met",
    "confidence": 1.0,
    "rate": 0.812345,
    "interval": {"lower": 0.80506, "upper": 0.81962},
    "interval_confidence": 0.95,
    "state": "shown",
}


def said(capsys: pytest.CaptureFixture[str], **changes: Any) -> str:
    say_settlement(STATEMENT | changes)
    return capsys.readouterr().out


def test_ends_are_rounded_outward_and_nothing_is_certain(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys)

    assert "Rate:     0.8123, 95% interval 0.8050 to 0.8197" in text
    assert "at least the target: above 0.9999" in text
    assert "1.0000" not in text
    assert "Sure" not in text


def test_the_rule_and_what_follows_stand_in_it_whatever_it_comes_to(capsys: pytest.CaptureFixture[str]) -> None:
    rule = "met from a confidence of 0.95 on, not met at 0.05 or less, between them undecided: No rebate is paid."

    for outcome in ("met", "not_met", "undecided"):
        assert rule in " ".join(said(capsys, outcome=outcome).split())
    hidden = said(capsys, outcome=None, confidence=None, rate=None, interval=None, state="suppressed")
    assert rule in " ".join(hidden.split())
