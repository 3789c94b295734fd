"""What a preview says of a settlement: at rates where the outcome turns, however little noise there is."""

import pytest

from contracts.settlement_odds import SettlementOdds, settlement_odds
from contracts.terms import read_terms
from tests.support.small_exchange import adherence_feed, small_contract

CLAUSE = {
    "statistic": "adherence_rate",
    "target": "0.63",
    "period": "2025",
    "as_of": "final",
    "decide_at": "0.95",
    "undecided": "the price stays",
    "accept_measured_at_source": False,
}


def odds_for(members: int, **clause: str) -> SettlementOdds:
    feeds = [adherence_feed(expected={"members": members}, tables=[], restatements=0, link="none", measured="exchange")]
    document = small_contract(feeds=feeds, settlement={**CLAUSE, **clause})
    found = settlement_odds(read_terms(document))
    assert found is not None
    return found


@pytest.mark.parametrize("members", [200, 20_000, 2_000_000])
def test_rates_lie_where_one_outcome_turns_into_another(members: int) -> None:
    """At 1, 2 and 3 standard deviations of the noise above the target, met is said with the chances
    Phi(1 - 1.645), Phi(2 - 1.645) and Phi(3 - 1.645): of a normal table 0.2595, 0.6387, 0.9123."""
    found = odds_for(members)

    assert found.noise_sd is not None
    by_rate = dict(found.odds)
    for sds, chance in ((1, 0.2595), (2, 0.6387), (3, 0.9123)):
        for side in (-1, 1):
            wanted = 0.63 + side * sds * found.noise_sd
            rate = min(by_rate, key=lambda each: abs(each - wanted))
            assert abs(rate - wanted) <= 0.05 * sds * found.noise_sd  # two digits
            said = by_rate[rate].met if side > 0 else by_rate[rate].not_met
            assert said == pytest.approx(chance, abs=0.05)
    assert {0.58, 0.61, 0.62, 0.63, 0.64, 0.65, 0.68} <= set(by_rate)
    assert list(by_rate) == sorted(by_rate)


def test_no_rate_leaves_0_to_1_where_there_is_much_noise() -> None:
    found = odds_for(3)

    assert found.noise_sd is not None
    assert found.noise_sd > 1
    assert [rate for rate, _ in found.odds] == [0.58, 0.61, 0.62, 0.63, 0.64, 0.65, 0.68]


def test_what_is_not_predicted_has_no_odds() -> None:
    found = odds_for(200, statistic="pdc_mean")

    assert (found.feed, found.expected, found.noise_sd, found.odds) == (None, None, None, ())


def test_odds_are_those_of_the_feed_that_the_clause_names() -> None:
    names = ("adherence", "linked_adherence")
    known = {"expected": {"members": 200}, "tables": [], "restatements": 0, "link": "none", "measured": "exchange"}
    document = small_contract(feeds=[adherence_feed(name=name, **known) for name in names])

    for name in names:
        found = settlement_odds(read_terms(document | {"settlement": CLAUSE | {"feed": name}}))
        assert found is not None
        assert found.feed == name
