"""The docs say what is there: variables, links, tables, and files that tests are said to be in."""

import re
from math import ceil
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("examples/**/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())

    broken = [link for link in links if not (page.parent / link).exists()]

    assert broken == []


def test_every_variable_that_is_read_is_documented_and_the_other_way_round() -> None:
    read = set(re.findall(r"PARLEY_[A-Z_]+", (REPOSITORY / "api" / "settings.py").read_text()))
    # Made from the names without _FILE.
    read |= {f"PARLEY_{name}_FILE" for name in ("TOKEN_KEY", "RECEIPT_KEY", "RATE_LIMIT_STORAGE")}
    told = set(re.findall(r"`(PARLEY_[A-Z_]+)`", (REPOSITORY / "docs/reference/configuration.md").read_text()))

    assert read - {"PARLEY_"} == told


def test_every_test_that_the_threat_model_names_is_there() -> None:
    page = (REPOSITORY / "docs" / "explain" / "threat-model.md").read_text()
    named = re.findall(r"`(tests/[a-z_/]+\.py)`", page)

    assert len(named) > 8
    assert [path for path in named if not (REPOSITORY / path).exists()] == []


def test_every_decision_is_listed() -> None:
    folder = REPOSITORY / "docs" / "decisions"
    listed = re.findall(r"\((\d{4}[^)]+\.md)\)", (folder / "README.md").read_text())

    assert listed == sorted(path.name for path in folder.glob("0*.md"))


def test_the_data_model_page_is_that_of_the_tables() -> None:
    from adapters.database.describe import data_model

    assert (REPOSITORY / "docs" / "reference" / "data-model.md").read_text() == data_model()


def test_every_table_and_column_says_what_it_is() -> None:
    from adapters.database.tables import metadata

    silent = [f"{t.name}.{c.name}" for t in metadata.sorted_tables for c in t.columns if not c.comment]

    assert silent == []
    assert all(table.comment for table in metadata.sorted_tables)


def test_what_the_promise_says_an_attacker_learns_is_what_the_code_says() -> None:
    from contracts.rendering.rounding import chance_text, percent_up
    from privacy.adversary import chance_of_certainty, right_guesses
    from privacy.mechanism import epsilon
    from privacy.units import budget_nano

    page = (REPOSITORY / "docs" / "explain" / "privacy-promise.md").read_text()
    rows = re.findall(r"^\| ([\d.]+) \| ([\d.]+) \| ([\d.]+)% \| (.*) \|$", page, re.MULTILINE)

    assert len(rows) == 6
    for rho, told_epsilon, told_right, told_chance in rows:
        nano = budget_nano(rho)
        assert told_epsilon == f"{ceil(epsilon(nano, 1e-6) * 100) / 100:.2f}"
        assert f"{told_right}%" == percent_up(right_guesses(nano))
        assert told_chance == chance_text(chance_of_certainty(nano, 0.9))
    (lead,) = re.findall(
        r"is right in ([\d.]+%) of cases at the default budget", (REPOSITORY / "README.md").read_text()
    )
    assert lead == percent_up(right_guesses(budget_nano("0.1")))
