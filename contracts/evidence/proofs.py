"""Which tests prove which claim, and how they ended by a report of them. Without a report nothing is claimed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from contracts.evidence.given import Given, Installation, Outcome, TestsRun
from contracts.rendering.pages import Block, Facts, Paragraph, Section, Table

HOW_TO_RUN: Final = "make test-report"
SOURCE: Final = "source_sha256"

CLAIMS: Final[Mapping[str, tuple[str, ...]]] = {
    "what one person can change is at most the sensitivity that is charged, by brute force": (
        "tests/property/test_sensitivity.py",
    ),
    "the loss of a population is never less than what its releases reveal": (
        "tests/property/test_loss.py",
        "tests/property/test_accounting.py",
    ),
    "what an attacker learns is what is said of it": ("tests/property/test_adversary.py",),
    "the noise has the exact distribution, and is shared by nothing": (
        "tests/statistical/test_noise.py",
        "tests/statistical/test_releases.py",
        "tests/statistical/test_workers.py",
    ),
    "losses are rounded up and budgets down": ("tests/statistical/test_rounding.py",),
    "two whole exchanges that differ by one person cannot be told apart better than the ledger says": (
        "tests/http/test_audit.py",
    ),
    "a budget is never overdrawn, however many submit at once": (
        "tests/property/test_ledger_model.py",
        "tests/http/test_races.py",
    ),
    "no noise is drawn without a committed debit, wherever the program is killed": ("tests/http/test_kills.py",),
    "an altered ledger, plan, contract or release is found": (
        "tests/http/test_ledger_verify.py",
        "tests/http/test_plan_of_contract.py",
    ),
    "exact numbers reach no disk, log or error message": (
        "tests/http/test_never_on_disk.py",
        "tests/http/test_marker_search.py",
    ),
    "measured at source, the exchange takes no exact number": ("tests/http/test_measured_at_source.py",),
    "nobody gets in without the token, scope, party and terms for it": (
        "tests/http/test_who_gets_in.py",
        "tests/http/test_terms_enforced.py",
    ),
    "no pool sets fewer payers apart than the contract says": ("tests/unit/test_pools.py",),
    "intervals cover the truth as often as they say": ("tests/statistical/test_coverage.py",),
    "signatures bind the document, signer and key": ("tests/http/test_signatures.py",),
    "the numbers of this packet are right": ("tests/unit/test_evidence.py", "tests/http/test_evidence.py"),
}


@dataclass(frozen=True, slots=True)
class Proof:
    """One test file. outcome: None where the report holds nothing of it, or there is no report."""

    claim: str
    test: str
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Proofs:
    """ran_on_this_source: whether the tests ran on exactly the code that made this packet; None where neither knows."""

    installation: Installation
    proofs: tuple[Proof, ...]
    tests: TestsRun | None
    ran_on_this_source: bool | None


def proofs(given: Given) -> Proofs:
    run = given.tests
    found = tuple(Proof(claim, test, _outcome(run, test)) for claim, tests in CLAIMS.items() for test in tests)
    told = None if run is None else run.properties.get(SOURCE)
    same = None if told is None else told == given.installation.source_sha256
    return Proofs(given.installation, found, run, same)


def _outcome(run: TestsRun | None, test: str) -> Outcome | None:
    module = test.removesuffix(".py").replace("/", ".")
    return None if run is None else run.outcomes.get(module)


def proofs_section(found: Proofs) -> Section:
    versions = Facts(
        (
            *found.installation.versions.items(),
            ("SHA-256 of the code that made this packet", found.installation.source_sha256),
        )
    )
    said = Paragraph(
        "These are the versions that made this packet. Which ones the exchange runs is its operator's word: ask for a "
        "packet that was made there."
    )
    table = Table(
        "What proves what",
        ("claim", "test", "in the report"),
        tuple((each.claim, each.test, _said(found, each)) for each in found.proofs),
    )
    return Section("Tests and versions", (*_run(found), table, said, versions))


def _run(found: Proofs) -> Iterator[Block]:
    if (run := found.tests) is None:
        yield Paragraph(
            "No test report was given, so this packet says only which tests there are, not that any of them ran. To "
            f"make one: {HOW_TO_RUN} in a checkout of the same version, then parley contract evidence with "
            "--test-report test-report.xml."
        )
        return
    whole = sum(each.passed + each.failed + each.skipped for each in run.outcomes.values())
    failed, skipped = (sum(getattr(each, name) for each in run.outcomes.values()) for name in ("failed", "skipped"))
    yield Paragraph(
        f"By the report that was given, {whole:,} tests ran on {run.ran_at}: {failed:,} failed, {skipped:,} were "
        f"skipped. {_which(found)} Tests that were not chosen do not stand in a report. It is a file: whoever gave it "
        f"answers for it. Make it anew with {HOW_TO_RUN}."
    )
    yield Facts((*run.properties.items(), ("SHA-256 of the report", run.report_sha256)))


def _which(found: Proofs) -> str:
    match found.ran_on_this_source:
        case True:
            return "They ran on exactly the code that made this packet."
        case False:
            return "They ran on other code than that which made this packet, so they say nothing sure about it."
        case _:
            return "The report does not say on which code they ran."


def _said(found: Proofs, proof: Proof) -> str:
    if found.tests is None:
        return "no report was given"
    if (outcome := proof.outcome) is None:
        return "not in the report: it did not run"
    said = [f"{getattr(outcome, name):,} {name}" for name in ("passed", "failed", "skipped") if getattr(outcome, name)]
    return ", ".join(said)
