"""With the noise of production: answers add up, cost nothing, and stay the same for ever."""

import pytest

from api.app import create_app
from contracts.parties import JsonObject
from tests.http.answers import ADHERENCE, FILLS, MONTHS, SUPPORT, answer, post, totals, values
from tests.support.small_exchange import BRAND, CONTRACT, PAYERS, SmallExchange


@pytest.fixture
def noisy(agreed: SmallExchange) -> SmallExchange:
    post(agreed, "fills", {key: rows for key, rows in FILLS.items() if key[1] in MONTHS[:2]})
    post(agreed, "support", {key: rows for key, rows in SUPPORT.items() if key[1] in MONTHS[:2]})
    post(agreed, "adherence", ADHERENCE)
    return agreed


QUESTIONS: list[tuple[str, dict[str, str]]] = [
    ("counts", {"feed": "fills", "by": "region,month"}),
    ("adherence_rate", {"by": "region"}),
    ("pdc_pooled", {"by": "quarter"}),
    ("joint_table", {"by": "region"}),
    ("psp_penetration", {}),
]


def test_totals_agree_with_their_parts(noisy: SmallExchange) -> None:
    whole = values(answer(noisy, "counts", feed="fills"), "members")[()]
    cells = values(answer(noisy, "counts", feed="fills", by="region,sex", periods="2025-01"), "members")
    assert cells != totals(FILLS, "members", ["region", "sex"], periods=["2025-01"]), "no noise was drawn"

    for by in ("region", "sex", "month", "region,sex", "region,sex,month"):
        parts = values(answer(noisy, "counts", feed="fills", by=by), "members")
        shown = [value for value in parts.values() if value is not None]
        assert sum(shown) == pytest.approx(whole, abs=1e-9)


def test_the_same_question_gets_the_same_bytes_after_a_restart_too(noisy: SmallExchange) -> None:
    def asked() -> list[bytes]:
        return [noisy.ask(BRAND, name, **query).get_data() for name, query in QUESTIONS]

    first = asked()
    assert asked() == first

    noisy.wiring.database.close()
    restarted(noisy)

    assert asked() == first
    assert b'"value"' in first[0]


def restarted(small: SmallExchange) -> None:
    """Another process's app on the same database: it has other token keys and nothing in memory."""
    small.app = create_app(small.settings, clock=small.clock)
    small.wiring = small.app.extensions["parley"]
    small._tokens.clear()


def test_asking_costs_nothing(noisy: SmallExchange) -> None:
    def ledgers() -> list[JsonObject]:
        return [noisy.ledger(name) for name in (*PAYERS, BRAND)]

    before = ledgers()
    for name, query in QUESTIONS:
        assert noisy.ask(BRAND, name, **query).status_code == 200

    assert ledgers() == before


def test_an_answer_says_what_it_is(noisy: SmallExchange) -> None:
    answered = answer(noisy, "adherence_rate", by="region")

    contract = noisy.get(BRAND, f"/v1/contracts/{CONTRACT}").get_json()
    assert answered["contract_digest"] == contract["digest"]
    assert "80%" in answered["estimand"]
    assert "noise" in answered["interval_covers"]
    assert "sampling" in answered["total_interval_covers"]
    assert answered["labels"] == ["associational"]
    assert len(answered["releases"]) == 3 * 2
    assert answered["coverage"][0]["covered"] == ["2024", "2025"]
    limits = answered["privacy"]["ceilings"]
    assert {name: limit["rho"] for name, limit in limits.items()} == {f"{n}-members": "0.1" for n in (*PAYERS, BRAND)}
    assert answered["privacy"]["one_person_in_everything"]["rho"] == "0.4"
    assert limits["helix-members"]["epsilon"] > 0
