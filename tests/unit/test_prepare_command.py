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
from click import BadParameter, ClickException, Context, UsageError
from click.testing import CliRunner

from adapters.preparation.definitions_file import read_definitions_file
from adapters.preparation.summary import not_noted_notice
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
from api.cli.commands.prepare import prepare
from api.cli.files_in_order import contract_and_files, in_order, post_in_order
from api.cli.output import sentence
from api.cli.preparation_input import checked_memory, chosen_periods, population_of, read_layout
from api.cli.terms_file import read_terms_file
from api.schemas.contracts import ContractDocumentSchema
from contracts.canonical import digest_of
from contracts.parties import JsonObject
from contracts.periods import parse_any
from contracts.preparation.defaults import default_definition
from contracts.preparation.judging import definitions_of
from contracts.preparation.reading import DefinitionsInvalid
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
    with pytest.raises(ClickException, match="are blueridge, lakeshore, sierra: say with --organisation"):
        population_of(terms, None)
    assert population_of(terms, None, of_one=False) == "payer-of-dsc-small"
    alone = replace(terms, parties=tuple(party for party in terms.parties if party.organisation in ("sierra", "helix")))
    assert population_of(alone, None) == "sierra-members"
    with pytest.raises(ClickException, match="helix is no payer"):
        population_of(terms, "helix")


def test_the_rules_are_said_from_contract_and_definitions(terms: Terms) -> None:
    adherence = terms_of(small_contract(feeds=[fills_feed(), adherence_feed()])).feeds[1]
    said = " ".join(rules_in_words(adherence, default_definition(adherence)))
    assert "At least 2 fills on different days, and 91 days" in said
    assert "adherence_band: Share of days covered" in said
    assert "At most 31 a person" in " ".join(rules_in_words(fills(terms), default_definition(fills(terms))))


def refused_definitions(folder: Path, text: str) -> list[tuple[str, str]]:
    """What `parley prepare` would say of these definitions of the small contract, with pointer and code."""
    path = folder / "prep.yaml"
    path.write_text(text)
    feeds = terms_of(small_contract(feeds=[fills_feed(), adherence_feed()])).feeds
    with pytest.raises(DefinitionsInvalid) as invalid:
        definitions_of(feeds[0], feeds, lambda: read_definitions_file(path))
    return [(fault.pointer, fault.code) for fault in invalid.value.faults]


def test_all_faults_of_definitions_are_said_at_once_and_before_a_claim_is_read(tmp_path: Path) -> None:
    """A fault of the text, an unknown feed, names that the feed and the claims do not have, and an unknown value."""
    text = """
        feeds:
          fils: {}
          fills:
            gap_days: -1
            measures: {days_coverd: days_covered, members: persons}
            dimensions:
              sex: {from: sexx}
              regoin: {from: region}
              region: {from: region, values: {NY: norht}}
    """
    found = refused_definitions(tmp_path, text)

    assert sorted(found) == [
        ("/feeds/fills/dimensions/region", "value_unknown"),
        ("/feeds/fills/dimensions/regoin", "dimension_unknown"),
        ("/feeds/fills/dimensions/sex", "dimension_unknown"),
        ("/feeds/fills/gap_days", "value_invalid"),
        ("/feeds/fills/measures/days_coverd", "measure_unknown"),
        ("/feeds/fills/measures/members", "measure_unknown"),
        ("/feeds/fils", "feed_unknown"),
    ]
    assert sorted(refused_definitions(tmp_path, text.replace("-1", "30"))) == [
        each for each in sorted(found) if each[1] != "value_invalid"
    ]


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("drugs: {helixor: {codes: [93505698]}}\nfeeds: {fills: {drugs: [helixor]}}", "/drugs/helixor/codes/0"),
        ("code_lists: {hospice: {codes: [7]}}\nfeeds: {fills: {exclude: [hospice]}}", "/code_lists/hospice/codes/0"),
        ("feeds: {fills: {drugs: [7], dimensions: {sex: {from: product}}}}", "/feeds/fills/drugs/0"),
        ("feeds: {fills: {measures: {members: 7}}}", "/feeds/fills/measures/members"),
        ("feeds: {fills: {dimensions: {sex: {from: 7}}}}", "/feeds/fills/dimensions/sex/from"),
    ],
)
def test_a_fault_of_definitions_is_said_once(tmp_path: Path, text: str, pointer: str) -> None:
    assert [found for found, _ in refused_definitions(tmp_path, text)] == [pointer]


def cells_of(folder: Path, terms: Terms, name: str, period: str) -> Path:
    path = folder / name
    path.write_bytes(encode_cells(fills(terms), CELLS, replace(LABEL, period=period), path.suffix))
    return path


def test_several_files_are_in_the_order_of_their_periods_whatever_they_are_called(terms: Terms, tmp_path: Path) -> None:
    late, early = cells_of(tmp_path, terms, "a.parquet", "2025-02"), cells_of(tmp_path, terms, "b.arrow", "2025-01")
    (tmp_path / "a.parquet.manifest.json").write_text("{}")
    (tmp_path / ".c.parquet").write_text("half of a file")

    ordered = [("fills 2025-01", early), ("fills 2025-02", late)]
    for words in ([f"{tmp_path}/"], [str(late), str(early)]):
        assert contract_and_files(words) == (None, [late, early])
        assert contract_and_files(["dsc-small", *words]) == ("dsc-small", [late, early])
    assert in_order([late, early]) == ordered


def test_several_files_are_each_of_a_period_of_its_own(terms: Terms, tmp_path: Path) -> None:
    one, same = (cells_of(tmp_path, terms, name, "2025-01") for name in ("a.parquet", "b.parquet"))
    with pytest.raises(ClickException, match=r"b.parquet and .*a.parquet are of the same period"):
        in_order([one, same])
    (tmp_path / "c.csv").write_text("region,members\n")
    with pytest.raises(UsageError, match=r"c.csv does not: post it alone"):
        in_order([one, tmp_path / "c.csv"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ClickException, match=r"has no \.parquet or \.arrow file"):
        contract_and_files([str(tmp_path / "empty")])


def test_what_stops_posting_says_what_is_posted_and_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    files = [(f"fills 2025-0{number}", Path(f"{number}.parquet")) for number in (1, 2, 3)]

    def post(file: Path) -> JsonObject:
        if file.name == "2.parquet":
            raise ClickException("no")
        return {"file": file.name}

    receipts = []
    with pytest.raises(ClickException):
        receipts.extend(post_in_order(files, post))

    said = capsys.readouterr().err
    assert receipts == [{"file": "1.parquet"}]
    assert "Posted: fills 2025-01. Not posted: fills 2025-02 (2.parquet), fills 2025-03 (3.parquet)." in said
    assert "repeat the same command" in said


def test_the_periods_that_a_register_never_saw_are_said_as_ranges() -> None:
    months = [parse_any("2024-12"), *(parse_any(f"2025-{month:02d}") for month in (1, 2, 7, 9, 10))]
    said = not_noted_notice(months)
    assert said.startswith("The register never saw 2024-12..2025-02,2025-07,2025-09..2025-10. ")


@pytest.mark.parametrize(
    ("layout", "mapping", "said"),
    [
        ("custom", None, "--layout custom goes with --mapping"),
        ("desynpuf", "m.yaml", "--mapping goes with --layout"),
    ],
)
def test_layout_and_mapping_that_do_not_go_together_say_what_is_missing(
    layout: str, mapping: str | None, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        read_layout(layout, Path(mapping) if mapping else None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("there is no layout x", "There is no layout x."),
        ("fills.csv is empty.", "fills.csv is empty."),
        ("days_covered: too much", "days_covered: too much."),
    ],
)
def test_an_error_is_said_as_a_sentence(text: str, said: str) -> None:
    assert sentence(text) == said


def test_the_command_needs_to_know_what_where_and_how() -> None:
    answer = CliRunner().invoke(main, ["prepare", "--memory", "much"])
    assert answer.exit_code == 2
    assert "write it like 3GB" in answer.output or "Missing option" in answer.output


@pytest.mark.parametrize(
    ("text", "said"), [("much", "write it like 3GB"), ("20MB", "200MB or more"), ("0.1 GB", "200MB")]
)
def test_memory_that_nothing_can_be_prepared_in_is_refused(text: str, said: str) -> None:
    option = next(option for option in prepare.params if option.name == "memory")
    with pytest.raises(BadParameter, match=said):
        checked_memory(Context(prepare), option, text)
    assert checked_memory(Context(prepare), option, "200MB") == "200MB"
