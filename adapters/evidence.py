"""The packet for a privacy officer on a disk, and what goes into it from there: the data model, a report of tests."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final
from xml.etree import ElementTree
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from adapters.database.inspecting import APPEND_ONLY
from adapters.database.tables import metadata
from contracts.evidence.given import Outcome, StoredTable, TestsRun

MANIFEST: Final = "MANIFEST.sha256"
_FAILED: Final = ("failure", "error")


class NotATestReport(ValueError):
    """The file is no JUnit XML as pytest writes it."""


def stored_tables() -> tuple[StoredTable, ...]:
    """Every table of this version's data model."""
    return tuple(
        StoredTable(table.name, str(table.comment), table.name in APPEND_ONLY) for table in metadata.sorted_tables
    )


def read_test_report(content: bytes) -> TestsRun:
    """What `pytest --junitxml` wrote. Raises NotATestReport."""
    if b"<!" in content.replace(b"<![CDATA[", b""):
        raise NotATestReport  # a document type: nothing that pytest writes, and a way to blow it up
    try:
        report = ElementTree.fromstring(content)  # noqa: S314 - no document type, so no entities
    except ElementTree.ParseError:
        raise NotATestReport from None
    suites = report.findall("testsuite")
    if not suites:
        raise NotATestReport
    counted: Counter[tuple[str, str]] = Counter()
    for case in report.iter("testcase"):
        counted[_module(case), _ended(case)] += 1
    stated = [each for suite in suites for each in suite.findall("properties/property")]
    values: defaultdict[str, set[str]] = defaultdict(set)
    for each in stated:
        values[each.get("name", "")].add(each.get("value", ""))
    properties = {name: ", ".join(sorted(said)) for name, said in values.items()}
    endings = ("passed", "failed", "skipped")
    modules = sorted({module for module, _ in counted})
    return TestsRun(
        ran_at=suites[0].get("timestamp", "a day that the report does not tell"),
        properties=properties,
        outcomes={module: Outcome(*(counted[module, ended] for ended in endings)) for module in modules},
        report_sha256=hashlib.sha256(content).hexdigest(),
    )


def _module(case: ElementTree.Element) -> str:
    """tests.unit.test_terms, of a test in a class of it too; what could not be collected has its module as a name."""
    parts = (case.get("classname") or case.get("name") or "").split(".")
    last = next((i for i, part in enumerate(parts) if part.startswith("test_")), len(parts))
    return ".".join(parts[: last + 1])


def _ended(case: ElementTree.Element) -> str:
    tags = {child.tag for child in case}
    return "failed" if tags & set(_FAILED) else "skipped" if "skipped" in tags else "passed"


def manifest(files: Mapping[str, bytes]) -> str:
    """As `sha256sum --check` reads it."""
    return "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))


def write_packet(out: Path, files: Mapping[str, bytes], written_at: datetime) -> None:
    """A new folder, or a new archive where the name ends in .zip, with a manifest. Raises OSError."""
    whole = {**files, MANIFEST: manifest(files).encode()}
    if out.suffix == ".zip":
        with out.open("xb") as file, ZipFile(file, "w", ZIP_DEFLATED) as archive:
            for name, content in whole.items():
                entry = ZipInfo(f"{out.stem}/{name}", written_at.timetuple()[:6])
                archive.writestr(entry, content, ZIP_DEFLATED)
        return
    out.mkdir()
    for name, content in whole.items():
        (out / name).write_bytes(content)
