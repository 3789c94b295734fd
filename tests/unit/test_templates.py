"""Templates fill in to whole contracts that can be drafted and previewed as they are, on any day."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from api.cli import main
from api.cli.files import read_document
from api.contract_templates import SettingInvalid, fill_in, summary_of, template_names
from api.schemas.contracts import ContractDocumentSchema
from contracts.drafting import check_terms
from contracts.parties import JsonObject
from contracts.statistics.catalogue import GRANTABLE
from tests.support.small_exchange import BRAND, PAYERS, SmallExchange

NAMES = template_names()
MOST_CELLS = 250_000


def filled(name: str, today: date = date(2026, 7, 1), **settings: str) -> JsonObject:
    loaded: JsonObject = ContractDocumentSchema().load(yaml.safe_load(fill_in(name, settings, today)))
    return loaded


def test_there_are_templates_of_real_use() -> None:
    assert set(NAMES) >= {
        "adherence-exchange",
        "persistence-life-table",
        "measured-at-source",
        "outcomes-based",
        "programme-effect",
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_template_is_drafted_proposed_and_previewed_as_it_is(name: str, migrated_sqlite_url: str) -> None:
    exchange = SmallExchange(migrated_sqlite_url)
    settings = {"payers": ",".join(PAYERS), "brand": BRAND, "brand_population": f"{BRAND}-members"}
    document = filled(name, exchange.clock.now().date(), **settings)

    previewed = exchange.post(BRAND, "/v1/contract-previews", {"document": document})
    drafted = exchange.post(BRAND, "/v1/contracts", document)
    proposed = exchange.post(BRAND, f"/v1/contracts/{document['id']}/proposal")

    exchange.wiring.database.close()
    assert previewed.status_code == 200, previewed.get_json()
    assert previewed.get_json()["unanswered"] == []  # whatever is granted can be asked
    assert drafted.status_code == 201, drafted.get_json()
    assert proposed.status_code == 200, proposed.get_json()
    assert all(feed["plan"]["draws"] for feed in proposed.get_json()["document"]["feeds"])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("today", [date(2026, 1, 1), date(2026, 12, 31), date(2028, 2, 29)], ids=str)
def test_no_contract_is_born_expired_or_ends_before_its_last_posting(name: str, today: date) -> None:
    document = filled(name, today)

    check_terms(document, statistics=GRANTABLE, max_cells=MOST_CELLS, today=today)
    assert date.fromisoformat(document["effective"]) == today
    assert (date.fromisoformat(document["expires"]) - today).days >= 365


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "settings",
    [{"payers": "acme"}, {"payers": ",".join(f"payer-{i}" for i in range(12))}, {"first_year": "2025"}],
    ids=["one payer", "a dozen payers", "one year"],
)
def test_few_or_many_payers_and_a_single_year_fit_every_template(name: str, settings: dict[str, str]) -> None:
    document = filled(name, **settings)

    check_terms(document, statistics=GRANTABLE, max_cells=MOST_CELLS, today=date(2026, 7, 1))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_set_stands_in_the_contract(name: str) -> None:
    settings = {
        "id": "dsc-mine",
        "title": 'Of "us": $id # and {more}',
        "payers": "acme,sierra",
        "payer_populations": "acme-all,sierra-all",
        "brand": "helix",
        "brand_population": "helix-all",
        "first_year": "2023",
        "last_year": "2025",
        "effective": "2026-08-01",
        "expires": "2029-06-30",
    }

    document = filled(name, **settings)

    assert [document[key] for key in ("id", "title", "effective", "expires")] == [
        settings[key] for key in ("id", "title", "effective", "expires")
    ]
    assert [tuple(party.values()) for party in document["parties"]] == [
        ("acme", "payer", "acme-all"),
        ("sierra", "payer", "sierra-all"),
        ("helix", "brand", "helix-all"),
    ]
    assert {feed["first_period"][:4] for feed in document["feeds"]} == {"2023"}
    assert {feed["last_period"][:4] for feed in document["feeds"]} == {"2025"}
    assert document["rules"]["min_payers"] == 2
    check_terms(document, statistics=GRANTABLE, max_cells=MOST_CELLS, today=date(2026, 7, 1))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"payer": "acme"}, "there is no setting payer; payers is"),
        ({"payers": "Acme Inc"}, "payers: an id"),
        ({"payers": "acme, x: y"}, "payers: an id"),
        ({"effective": "tomorrow"}, "effective: a date"),
        ({"first_year": "2025-01"}, "first_year: a year"),
        ({"first_year": "2030"}, "last_year: not before first_year"),
        ({"payer_populations": "one-only"}, "payer_populations: one for each of the 3 payers"),
        ({"title": "two\nlines"}, "title: a text"),
    ],
)
def test_a_setting_that_fits_nothing_is_refused_with_what_does(settings: dict[str, str], said: str) -> None:
    with pytest.raises(SettingInvalid, match=said):
        fill_in("adherence-exchange", settings, date(2026, 7, 1))


def run(*words: object) -> Any:
    return CliRunner().invoke(main, ["contract", "new", *map(str, words)])


def test_the_command_lists_each_template_in_one_line() -> None:
    lines = run("--list").output.splitlines()

    assert lines[: len(NAMES)] == [f"{name}: {summary_of(name)}" for name in NAMES]
    assert any(line.startswith("payers ") for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_the_command_writes_a_file_with_comments_that_reads_as_a_contract(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"

    result = run("--template", name, "--set", "brand=helix", "--out", path)

    assert result.exit_code == 0, result.output
    assert path.read_text().startswith(f"# {summary_of(name)}")
    ContractDocumentSchema().load(read_document(path))
    assert run("--template", name, "--out", path).exit_code == 1  # never overwritten


def test_nothing_is_written_that_could_not_be_drafted(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"

    result = run("--template", "adherence-exchange", "--set", "expires=2001-01-01", "--out", path)

    assert result.exit_code == 1
    assert "/expires" in result.stderr
    assert not path.exists()
    assert run("--template", "nonesuch").exit_code == 2


def test_the_clauses_of_outcomes_and_effects_stand_in_a_template_to_start_from() -> None:
    outcomes, effect = filled("outcomes-based"), filled("programme-effect", brand="helix")

    (feed,) = outcomes["feeds"]
    assert {"hospital_stays", "allowed_cents", "member_months"} <= set(feed["measures"])
    assert outcomes["settlement"]["period"] == feed["last_period"]
    assert len(outcomes["standards"][0]["weights"]) == 10
    assert list(effect["rollups"]["dimensions"]) == ["division", "region"]
    assert len(effect["vocabularies"]["state"]) == 51  # each of them in one division, or no draft would be taken
    assert effect["rollout"]["dimension"] == "region"
    assert [feed["linked"]["organisation"] for feed in effect["feeds"] if feed.get("linked")] == ["helix"]
