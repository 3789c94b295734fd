"""`parley prepare`, as a payer: from a folder of claims to an answer on an exchange, and what can go wrong before."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from api.schemas.contracts import ContractDocumentSchema
from contracts.canonical import digest_of
from contracts.parties import JsonObject
from examples.desynpuf.cells import exact_adherence, read_members
from tests.http.test_cli import Console
from tests.support.claims_folder import span, write_claims
from tests.support.payer_machine import (
    CONTRACT,
    PAYER,
    contract_terms,
    refills,
    shares_covered,
    some_claims,
    words,
)
from tests.support.small_exchange import BRAND
from tests.support.small_server import small_server


@pytest.fixture(scope="module")
def machine(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """The payer's machine: claims, its client key, the contract in force, and an exchange that adds no noise."""
    folder = tmp_path_factory.mktemp("payer")
    some_claims(folder / "claims")
    with small_server(sqlite_template, folder, contract_terms(), []) as console:
        console.environment["XDG_STATE_HOME"] = str(folder / "state")
        found = console.of(PAYER)
        found.write("contract.json", found.done("contract", "show", CONTRACT, "--json"))
        yield found


def asked(machine: Console, period: str) -> dict[str, float]:
    """The rate of adherence by sex as the brand reads it."""
    answer = json.loads(
        machine.of(BRAND).done("ask", CONTRACT, "adherence_rate", "--by", "sex", "--periods", period, "--json")
    )
    return {row["key"]["sex"]: row["value"] for row in answer["rows"]}


def expected_rates(folder: Path, year: int) -> dict[str, float]:
    shares = shares_covered(folder, year)
    by_sex = {sex: [share for member, share in shares.items() if member[0] == sex] for sex in "wm"}
    return {
        {"w": "F", "m": "M"}[sex]: sum(share >= 0.8 for share in of_sex) / len(of_sex) for sex, of_sex in by_sex.items()
    }


def test_claims_become_cells_and_cells_an_answer(machine: Console) -> None:
    cells = machine.folder / "cells.parquet"

    said = machine.done(*words(machine), "--out", cells)
    receipt = json.loads(machine.done("submit", cells, "--json"))
    again = json.loads(machine.done("submit", cells, "--json"))

    assert f"parley submit {cells}" in said
    assert (receipt["feed"], receipt["period"], receipt["replayed"]) == ("adherence", "2024", False)
    assert (again["submission_id"], again["replayed"]) == (receipt["submission_id"], True)
    assert asked(machine, "2024") == pytest.approx(expected_rates(machine.folder / "claims", 2024))
    assert cells.stat().st_mode & 0o777 == 0o600


def test_cells_are_posted_without_a_file_too(machine: Console) -> None:
    done = machine.done(*words(machine, "2025"), "--submit", "--json")

    (period,) = json.loads(done)["periods"]
    assert period["receipt"]["period"] == "2025"
    assert period["receipt"]["submission_id"] == period["submission_id"]
    assert asked(machine, "2025") == pytest.approx(expected_rates(machine.folder / "claims", 2025))


@pytest.mark.slow
def test_the_summary_counts_every_member_once(machine: Console, tmp_path: Path) -> None:
    done = machine.done(*words(machine), "--out", tmp_path / "cells.parquet", "--json")

    (period,) = json.loads(done)["periods"]
    summary = period["summary"]
    assert summary["members"] == 7
    assert summary["kept"] == len(shares_covered(machine.folder / "claims", 2024)) == 4  # w1, w2, m1, m2
    assert summary["excluded"] == {"no_fill_of_the_class": 2, "too_few_fill_dates": 1}
    assert summary["members"] - sum(summary["excluded"].values()) == summary["kept"]


def test_a_dry_run_shows_who_remains_after_each_rule_and_leaves_nothing(machine: Console, tmp_path: Path) -> None:
    register = tmp_path / "register.duckdb"

    said = machine.done(*words(machine, "2024,2025", register=register), "--dry-run")

    table = [line.split() for line in said.splitlines()]
    assert table.count(["members", "read", "7"]) == 2
    assert ["no_fill_of_the_class", "5"] in table
    assert ["too_few_fill_dates", "4"] in table
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_several_periods_are_a_file_each(machine: Console, tmp_path: Path) -> None:
    machine.done(*words(machine, "2024..2025"), "--out", tmp_path / "cells")

    names = sorted(path.name for path in (tmp_path / "cells").iterdir())
    assert names == [f"adherence-{year}.parquet{kind}" for year in (2024, 2025) for kind in ("", ".manifest.json")]


@pytest.mark.slow
def test_a_manifest_is_the_same_whatever_the_claims_hold(machine: Console, tmp_path: Path) -> None:
    other = write_claims(
        tmp_path / "others",
        members=[{"member": "x", "birth_date": "1960-01-01", "sex": "M"}],
        enrolment=[span("x", "2020-01-01")],
        fills=refills("x", "2024-02-02", "2024-08-08"),
    )
    manifests = []
    for claims in (machine.folder / "claims", other):
        out = tmp_path / f"{claims.name}.parquet"
        machine.done(*words(machine, claims=claims), "--out", out)
        manifests.append(json.loads(Path(f"{out}.manifest.json").read_text()) | {"prepared_at": "-"})

    assert manifests[0] == manifests[1]
    contract = json.loads((machine.folder / "contract.json").read_text())
    assert manifests[0]["contract"] == {"id": CONTRACT, "version": 1, "sha256": contract["digest"]}
    assert manifests[0]["layout"] == {"name": "canonical", "version": 1, "mapping_sha256": None}


@pytest.mark.slow
def test_cells_of_other_terms_are_not_sent(machine: Console, tmp_path: Path) -> None:
    draft = machine.write("draft.json", contract_terms())
    cells = tmp_path / "cells.parquet"

    said = machine.done(*words(machine, contract=draft), "--out", cells)

    assert "the contract is a draft" in said
    assert "a draft of dsc-prepared" in machine.refused("submit", cells)


@pytest.mark.slow
def test_a_feed_measured_at_source_goes_on_with_measure(machine: Console, tmp_path: Path) -> None:
    """Days are cut to the bound of 300 a person before they are summed."""
    cells, release = tmp_path / "covered.parquet", tmp_path / "release.json"

    said = machine.done(*words(machine, feed="covered"), "--out", cells, "--json")
    contract = machine.folder / "contract.json"
    digest = json.loads(contract.read_text())["digest"]
    machine.done("measure", contract, "covered", "2024", cells, "--digest", digest, "--out", release)
    receipt = json.loads(machine.done("submit", CONTRACT, release, "--json"))

    (period,) = json.loads(said)["periods"]
    assert period["summary"]["clipped"]["days_covered"] == 2  # w1 and m1, who are covered for most of the year
    assert (receipt["measured"], receipt["submission_id"]) == ("source", period["submission_id"])
    assert "parley measure" in machine.refused(*words(machine, "2025", feed="covered"), "--submit")


@pytest.mark.slow
def test_persons_are_written_for_the_payer_alone(machine: Console, tmp_path: Path) -> None:
    persons = tmp_path / "persons.parquet"

    result = machine.run(*words(machine), "--out", tmp_path / "cells.csv", "--persons", persons)

    assert "must never leave your premises" in result.stderr
    assert persons.stat().st_mode & 0o777 == 0o600
    rows = {row["member"]: row for row in pq.read_table(persons).to_pylist()}
    assert len(rows) == 7
    assert (rows["w4"]["excluded_by"], rows["w4"]["in_adherence_band"]) == ("too_few_fill_dates", None)
    shares = shares_covered(machine.folder / "claims", 2024)
    covered = {member: row["days_covered"] / row["treatment_days"] for member, row in rows.items() if member in shares}
    assert covered == pytest.approx(shares)


@pytest.mark.slow
def test_nothing_is_overwritten_unasked(machine: Console, tmp_path: Path) -> None:
    cells = tmp_path / "cells.json"
    cells.write_text("what is there")

    assert "is not overwritten" in machine.refused(*words(machine), "--out", cells)
    assert cells.read_text() == "what is there"
    machine.done(*words(machine), "--out", cells, "--overwrite")
    assert json.loads(cells.read_text())["columns"]["members"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"feed": "fils"}, "it has adherence, covered, support"),
        ({"feed": "support"}, "is posted by the brand"),
        ({"period": "2019"}, "--periods 2019: the feed's periods run from 2023 to 2025"),
        ({"period": "2024-Q1"}, "a year is written like 2025"),
        ({"period": "2025..2024"}, "the last period is before the first"),
        ({"layout": "desinpuf"}, "there are canonical, desynpuf"),
        ({"contract": "no.json"}, "There is no file no.json"),
        ({"period": "2024", "restatement": 1}, "--restatement 1: the contract schedules 0 of adherence"),
        ({"period": "2024", "organisation": "helix"}, "helix is no payer of dsc-prepared; there are blueridge"),
        ({"definitions": "no.yaml"}, "no.yaml"),
        ({"off-limits": "no.csv"}, "no.csv"),
    ],
)
def test_what_cannot_be_prepared_is_said_before_a_claim_is_read(
    machine: Console, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    """The folder of claims is not even there."""
    answer = machine.refused(
        *words(machine, **({"claims": tmp_path / "none"} | changes)), "--out", tmp_path / "c.parquet"
    )
    assert said in answer
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_ends_early_says_which_periods_are_finished(machine: Console, tmp_path: Path) -> None:
    """Nobody is treated in 2024, and such a period is not posted unasked."""
    claims = write_claims(
        tmp_path / "claims",
        members=[{"member": "x", "birth_date": "1960-01-01", "sex": "M"}],
        enrolment=[span("x", "2020-01-01")],
        fills=refills("x", "2023-02-02", "2023-08-08"),
    )
    said = machine.refused(*words(machine, "2023,2024,2025", claims=claims), "--submit")
    assert "2024 has nobody in it" in said
    assert "Finished: 2023. Go on with --periods 2024..2025" in said
    assert "Finished" not in machine.refused(*words(machine, "2024,2025", claims=claims), "--submit")


def proposed(terms: JsonObject) -> JsonObject:
    """As an exchange would have it, but for the plan, which says nothing of who is in which period."""
    document = ContractDocumentSchema().load(terms)
    for feed in document["feeds"]:
        feed["plan"] = {"mechanism": "discrete_gaussian", "draws": [], "charge_nano": 0, "explanation": []}
    return {"document": document, "digest": digest_of(document)}


def test_a_feed_that_is_new_to_its_register_needs_the_payers_word(machine: Console, tmp_path: Path) -> None:
    """w1, w2 and m1 are treated in both years, and may be in one."""
    terms = contract_terms()
    terms["feeds"][0]["k"] = 1
    register = tmp_path / "register.duckdb"
    options = {"contract": machine.write("once.json", proposed(terms)), "register": register}

    refused = machine.refused(*words(machine, "2025", **options), "--out", tmp_path / "a.json")
    begun = machine.run(
        *words(machine, "2025", **options), "--out", tmp_path / "b.json", "--json", "--never-posted", "2023..2025"
    )
    register.rename(lost := tmp_path / "lost.duckdb")
    first = machine.refused(*words(machine, "2024", **options), "--out", tmp_path / "c.json")
    found = machine.run(*words(machine, "2024", **options | {"register": lost}), "--out", tmp_path / "d.json", "--json")

    for said in (refused, first):
        assert f"here is no register {register}" in said
        assert "--never-posted 2023..2025" in said
    assert f"adherence is new to the register {register}: nobody is taken to be in any period" in begun.stderr
    assert "new to the register" not in found.stderr
    (year,) = json.loads(found.stdout)["periods"]
    assert year["summary"]["excluded"]["periods_beyond_k"] == 3
    assert year["manifest"]["register_id"] == json.loads(begun.stdout)["periods"][0]["manifest"]["register_id"]
    assert sorted(path.suffix for path in tmp_path.glob("[a-d].*")) == [".json"] * 4


def test_a_draft_is_tried_out_at_any_time_and_registers_nobody(machine: Console, tmp_path: Path) -> None:
    terms = contract_terms()
    terms["feeds"][0] |= {"k": 1, "first_period": "2024", "last_period": "2044"}
    register = tmp_path / "register.duckdb"
    draft = machine.write("future.json", terms)
    out = tmp_path / "new" / "cells"

    options = words(machine, "2024,2033", contract=draft, register=register)
    result = machine.run(*options, "--out", out, "--json")

    assert result.exit_code == 0, result.output
    assert "The contract is a draft: nobody is registered, and its cells cannot be posted." in result.stderr
    assert [period["manifest"]["register_id"] for period in json.loads(result.stdout)["periods"]] == [None, None]
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    later = machine.write("later.json", proposed(terms))
    assert "--periods 2033: The period 2033 is posted whole, after it has ended." in machine.refused(
        *words(machine, "2033", contract=later), "--out", tmp_path / "c.json"
    )


def test_a_draft_that_no_exchange_takes_is_not_tried_out(machine: Console, tmp_path: Path) -> None:
    terms = contract_terms()
    terms["feeds"][1]["measures"]["days_covered"]["bound"] = 2_000_000
    draft = machine.write("beyond.json", terms)
    said = machine.refused(*words(machine, contract=draft), "--out", tmp_path / "c.json")
    assert "/feeds/1/measures/days_covered/bound: a whole number from 1 to 1000000" in said
    terms["feeds"][1]["measures"]["days_covered"]["bound"] = 300
    terms["feeds"][0]["k"] = 4
    draft = machine.write("beyond.json", terms)
    said = machine.refused(*words(machine, contract=draft), "--out", tmp_path / "c.json")
    assert "/feeds/0/k: the feed has 3 periods" in said


def test_what_claims_lack_is_said_by_their_headers_alone(machine: Console, tmp_path: Path) -> None:
    """The fills could not be read to their end."""
    terms = contract_terms()
    terms["feeds"][0] |= {"measures": {"hospital_stays": {"unit": "stays", "bound": 9}}}
    claims = some_claims(tmp_path / "claims")
    with (claims / "fills.csv").open("ab") as file:
        file.write(b"a row, of, more, values, than, the, header\n")
    options = words(machine, contract=machine.write("stays.json", terms), claims=claims)

    said = machine.refused(*options, "--out", tmp_path / "cells.json")

    assert (
        "/feeds/adherence/measures/hospital_stays: hospital_stays needs stays, which these claims do not give" in said
    )
    assert [path.name for path in tmp_path.iterdir()] == ["claims"]


def test_where_nothing_can_be_written_is_said_before_a_claim_is_read(machine: Console, tmp_path: Path) -> None:
    if not (process := Path("/proc")).is_dir():
        pytest.skip("needs a folder in which nobody can write")
    nowhere = words(machine, claims=tmp_path / "none")
    assert f"to the folder {process}" in machine.refused(*nowhere, "--out", process / "cells.json")
    assert f"to the folder {process}" in machine.refused(
        *nowhere, "--out", tmp_path / "cells.json", "--persons", process / "persons.csv"
    )
    register = process / "register.duckdb"
    options = words(machine, contract=machine.folder / "contract.json", register=register)
    assert f"{register} cannot be opened or made" in machine.refused(*options, "--out", tmp_path / "cells.json")


def test_it_must_be_said_where_cells_go(machine: Console, tmp_path: Path) -> None:
    for way in ((), ("--dry-run", "--submit"), ("--dry-run", "--out", tmp_path / "a.parquet")):
        assert "one of --out FILE" in machine.refused(*words(machine), *way, exit_code=2)
    assert "ends in .parquet" in machine.refused(*words(machine), "--out", tmp_path / "a.xlsx", exit_code=2)
    assert "a folder" in machine.refused(*words(machine, "2024,2025"), "--out", tmp_path / "a.csv", exit_code=2)


@pytest.mark.slow
def test_claims_off_limits_are_gone_before_anything_is_computed(machine: Console, tmp_path: Path) -> None:
    listed = machine.write("off-limits.csv", "code\n00093505698\n")

    done = json.loads(machine.done(*words(machine, **{"off-limits": listed}), "--out", tmp_path / "c.json", "--json"))

    (period,) = done["periods"]
    assert period["summary"]["kept"] == 0
    assert [count["rows"] for count in done["claims"]["counts"] if count["reason"] == "off_limits"] == [29]
    assert period["manifest"]["code_lists"]["off_limits"] == [hashlib.sha256(listed.read_bytes()).hexdigest()]
    assert "off-limits" not in json.dumps(period["manifest"])  # what a list is called can tell what is in it


@pytest.mark.slow
def test_the_sample_of_cms_gives_the_adherence_that_plain_python_gives(
    shared_data: Path, sqlite_template: Path, tmp_path: Path
) -> None:
    folder = shared_data / "desynpuf"
    if not folder.is_dir():
        pytest.skip("needs the folder desynpuf of the reference data")
    terms = contract_terms()
    terms["feeds"] = [terms["feeds"][0] | {"first_period": "2008", "last_period": "2009", "k": 2}]
    del terms["privacy"]["ceilings"][f"{BRAND}-members"]
    members = [member for year in (2008, 2009) for member in read_members(folder, str(year))]
    with small_server(sqlite_template, tmp_path, terms, []) as console:
        console.environment["XDG_STATE_HOME"] = str(tmp_path / "state")
        payer = console.of(PAYER)
        payer.write("contract.json", payer.done("contract", "show", CONTRACT, "--json"))
        payer.done(*words(payer, "2008,2009", claims=folder, layout="desynpuf"), "--submit")
        answer = json.loads(payer.of(BRAND).done("ask", CONTRACT, "adherence_rate", "--by", "sex", "--json"))

    exact = {group: rate.value for group, rate in exact_adherence(members).items()}
    assert {row["key"]["sex"]: row["value"] for row in answer["rows"]} == pytest.approx(
        {sex: exact[sex] for sex in ("F", "M")}
    )
