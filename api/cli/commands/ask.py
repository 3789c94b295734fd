"""`parley ask`."""

import json
from pathlib import Path

import click

from adapters.exchange import ExchangeClient
from api.cli.answer_text import say_answer
from api.cli.calling import as_client
from api.cli.files import PRIVATE_MODE, write_new
from api.cli.output import say, say_json, say_table, tell
from contracts.parties import JsonObject

EPILOG = """\b
Examples:
  parley ask dsc-helixor-adherence                  (what the contract grants you)
  parley ask dsc-helixor-adherence adherence_rate --by region --periods 2025
  parley ask dsc-helixor-adherence counts --feed fills --by month --where sex:F,region:south
  parley ask dsc-helixor-adherence pdc_pooled --periods 2025-Q1 --as-of final --explain"""


@click.command(epilog=EPILOG)
@click.argument("contract_id", metavar="CONTRACT")
@click.argument("statistic", required=False)
@click.option("--by", multiple=True, help="Dimensions, and at most one of month, quarter, year; by commas.")
@click.option("--periods", help="2025, 2025-Q1, 2025-03, or two of them with .. between. By default all.")
@click.option("--where", multiple=True, help="dimension:value, by commas; one dimension with two values means either.")
@click.option("--confidence", help="Above 0.5 and at most 0.999. By default 0.95.")
@click.option("--feed", help="Which feed, where several could answer.")
@click.option("--measures", multiple=True, help="For counts and joint_table: which measures, by commas.")
@click.option("--as-of", help="latest, first, final, restatement_1, ...: which measurement of each period.")
@click.option("--purpose", help="What the answer is for; by default the contract's own purpose.")
@click.option("--contract-version", "version", metavar="NUMBER", help="Refuse it where another version is in force.")
@click.option("--explain", is_flag=True, help="Say how each figure was reckoned, and from which releases and plan.")
@click.option(
    "--receipt",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Have the answer signed, and keep it with its receipt in this new file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the whole answer.")
@as_client
def ask(
    client: ExchangeClient,
    contract_id: str,
    statistic: str | None,
    explain: bool,
    receipt: Path | None,
    as_json: bool,
    **question: str | tuple[str, ...] | None,
) -> None:
    """Ask a statistic. It costs no budget, and the same releases always give the same answer.

    Without STATISTIC: lists those that the contract grants you.
    """
    if statistic is None:
        if receipt is not None:
            raise click.UsageError("--receipt goes with a statistic.")
        _list_granted(client, contract_id, as_json)
        return
    asked = {name: value if isinstance(value, str) else ",".join(value) for name, value in question.items() if value}
    if explain:
        asked["explain"] = "true"
    if receipt is not None:
        asked["receipt"] = "true"
    answer = client.ask(contract_id, statistic, **asked)
    if receipt is not None:
        write_new(receipt, json.dumps(answer, indent=2) + "\n", PRIVATE_MODE)
        tell(f"The answer with its receipt is in {receipt}; it proves itself: parley receipt verify {receipt}")
    (say_json if as_json else say_answer)(answer)


def _list_granted(client: ExchangeClient, contract_id: str, as_json: bool) -> None:
    granted = client.request("GET", f"/v1/contracts/{contract_id}/statistics")
    if as_json:
        say_json(granted)
    elif not granted["statistics"]:
        say("This contract grants you no statistics.")
    else:
        rows = [
            (line["name"], str(line["by_at_most"]), line.get("estimand") or "not answered by this version")
            for line in granted["statistics"]
        ]
        say_table(("statistic", "by at most", "what it estimates"), rows, right=("by at most",))
        say(_grant_text(granted["grant"]))


def _grant_text(grant: JsonObject) -> str:
    """How far a grant goes, and where in the contract it stands."""
    periods = grant["periods"] and f"whole periods from {grant['periods']['first']} to {grant['periods']['last']}"
    said = [
        f"By {', '.join(grant['dimensions']) or 'nothing'} only" if grant["dimensions"] is not None else "By anything",
        f"of {', '.join(grant['feeds'])} only" if grant["feeds"] else "of every feed",
        periods or "of all periods",
        f"for {', '.join(grant['purposes']) or 'no purpose'}",
    ]
    return f"{', '.join(said)} ({grant['term']} of the contract)."
