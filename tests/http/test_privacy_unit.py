"""Every statement of loss follows the contract's privacy unit: rho is added over providers first, and converted once.

What is expected is reckoned here by hand from the signed ceilings and the charges, not by the code under test.
"""

from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from itertools import combinations
from math import exp, log

import pytest
from scipy.stats import norm

from api.cli.answer_text import say_answer
from api.cli.commands.ledger import _say_statement
from api.cli.contract_text import say_contract
from contracts.parties import JsonObject
from privacy.mechanism import epsilon
from tests.support.small_exchange import BRAND, CONTRACT, PAYERS, SmallExchange, fills, small_contract

# Different ceilings, so that which are the largest matters. Fills and adherence of a payer cost 0.05 each.
CEILINGS = {"blueridge-members": "0.1", "lakeshore-members": "0.13", "sierra-members": "0.11", "helix-members": "0.12"}
DELTA = 1e-6


def contract(most: int | None) -> JsonObject:
    """Four populations that post; most: in how many of them one person is, None for one provider by itself."""
    document = deepcopy(small_contract())
    document["privacy"] |= {
        "unit": "person_across_providers" if most else "person_within_provider",
        "max_providers": most,
        "ceilings": CEILINGS,
        "approvals": {name: {"name": "Ann", "reason": "a study"} for name in CEILINGS},
    }
    return document


@pytest.fixture(params=[None, 2, 3, 4], ids=lambda most: f"max_providers={most}")
def most(request: pytest.FixtureRequest) -> int | None:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def agreed(migrated_sqlite_url: str, most: int | None) -> Iterator[SmallExchange]:
    """The contract in force, and each payer's first month of fills released."""
    exchange = SmallExchange(migrated_sqlite_url)
    exchange.agree(contract(most))
    for name in PAYERS:
        assert exchange.submit(name, fills()).status_code == 201
    yield exchange
    exchange.wiring.database.close()


def worst(nano: dict[str, int], providers: int, *, of: str | None = None) -> int:
    """The loss of the worst person who is in so many populations, one of them `of`: every combination is tried."""
    return max(
        sum(nano[name] for name in chosen) for chosen in combinations(nano, providers) if of is None or of in chosen
    )


def ceilings_nano() -> dict[str, int]:
    return {name: int(Decimal(rho) * 10**9) for name, rho in CEILINGS.items()}


def classic_epsilon(rho_nano: int) -> float:
    """What a good conversion does not pass: the classic bound (Bun and Steinke 2016, proposition 1.3)."""
    rho = rho_nano / 1e9
    return float(rho + 2 * (rho * log(1 / DELTA)) ** 0.5)


def test_an_answer_states_the_loss_of_the_units_worst_person(agreed: SmallExchange, most: int | None) -> None:
    stated = agreed.ask(BRAND, "pdc_pooled").get_json()["privacy"]

    everything = sum(ceilings_nano().values())
    assert stated["providers_at_most"] == (most or 1)
    assert stated["unit_ceiling"]["rho_nano"] == worst(ceilings_nano(), most or 1)
    assert stated["one_person_in_everything"]["rho_nano"] == everything == 460_000_000
    assert {name: loss["rho_nano"] for name, loss in stated["ceilings"].items()} == ceilings_nano()
    says_the_unit(stated, most)


def test_a_statement_adds_the_largest_ceilings_of_the_others(agreed: SmallExchange, most: int | None) -> None:
    for name in (*PAYERS, BRAND):
        own, stated = f"{name}-members", agreed.ledger(name)

        spent = sum(entry["charge"]["rho_nano"] for entry in stated["entries"])
        assert (spent > 0) == (name != BRAND)
        assert stated["under_contract"]["rho_nano"] == spent
        assert stated["contract_ceiling"]["rho_nano"] == ceilings_nano()[own]
        assert stated["unit_ceiling"]["rho_nano"] == worst(ceilings_nano(), most or 1, of=own)
        so_far = worst(ceilings_nano() | {own: spent}, most or 1, of=own)
        assert stated["unit_under_contract"]["rho_nano"] == so_far
        assert stated["one_person_in_everything"]["rho_nano"] == sum(ceilings_nano().values())
        says_the_unit(stated, most)


def test_a_statement_is_never_below_the_true_loss_of_a_person_of_its_population(
    agreed: SmallExchange, most: int | None
) -> None:
    spent = {f"{n}-members": agreed.ledger(n)["under_contract"]["rho_nano"] for n in (*PAYERS, BRAND)}

    for name in (*PAYERS, BRAND):
        stated = agreed.ledger(name)["unit_under_contract"]["rho_nano"]
        assert stated >= worst(spent, most or 1, of=f"{name}-members")


def test_no_statement_tells_what_another_party_has_lost(agreed: SmallExchange) -> None:
    before = {name: agreed.ledger(name) for name in ("blueridge", "lakeshore", BRAND)}

    assert agreed.submit("sierra", fills("2025-02")).status_code == 201

    assert {name: agreed.ledger(name) for name in before} == before


def test_rho_is_added_first_and_converted_once(agreed: SmallExchange, most: int | None) -> None:
    statements = [agreed.ledger(name) for name in (*PAYERS, BRAND)]
    stated = agreed.ask(BRAND, "pdc_pooled").get_json()["privacy"]
    losses = [
        stated["unit_ceiling"],
        stated["one_person_in_everything"],
        *(statement[name] for statement in statements for name in ("unit_ceiling", "unit_under_contract")),
    ]

    for loss in losses:
        nano = loss["rho_nano"]
        assert loss["epsilon"] == epsilon(nano, DELTA)
        assert nano == 0 or gaussian_epsilon(nano) < loss["epsilon"] <= classic_epsilon(nano)
    # Epsilons added up would be a much larger number that nobody incurs.
    epsilons = sorted((loss["epsilon"] for loss in stated["ceilings"].values()), reverse=True)
    assert stated["one_person_in_everything"]["epsilon"] < 0.6 * sum(epsilons)
    if most:
        assert stated["unit_ceiling"]["epsilon"] < 0.85 * sum(epsilons[:most])


def gaussian_epsilon(rho_nano: int) -> float:
    """What no right conversion goes below: the epsilon of the Gaussian mechanism itself, which is rho-zCDP, by its
    exact privacy curve (Balle and Wang 2018) with mu = sqrt(2 rho)."""
    mu = (2 * rho_nano / 1e9) ** 0.5
    low, high = 0.0, 50.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if gaussian_delta(mu, middle) > DELTA else (low, middle)
    return low


def gaussian_delta(mu: float, eps: float) -> float:
    return float(norm.cdf(mu / 2 - eps / mu) - exp(eps + norm.logcdf(-mu / 2 - eps / mu)))


def says_the_unit(stated: JsonObject, most: int | None) -> None:
    if most is None:
        assert "one provider's population" in stated["unit"]
        assert "several providers incurs the loss of each" in stated["several_providers"]
    else:
        assert f"at most {most} providers" in stated["unit"]
        assert f"{most} providers" in stated["several_providers"]
    assert "rho adds up and is converted once" in stated["several_providers"]


def test_the_command_line_says_the_unit_wherever_it_says_a_loss(
    agreed: SmallExchange, most: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    answer, statement = agreed.ask(BRAND, "pdc_pooled", explain="true").get_json(), agreed.ledger("sierra")
    shown = []
    for say, document in (
        (say_answer, answer),
        (_say_statement, statement),
        (say_contract, agreed.get(BRAND, f"/v1/contracts/{CONTRACT}").get_json()),
    ):
        say(document)
        shown.append(" ".join(capsys.readouterr().out.split()))

    for text in shown:
        assert statement["unit"] in text
        assert statement["several_providers"] in text
        assert "ne person in everything: rho 0.46 (epsilon" in text
    if most == 2:
        assert "One person in at most 2 of them: rho 0.25 (epsilon" in shown[0]
        assert "in the data of 2 providers, at most:" in shown[1]
        assert "at the ceilings: rho 0.24 (epsilon" in shown[1]
        assert "one person in at most 2 of them: rho 0.25 (epsilon" in shown[2]
    if most is None:
        assert not any(" of them: rho" in text or "One of your persons" in text for text in shown)


def test_an_answer_that_is_not_explained_says_its_loss_in_one_line(
    agreed: SmallExchange, most: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = agreed.ask(BRAND, "pdc_pooled").get_json()
    say_answer(answer)

    said = " ".join(capsys.readouterr().out.split()).partition("Privacy: ")[2]

    data = "one provider's data" if most is None else f"the data of at most {most} providers"
    loss = answer["privacy"]["unit_ceiling"]
    epsilon, words = float(said.split()[3]), said.split(maxsplit=4)[4]
    assert loss["epsilon"] <= epsilon < loss["epsilon"] + 0.01
    assert words == f"at delta {loss['delta']} for one person in {data} over the whole contract; --explain says why."
