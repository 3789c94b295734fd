"""The packet for a privacy officer: its numbers against other ways to reckon them, and nothing claimed or left out."""

import json
import re
from copy import deepcopy
from dataclasses import replace
from datetime import date
from fractions import Fraction
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from math import ceil, exp, log

import click
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import norm

from adapters.evidence import manifest, stored_tables
from adapters.rendering import WRITERS
from api.cli import main
from contracts.canonical import digest_of
from contracts.evidence.given import Given
from contracts.evidence.incidents import incidents, incidents_section
from contracts.evidence.losses import loss_at, rounded_up
from contracts.evidence.packet import Evidence, EvidenceRefused, evidence_json, gather
from contracts.terms import read_terms, terms_of
from privacy.units import NANO
from tests.support.small_exchange import BRAND, PAYERS
from tests.unit.evidence import OFF_LIMITS, document, given, page_of, section_of, section_texts, texts

SECTIONS = (
    "About this packet",
    "The guarantee",
    "Contribution bounds, and who attests them",
    "The mechanism and the measurement plans",
    "Tests and versions",
    "Where exact numbers are, and what is kept",
    "On a suspected breach",
    "What each provider must do",
    "What remains outside",
)


@cache
def evidence() -> Evidence:
    return gather(given())


# --- The guarantee -------------------------------------------------------------------------------------------------


def log_delta_of(rho: float, epsilon: float) -> float:
    """Canonne, Kamath and Steinke 2020, corollary 13: the least over alpha, searched in log(alpha - 1)."""

    def log_delta(logarithm: float) -> float:
        alpha = 1 + exp(logarithm)
        return (alpha - 1) * (alpha * rho - epsilon) - log(alpha - 1) + alpha * log(1 - 1 / alpha)

    return float(minimize_scalar(log_delta, bounds=(-12, 12), method="bounded", options={"xatol": 1e-12}).fun)


def test_epsilon_is_that_of_the_published_conversion() -> None:
    losses = [each.ceiling for each in evidence().guarantee.populations] + [evidence().guarantee.everything]
    for lost in losses:
        assert list(lost.epsilon) == ["0.000001", "0.000000001"]
        for delta, stated in lost.epsilon.items():
            rho = lost.rho_nano / NANO
            expected = brentq(lambda e, rho=rho, delta=delta: log_delta_of(rho, e) - log(float(delta)), 1e-3, 50)
            assert stated == pytest.approx(expected, rel=1e-5)


def test_what_an_attacker_believes_follows_by_bayes_from_the_tail_of_the_privacy_loss() -> None:
    """The log of the likelihood ratio has P(L > x) <= exp(-(x - rho)^2 / (4 rho)): that of a Gaussian loss is less."""
    for learned in evidence().guarantee.learned:
        rho = learned.loss.rho_nano / NANO
        largest = brentq(lambda x, rho=rho: (x - rho) ** 2 / (4 * rho) + log(1e-6), rho, 100)
        assert [belief.prior for belief in learned.beliefs] == [0.5, 0.1, 0.01]
        for belief in learned.beliefs:
            p = belief.prior
            assert belief.at_most == pytest.approx(p * exp(largest) / (p * exp(largest) + 1 - p), rel=1e-9)
            needed = log(belief.at_most / (1 - belief.at_most)) - log(p / (1 - p))
            assert norm.sf(needed, rho, (2 * rho) ** 0.5) <= 1e-6


def test_guesses_and_certainty_are_those_of_the_two_densities_weighted_by_the_prior() -> None:
    for learned in evidence().guarantee.learned:
        sigma = (2 * learned.loss.rho_nano / NANO) ** -0.5
        for belief in learned.beliefs:
            p = belief.prior

            def better(x: float, p: float = p, sigma: float = sigma) -> float:
                return float(max(p * norm.pdf(x, 1, sigma), (1 - p) * norm.pdf(x, 0, sigma)))

            edges = np.linspace(-12 * sigma, 1 + 12 * sigma, 40)
            right = sum(quad(better, low, high)[0] for low, high in pairwise(edges))
            assert belief.right_after == pytest.approx(right, abs=1e-6)
            sure = brentq(
                lambda x, p=p, sigma=sigma: log(p / (1 - p)) + (2 * x - 1) / (2 * sigma**2) - log(9), -1e4, 1e4
            )
            assert belief.certain == pytest.approx(norm.sf(sure, 1, sigma), rel=1e-6)


@pytest.mark.parametrize(("value", "shown"), [(2.1401, "2.15"), (2.15, "2.15"), (0.0, "0.00"), (0.0001, "0.01")])
def test_what_is_shown_never_looks_better_than_it_is(value: float, shown: str) -> None:
    assert rounded_up(value) == shown


def test_a_population_loses_the_k_dearest_periods_and_every_restatement_once_all_is_posted() -> None:
    charges = {feed["name"]: feed["plan"]["charge_nano"] for feed in document()["feeds"]}
    of_payer = charges["fills"] * (7 + 2 * 12) + charges["adherence"] * 2

    found = {each.population: each.all_posted.rho_nano for each in evidence().guarantee.populations}

    assert found == {f"{name}-members": of_payer for name in PAYERS} | {f"{BRAND}-members": charges["support"] * 12}
    for each in evidence().guarantee.populations:
        assert each.all_posted.rho_nano <= each.ceiling.rho_nano


def test_ceilings_that_differ_and_one_person_in_everything_are_told_apart() -> None:
    told = {learned.of: learned.loss.rho for learned in evidence().guarantee.learned}
    assert told["one person of sierra-members"] == "0.2"
    assert told["one person in every population of this contract"] == "0.5"
    assert len(told) == 3


def test_a_person_across_providers_is_told_at_the_sum_of_the_largest_ceilings() -> None:
    whole = deepcopy(document())
    whole["privacy"] |= {"unit": "person_across_providers", "max_providers": 2}
    found = gather(given(whole))
    assert found.guarantee.of_unit.rho == "0.3"
    assert "one person in the data of 2 providers" in {learned.of for learned in found.guarantee.learned}
    assert any("at most 2 providers" in text for text in found.limits.assumptions)


# --- Bounds, mechanism, duties ------------------------------------------------------------------------------------


def test_a_broken_bound_costs_what_sensitivity_says() -> None:
    fills = evidence().bounds[0]
    charge = document()["feeds"][0]["plan"]["charge_nano"]
    assert [(each.measure, each.per_cell, each.over_term, each.l2_squared) for each in fills.measures] == [
        ("members", 1, 7, 1),
        ("days_covered", 31, 217, 961),
        ("treatment_days", 31, 217, 961),
    ]
    assert fills.kept.rho_nano == charge * 31
    assert [each.loss.rho_nano for each in fills.broken] == [4 * charge * 31, 4 * charge * 31, charge * 36]
    assert "all 12 periods instead of 7" in fills.broken[2].how
    assert len(evidence().bounds[1].broken) == 2


def test_bounds_are_attested_by_who_signed_and_by_nobody_else() -> None:
    found = gather(given(signers=("sierra",)))
    attested = {each.organisation: each.signer_name for each in found.bounds[0].attested_by}
    assert attested == {"blueridge": None, "lakeshore": None, "sierra": "Ann of sierra"}
    assert found.subject.waiting_for == ("blueridge", "lakeshore", BRAND)
    assert "nobody yet" in section_of(page_of(given(signers=())), SECTIONS[2])


def test_every_charge_is_that_of_its_sigma_rounded_up() -> None:
    draws = [draw for feed in evidence().mechanism.feeds for draw in feed.draws]
    assert len(draws) == sum(len(feed["plan"]["draws"]) for feed in document()["feeds"])
    for draw in draws:
        exact = Fraction(draw.l2_squared) / (2 * Fraction(float(draw.sigma)) ** 2) * NANO
        assert 0 <= draw.charge_nano - ceil(exact) <= 1


def test_the_calendar_has_the_days_that_the_contract_implies() -> None:
    due = evidence().duties.feeds[0].calendar
    assert len(due) == 12
    # Days of run-out: 90. Restated half-way and right after it. Nobody posts before the contract begins.
    assert (due[11].period, due[11].from_day) == ("2025-12", date(2026, 1, 1))
    assert due[11].restatements == (date(2026, 2, 15), date(2026, 4, 1))
    assert due[11].final == date(2026, 4, 1)
    assert (due[0].period, due[0].from_day, due[0].late_after) == ("2025-01", date(2026, 1, 1), date(2026, 1, 31))
    assert due[0].final == date(2025, 5, 2)
    assert due[11].late_after == date(2026, 1, 31)
    assert not any(each.after_expiry for each in due)


def test_a_period_that_falls_due_after_the_last_day_is_named() -> None:
    whole = deepcopy(document()) | {"expires": "2026-03-15"}
    found = given(whole)
    late = [each.period for each in gather(found).duties.feeds[0].calendar if each.after_expiry]
    assert late == ["2025-12"]
    assert any(text.endswith("in part or whole: 2025-12.") for text in section_of(page_of(found), SECTIONS[7]))


def test_obligations_are_those_of_the_contract_or_said_to_be_missing() -> None:
    page = page_of(given())
    assert any("within 36 hours" in text for text in section_of(page, SECTIONS[6]))
    assert any(OFF_LIMITS in text for text in section_of(page, SECTIONS[7]))
    without = {name: value for name, value in document().items() if name != "obligations"}
    assert any("states no number of hours" in text for text in section_of(page_of(given(without)), SECTIONS[6]))


# --- The whole -----------------------------------------------------------------------------------------------------


def test_every_command_that_is_named_is_there_with_its_options() -> None:
    named = {match for text in texts(page_of(given())) for match in re.findall(r"parley ((?:[a-z]+ )*[a-z]+)", text)}
    steps = [step.command for step in evidence().incidents.steps if step.command]
    assert len(steps) > 8
    for words in (*steps, *(f"parley {words}" for words in named)):
        command: click.Command = main
        left = words.split()[1:]
        while left and isinstance(command, click.Group):
            found = command.get_command(click.Context(command), left.pop(0))
            assert found is not None, words
            command = found
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in left if word.startswith("--")} <= options, words


def test_owner_and_operator_each_have_a_command_of_their_own_to_stop_and_to_go_on() -> None:
    name, contract = "sierra-members", document()["id"]
    commands = {(step.who, step.command) for step in evidence().incidents.steps}
    operator = "the operator, on the machine of the exchange"

    for word in ("suspend", "resume"):
        assert ("sierra", f"parley contract {word} --population {name} --reason TEXT") in commands
        assert (operator, f"parley population {word} {name} --reason TEXT") in commands
        assert (operator, f"parley operator {word} {contract} --reason TEXT") in commands
    assert not any("population" in command and "or the operator" in who for who, command in commands)


def test_nothing_of_the_contract_is_forgotten() -> None:
    page = page_of(given())
    whole = " ".join(texts(page))
    for party in document()["parties"]:
        assert {party["organisation"], party["population"]} <= set(texts(page))
    for title in (SECTIONS[2], SECTIONS[3], SECTIONS[7]):
        said = section_of(page, title)
        assert {f"Feed {feed['name']}" for feed in document()["feeds"]} <= set(said)
    for feed in document()["feeds"]:
        assert set(feed["measures"]) <= set(section_of(page, SECTIONS[2]))
        assert {draw["sigma"] for draw in feed["plan"]["draws"]} <= set(section_of(page, SECTIONS[3]))
    calendar = section_of(page, SECTIONS[7])
    for feed in read_terms(document()).feeds:
        assert {str(period) for period in feed.periods} <= set(calendar)
    assert digest_of(document()) in whole
    assert {table.name for table in stored_tables()} <= set(section_of(page, SECTIONS[5]))


class Headings(HTMLParser):
    """The headings of a page, and every tag of it."""

    def __init__(self) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.tags: set[str] = set()
        self._open = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._open = tag

    def handle_data(self, data: str) -> None:
        if self._open == "h2":
            self.headings.append(data)
        self._open = ""


def test_every_section_is_in_both_documents() -> None:
    page = page_of(given())
    assert tuple(section.title for section in page.sections) == SECTIONS
    written = Headings()
    written.feed(WRITERS["html"](page))
    assert tuple(written.headings) == SECTIONS
    assert tuple(re.findall(r"^## (.*)$", WRITERS["markdown"](page), re.MULTILINE)) == SECTIONS


def test_what_others_wrote_stays_text() -> None:
    whole = deepcopy(document()) | {"title": "<script>alert(1)</script><img src=x onerror=alert(1)>"}
    page = page_of(given(whole))
    written = Headings()
    written.feed(WRITERS["html"](page))
    assert not {"script", "img"} & written.tags
    assert "&lt;script&gt;" in WRITERS["markdown"](page)


def test_a_signature_that_does_not_fit_gives_no_evidence() -> None:
    found = given()
    moved = replace(found.record.signatures[0], signer_name="Somebody else")
    with pytest.raises(EvidenceRefused, match="signer_name"):
        gather(replace(found, record=replace(found.record, signatures=(moved, *found.record.signatures[1:]))))


def test_a_plan_that_charges_too_little_gives_no_evidence() -> None:
    whole = deepcopy(document())
    whole["feeds"][0]["plan"]["draws"][0]["charge_nano"] -= 1
    with pytest.raises(EvidenceRefused, match="plan is not sound"):
        gather(given(whole))


def test_the_facts_are_json_and_a_manifest_is_as_sha256sum_reads_it() -> None:
    found = json.loads(json.dumps(evidence_json(evidence())))
    assert found["format"] == "parley-evidence-1"
    assert found["duties"]["feeds"][0]["calendar"][11]["restatements"] == ["2026-02-15", "2026-04-01"]
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert manifest({"b": b"", "a": b""}) == f"{empty}  a\n{empty}  b\n"


def test_what_a_stolen_database_gives_away_is_more_than_this_contracts_releases() -> None:
    statement = {"granted": {"rho_nano": 200_000_000}}
    unknown = given()
    known = replace(unknown, statement=statement)
    terms = terms_of(unknown.record)

    def said(found: Given) -> str:
        return " ".join(section_texts(incidents_section(incidents(found, terms))))

    assert incidents(known, terms).stolen_of_own_population == loss_at(200_000_000, terms)
    assert "This contract's releases" in said(unknown)
    assert "up to its lifetime grants" in said(unknown)
    assert "not known to this packet" in said(unknown)
    assert "over all contracts, rho 0.2 (" in said(known)
    assert "parley client revoke ID" in said(known)
