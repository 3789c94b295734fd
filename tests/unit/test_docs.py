"""The docs say what is there: variables, links, tables, and files that tests are said to be in."""

import re
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
    read |= {"PARLEY_TOKEN_KEY_FILE"}  # made from PARLEY_TOKEN_KEY
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
