"""The codebook says what every word of an answer means, and its pages are those of the code."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli import main
from api.cli.codebook_page import codebook_page, statistics_table
from contracts.statistics.answers import Flag, Label, State
from contracts.statistics.catalogue import OFFERED
from contracts.statistics.codebook import FLAGS, LABELS, STATES, UNITS, codebook

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_every_state_flag_and_label_has_its_words() -> None:
    assert (set(STATES), set(FLAGS), set(LABELS)) == (set(State), set(Flag), set(Label))


@pytest.mark.parametrize("name", OFFERED)
def test_every_unit_of_a_figure_is_explained_or_speaks_for_itself(name: str) -> None:
    unexplained = {figure.unit for figure in OFFERED[name].figures} - set(UNITS)

    assert {unit for unit in unexplained if " per " not in unit} == set()
    assert OFFERED[name].figures


def test_the_committed_codebook_is_that_of_the_code() -> None:
    assert (REFERENCE / "codebook.md").read_text() == codebook_page(), (
        "run `parley codebook >docs/reference/codebook.md`"
    )


def test_the_table_of_statistics_is_that_of_the_declarations() -> None:
    lines = (REFERENCE / "statistics.md").read_text().splitlines()
    first = lines.index(statistics_table()[0])
    table = lines[first : first + len(OFFERED) + 2]

    assert table == statistics_table(), "put in what `parley codebook --table` prints"
    assert lines[first + len(table)] == ""


def test_what_the_command_prints_for_people_is_the_page() -> None:
    printed = CliRunner().invoke(main, ["codebook"])

    assert printed.output == codebook_page()
    assert all(f"### `{each.name}`" in printed.output for each in codebook().statistics)
