"""The files and words of `parley prepare`: cells files, contracts without the server's schemas, periods, rules."""

import errno
import json
import os
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click import ClickException
from click.testing import CliRunner

from adapters.preparation.writing import (
    SUFFIXES,
    CellsLabel,
    NotCells,
    Taken,
    encode_cells,
    read_cells_file,
    write_whole,
)
from api.cli import main
from api.cli.preparation_input import chosen_periods, population_of
from api.cli.terms_file import read_terms_file
from api.schemas.contracts import ContractDocumentSchema
from contracts.canonical import digest_of
from contracts.preparation.defaults import default_definition
from contracts.preparation.rules import rules_in_words
from contracts.terms import FeedTerms, Terms, read_terms
from tests.conftest import REPOSITORY
from tests.support.small_exchange import adherence_feed, fills_feed, small_contract

LABEL = CellsLabel("dsc-small", 1, "ab" * 32, "fills", "2025-01", 0, "6f0f0b0a-9a55-4c0c-8f4e-2f1d3a5b7c90", "cd" * 32)
TODAY = date(2026, 7, 1)


@pytest.fixture
def terms() -> Terms:
    return terms_of(small_contract())


def terms_of(document: dict[str, Any]) -> Terms:
    return read_terms(ContractDocumentSchema().load(document))


def fills(terms: Terms) -> FeedTerms:
    return terms.feeds[0]


CELLS = {
    "region": ["south", "north", "north"],
    "sex": ["F", "M", "F"],
    "members": [3, 0, 5],
    "days_covered": [40, 0, 60],
    "treatment_days": [90, 0, 100],
}
ORDERED = {
    "region": ["north", "south"],
    "sex": ["F", "F"],
    "members": [5, 3],
    "days_covered": [60, 40],
    "treatment_days": [100, 90],
}


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_a_cells_file_has_the_strata_with_somebody_in_the_order_of_the_contract_and_says_what_it_is_of(
    terms: Terms, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"cells{suffix}"
    path.write_bytes(encode_cells(fills(terms), CELLS, LABEL, suffix))

    label, table = read_cells_file(path)

    assert label == LABEL
    assert table.to_pydict() == ORDERED
    assert {str(field.type) for field in table.schema} == {
        "dictionary<values=string, indices=int32, ordered=0>",
        "int64",
    }


def test_csv_and_json_hold_the_same_cells(terms: Terms) -> None:
    as_csv, as_json = (encode_cells(fills(terms), CELLS, LABEL, suffix).decode() for suffix in (".csv", ".json"))

    assert json.loads(as_json) == {"columns": ORDERED}
    assert as_csv.splitlines() == [",".join(ORDERED), "north,F,5,60,100", "south,F,3,40,90"]


def test_the_bytes_of_a_cells_file_do_not_tell_in_which_order_the_claims_came(terms: Terms) -> None:
    turned = {name: column[::-1] for name, column in CELLS.items()}
    for suffix in SUFFIXES:
        assert encode_cells(fills(terms), CELLS, LABEL, suffix) == encode_cells(fills(terms), turned, LABEL, suffix)


def test_a_table_of_somebody_elses_has_no_label_and_a_broken_one_is_no_table(terms: Terms, tmp_path: Path) -> None:
    path = tmp_path / "cells.parquet"
    pq.write_table(pa.table(ORDERED), path)
    assert read_cells_file(path)[0] is None
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(NotCells, match="no Parquet file"):
        read_cells_file(path)
    for metadata in (b"{}", b"nonsense", json.dumps({"contract_id": 7}).encode()):
        pq.write_table(pa.table(ORDERED).replace_schema_metadata({b"parley": metadata}), path)
        with pytest.raises(NotCells, match="what it says it is of"):
            read_cells_file(path)
    path.write_bytes(encode_cells(fills(terms), CELLS, replace(LABEL, format_version=2), ".parquet"))
    with pytest.raises(NotCells, match="another version"):
        read_cells_file(path)


def test_a_file_is_there_whole_and_for_its_owner_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cells.parquet"
    write_whole(path, b"one", replace=False)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"one", 0o600)
    with pytest.raises(Taken):
        write_whole(path, b"two", replace=False)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"three", replace=True)
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("cells.parquet", b"one")]


def test_a_draft_reads_without_the_servers_schemas_as_with_them(tmp_path: Path) -> None:
    examples = (REPOSITORY / "examples" / name / "contract.yaml" for name in ("budget", "tutorial"))
    for draft in (small_contract(), *(yaml.safe_load(path.read_text()) for path in examples)):
        path = tmp_path / "contract.json"
        path.write_text(json.dumps(draft))
        assert read_terms_file(path).terms.feeds == terms_of(draft).feeds
        assert read_terms_file(path).digest is None


def test_a_proposed_contract_is_known_by_its_own_digest(tmp_path: Path) -> None:
    document = ContractDocumentSchema().load(small_contract())
    for feed in document["feeds"]:
        feed["plan"] = {"mechanism": "discrete_gaussian", "draws": [], "charge_nano": 0, "explanation": []}
    path = tmp_path / "contract.json"

    path.write_text(json.dumps({"document": document, "digest": digest_of(document)}))
    assert read_terms_file(path).digest == digest_of(document)

    document["feeds"][0]["k"] = 11
    path.write_text(json.dumps({"document": document, "digest": "ab" * 32}))
    with pytest.raises(ClickException, match="something of it was changed"):
        read_terms_file(path)


@pytest.mark.parametrize(
    ("text", "periods"),
    [
        ("2025-03", ["2025-03"]),
        ("2025-03,2025-01", ["2025-01", "2025-03"]),
        ("2025-11..2025-12,2025-01", ["2025-01", "2025-11", "2025-12"]),
    ],
)
def test_periods_are_a_list_or_a_range(terms: Terms, text: str, periods: list[str]) -> None:
    assert [str(period) for period in chosen_periods(fills(terms), text, TODAY)] == periods


def test_all_periods_are_those_that_are_over(terms: Terms) -> None:
    found = chosen_periods(fills(terms), "all", date(2025, 4, 1))
    assert [str(period) for period in found] == ["2025-01", "2025-02", "2025-03"]
    with pytest.raises(ClickException, match="after it has ended"):
        chosen_periods(fills(terms), "all", date(2025, 1, 31))


def test_the_register_is_of_ones_own_population(terms: Terms) -> None:
    assert population_of(terms, "sierra") == "sierra-members"
    assert population_of(terms, None) == "payer-of-dsc-small"
    with pytest.raises(ClickException, match="helix is no payer"):
        population_of(terms, "helix")


def test_the_rules_are_said_from_contract_and_definitions(terms: Terms) -> None:
    adherence = terms_of(small_contract(feeds=[fills_feed(), adherence_feed()])).feeds[1]
    said = " ".join(rules_in_words(adherence, default_definition(adherence)))
    assert "At least 2 fills on different days, and 91 days" in said
    assert "adherence_band: Share of days covered" in said
    assert "At most 31 a person" in " ".join(rules_in_words(fills(terms), default_definition(fills(terms))))


def test_the_command_needs_to_know_what_where_and_how() -> None:
    answer = CliRunner().invoke(main, ["prepare", "--memory", "much"])
    assert answer.exit_code == 2
    assert "write it like 3GB" in answer.output or "Missing option" in answer.output
