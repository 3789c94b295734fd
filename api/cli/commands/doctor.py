"""`parley doctor`."""

import os
from collections.abc import Sequence
from dataclasses import asdict

import click

from api.cli.output import Failure, say, say_json
from api.doctor.examining import examine
from api.doctor.findings import Finding, Status

EPILOG = """\b
Examples:
  parley doctor
  parley doctor --url https://parley.example          (from where clients' requests pass the proxy)"""


@click.command(epilog=EPILOG)
@click.option(
    "--url",
    help="The exchange as clients see it, to find out what in front buffers bodies. PARLEY_ISSUER unless given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print every finding as JSON.")
def doctor(url: str | None, as_json: bool) -> None:
    """Check what the code alone cannot keep: the machine, settings and secrets, database, witness and noise source.

    Run it as the user of the exchange, with its environment, on its machine. It changes nothing and shows no secret.
    Exit code 1 when there is a problem.
    """
    findings = [*examine(os.environ, url or os.environ.get("PARLEY_ISSUER"))]
    problems = sum(finding.status is Status.PROBLEM for finding in findings)
    if as_json:
        say_json({"healthy": not problems, "findings": [asdict(finding) for finding in findings]})
    else:
        _say_findings(findings)
    if problems:
        raise Failure(f"{problems} {'problem' if problems == 1 else 'problems'} found.")


def _say_findings(findings: Sequence[Finding]) -> None:
    for finding in findings:
        say(f"{finding.status:<11}  {finding.check}: {finding.why}")
        if finding.what_to_do:
            say(f"{'':<11}    {finding.what_to_do}")
