"""The packet says of tests what a report says of them, and nothing without one."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.evidence import NotATestReport, read_test_report
from adapters.installation import source_sha256
from contracts.evidence.given import TestsRun
from contracts.evidence.packet import gather
from contracts.evidence.proofs import CLAIMS, SOURCE
from tests.unit.evidence import given, here, page_of, section_of

REPOSITORY = Path(__file__).parents[2]


def report(*cases: str, source: str = "00") -> bytes:
    properties = f'<properties><property name="{SOURCE}" value="{source}"/></properties>'
    suite = f'<testsuite name="pytest" timestamp="2026-07-01T00:00:00+00:00">{properties}{"".join(cases)}</testsuite>'
    return f'<?xml version="1.0"?><testsuites>{suite}</testsuites>'.encode()


def case(module: str, ended: str = "") -> str:
    return f'<testcase classname="{module}" name="test_it">{ended}</testcase>'


def run(*cases: str, **options: str) -> TestsRun:
    return read_test_report(report(*cases, **options))


def test_without_a_report_no_test_is_said_to_have_run() -> None:
    said = section_of(page_of(given()), "Tests and versions")
    assert said[1].startswith("No test report was given")
    assert said.count("no report was given") == sum(map(len, CLAIMS.values()))
    assert not any(re.search(r"\d+ passed|tests ran on", text) for text in said)


def test_with_a_report_each_proof_is_told_as_it_ended() -> None:
    tests = run(
        case("tests.http.test_races"),
        case("tests.http.test_races.TestOfAClass"),
        case("tests.http.test_kills", '<failure message="x"/>'),
        case("tests.unit.test_pools", '<skipped message="x"/>'),
        '<testcase classname="" name="tests.http.test_audit"><error message="collection failure"/></testcase>',
    )
    outcomes = {proof.test: proof.outcome for proof in gather(given(tests=tests)).proofs.proofs}
    told = {test: (o.passed, o.failed, o.skipped) for test, o in outcomes.items() if o is not None}
    assert told == {
        "tests/http/test_races.py": (2, 0, 0),
        "tests/http/test_kills.py": (0, 1, 0),
        "tests/http/test_audit.py": (0, 1, 0),
        "tests/unit/test_pools.py": (0, 0, 1),
    }
    said = section_of(page_of(given(tests=tests)), "Tests and versions")
    assert (
        "By the report that was given, 5 tests ran on 2026-07-01T00:00:00+00:00: 2 failed, 1 were skipped." in said[1]
    )
    assert "not in the report: it did not run" in said
    assert {"2 passed", "1 failed", "1 skipped"} <= set(said)


@pytest.mark.parametrize(("same", "said"), [(True, "exactly the code"), (False, "on other code")])
def test_whether_the_tests_ran_on_this_very_code_is_told(same: bool, said: str) -> None:
    tests = run(case("tests.unit.test_pools"), source=source_sha256() if same else "00")
    found = given(tests=tests)
    assert gather(found).proofs.ran_on_this_source is same
    assert said in section_of(page_of(found), "Tests and versions")[1]


@pytest.mark.slow
def test_a_report_of_this_suite_says_on_what_it_ran(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    words = ("-m", "pytest", "-q", "tests/unit/test_periods.py", "--junitxml", str(path))
    subprocess.run([sys.executable, *words], cwd=REPOSITORY, check=True, capture_output=True)

    found = read_test_report(path.read_bytes())

    assert found.properties[SOURCE] == source_sha256()
    assert found.properties["opendp"] == here().versions["opendp"]
    assert "tests/unit/test_periods.py" in found.properties["tests chosen"]
    assert found.outcomes["tests.unit.test_periods"].passed > 0


def test_every_suite_of_a_report_counts() -> None:
    parts = [
        report(case("tests.unit.test_pools"), source="00"),
        report(case("tests.unit.test_pools", "<failure/>"), source="11"),
    ]
    suites = b"".join(part.partition(b"<testsuites>")[2].partition(b"</testsuites>")[0] for part in parts)

    found = read_test_report(b"<testsuites>" + suites + b"</testsuites>")

    assert (found.outcomes["tests.unit.test_pools"].passed, found.outcomes["tests.unit.test_pools"].failed) == (1, 1)
    assert found.properties[SOURCE] == "00, 11"  # and so on no code that there is


@pytest.mark.parametrize(
    "content",
    [
        b"not xml",
        b"<testsuites/>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><testsuites><testsuite/></testsuites>',
        b'<?xml version="1.0"?><testsuites>',
    ],
)
def test_what_is_no_report_is_refused(content: bytes) -> None:
    with pytest.raises(NotATestReport):
        read_test_report(content)


def test_a_failure_that_quotes_markup_is_still_a_report() -> None:
    found = run(case("tests.unit.test_pools", "<failure>&lt;!DOCTYPE html&gt;</failure>"))
    assert found.outcomes["tests.unit.test_pools"].failed == 1


def test_every_test_that_is_named_is_there() -> None:
    named = [test for tests in CLAIMS.values() for test in tests]
    assert [test for test in named if not (REPOSITORY / test).is_file()] == []
    assert len(set(named)) == len(named)
