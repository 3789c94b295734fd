"""`parley contract evidence`."""

import json
from pathlib import Path
from typing import Any, Final

import click

from adapters.client.exchange import ExchangeClient, ProblemAnswered
from adapters.clock import SystemClock
from adapters.evidence import MANIFEST, NotATestReport, read_test_report, stored_tables, write_packet
from adapters.installation import installation
from adapters.rendering import WRITERS
from api.cli.calling import WHO_CALLS, calling, chosen_contract, client_options
from api.cli.files import read_file, read_json
from api.cli.output import Failure, say
from contracts.evidence.given import Finding, Given, TestsRun
from contracts.evidence.packet import Evidence, EvidenceRefused, evidence_json, evidence_page, gather
from contracts.parties import JsonObject
from contracts.records import ContractRecord
from contracts.refusals import ContractNotInForce
from contracts.terms import terms_of
from contracts.verifying_contract import NotAContract, read_contract

EPILOG: Final = """\b
Examples:
  parley contract evidence dsc-helixor-adherence --out evidence.zip
  parley contract evidence --file contract.json --out evidence --test-report test-report.xml"""
_OFFLINE: Final = "it was made from a file, without asking an exchange"
_NO_STATEMENT: Final = {
    ContractNotInForce.code: "the contract was never in force, so nothing was debited under it",
    "scope-missing": "the client that asked may not read the ledger; its scope is ledger.read",
}
_FILES: Final = {
    "evidence.html": "this packet, for people",
    "evidence.md": "the same as Markdown",
    "evidence.json": "the same facts, for machines",
    "contract.json": "the contract with its signatures: parley contract verify contract.json",
    "ledger.json": "the statement of your own population's ledger, as the exchange answered it",
    "test-report.xml": "the report of tests that was given",
    "doctor.json": "what parley doctor found, as it was given",
    MANIFEST: "SHA-256 of every other file: sha256sum --check MANIFEST.sha256",
}
_ALWAYS: Final = ("evidence.html", "evidence.md", "evidence.json", MANIFEST)


@click.command(epilog=EPILOG)
@click.argument("contract_id", metavar="[CONTRACT]", required=False)
@click.option(
    "--file",
    "path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Instead of CONTRACT, what `parley contract show --json` printed. Calls nobody.",
)
@click.option(
    "--out",
    required=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="A new folder; or a new archive, if the name ends in .zip.",
)
@click.option(
    "--test-report",
    "report",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="JUnit XML of a test run, as `make test-report` writes it: the packet says which proofs passed in it.",
)
@click.option(
    "--doctor",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="What `parley doctor --json` printed on the exchange's machine.",
)
@client_options(required=False)
def evidence(
    contract_id: str | None,
    path: Path | None,
    out: Path,
    report: Path | None,
    doctor: Path | None,
    url: str,
    client_id: str | None,
    client_key: Path | None,
) -> None:
    """Write one packet for a privacy officer: what is promised, how it is kept and proved, and who must do what.

    Computed here from the proposed or signed contract. With CONTRACT it is downloaded, with the statement of your own
    population's ledger; nobody else's is in it. Without a report of tests the packet does not say that any ran.
    """
    if contract_id is not None and path is not None:
        raise click.UsageError("Name a contract, or give one with --file.")
    files: dict[str, bytes] = {}
    statement, because = None, _OFFLINE
    if path is not None:
        answer, files["contract.json"] = read_json(path), read_file(path)
    elif client_id is None or client_key is None:
        raise click.UsageError(f"{WHO_CALLS} Or give a file with --file.")
    else:
        contract_id = chosen_contract(contract_id)
        with calling(url, client_id, client_key) as client:
            answer = client.get_contract(contract_id)
            statement, because = _statement(client, contract_id)
        files["contract.json"] = _json_bytes(answer)
    if statement is not None:
        files["ledger.json"] = _json_bytes(statement)
    given = Given(
        record=_record(answer),
        status=str(answer["status"]) if contract_id else None,
        told_waiting_for=tuple(map(str, answer.get("waiting_for", ()))),
        computed_at=SystemClock().now(),
        installation=installation(),
        tables=stored_tables(),
        statement=statement,
        no_statement_because=because,
        tests=None if report is None else _tests(report, files),
        findings=None if doctor is None else _findings(doctor, files),
    )
    found = _gathered(given)
    _write(found, given, files, out)
    _say(found, out)


def _statement(client: ExchangeClient, contract_id: str) -> tuple[JsonObject | None, str]:
    """One's own ledger, or why there is none to show."""
    try:
        return client.ledger(contract_id), ""
    except ProblemAnswered as answered:
        if answered.code not in _NO_STATEMENT:
            raise
        return None, _NO_STATEMENT[answered.code]


def _record(answer: Any) -> ContractRecord:
    try:
        return read_contract(answer)
    except NotAContract as error:
        raise Failure(f"There is no evidence about this: {error}. Propose the contract first.") from None


def _tests(path: Path, files: dict[str, bytes]) -> TestsRun:
    content = files["test-report.xml"] = read_file(path)
    try:
        return read_test_report(content)
    except NotATestReport:
        raise Failure(f"{path} is no report of tests: JUnit XML as pytest writes it, by make test-report.") from None


def _findings(path: Path, files: dict[str, bytes]) -> tuple[Finding, ...]:
    """parley doctor prints an object with its findings; the list alone will do."""
    found: Any = read_json(path)
    files["doctor.json"] = read_file(path)
    listed: Any = found.get("findings") if isinstance(found, dict) else found
    names = ("check", "status", "why", "what_to_do")
    try:
        return tuple(Finding(*(str(each[name]) for name in names)) for each in listed)
    except (TypeError, KeyError, AttributeError):
        raise Failure(f"{path} is not what parley doctor --json prints.") from None


def _gathered(given: Given) -> Evidence:
    try:
        return gather(given)
    except EvidenceRefused as refused:
        raise Failure(f"There is no evidence about this contract: {refused}.") from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Failure("The contract or the ledger cannot be read as an exchange of this version answers it.") from None


def _write(found: Evidence, given: Given, files: dict[str, bytes], out: Path) -> None:
    told = {name: what for name, what in _FILES.items() if name in (*files, *_ALWAYS)}
    page = evidence_page(found, terms_of(given.record), told)
    files |= {
        "evidence.html": WRITERS["html"](page).encode(),
        "evidence.md": WRITERS["markdown"](page).encode(),
        "evidence.json": _json_bytes(evidence_json(found)),
    }
    try:
        write_packet(out, files, given.computed_at)
    except FileExistsError:
        raise Failure(f"{out} exists and is not overwritten.") from None
    except OSError as error:
        raise Failure(f"{out} cannot be written: {error.strerror}.") from None


def _say(found: Evidence, out: Path) -> None:
    inside = out / "evidence.html" if out.suffix != ".zip" else "evidence.html"
    say(f"Written: {out}. Begin with {inside}.")
    if found.subject.waiting_for:
        say(f"Not signed yet by {', '.join(found.subject.waiting_for)}.")
    if found.proofs.tests is None:
        say("No test report was given, so the packet does not say that any test ran: make test-report, --test-report.")
    if found.storage.findings is None:
        say("Nor what holds on the exchange's machine: parley doctor --json, --doctor.")


def _json_bytes(document: JsonObject) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
