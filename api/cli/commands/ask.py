"""`parley ask`."""

import json
from collections.abc import Mapping
from pathlib import Path

import click

from adapters.answers.csv_answers import csv_text
from adapters.client.exchange import ExchangeClient
from api.cli.answer_csv import answer_csv_text
from api.cli.answer_output import CSV, Output, output_options
from api.cli.answer_picture import draw_to, require_picture_file
from api.cli.answer_table import in_words
from api.cli.answer_text import notes_of, say_answer
from api.cli.calling import as_client, chosen_contract, chosen_profile
from api.cli.files import PRIVATE_MODE, refuse_taken, write_new
from api.cli.granted_text import say_granted
from api.cli.output import tell
from contracts.parties import JsonObject

EPILOG = """\b
Examples:
  parley ask dsc-helixor-adherence                  (what the contract grants you)
  parley ask dsc-helixor-adherence adherence_rate --by region --periods 2025
  parley ask dsc-helixor-adherence counts --feed fills --by month --where sex:F,region:south
  parley ask dsc-helixor-adherence pdc_pooled --periods 2025-Q1 --as-of final --explain
  parley ask adherence_rate --by region,year --format csv --out rates.csv
                                                    (of the contract of your profile)
  parley ask dsc-helixor-adherence pdc_pooled --by region,month --plot trend.svg"""


@click.command(epilog=EPILOG)
@click.argument("contract_id", metavar="[CONTRACT]", required=False)
@click.argument("statistic", metavar="[STATISTIC]", required=False)
@click.option("--contract", metavar="CONTRACT", help="Which contract, where it is not named first.")
@click.option("--by", multiple=True, help="Dimensions, and at most one of month, quarter, year; by commas.")
@click.option("--periods", help="2025, 2025-Q1, 2025-03, or two of them with .. between. By default all.")
@click.option("--where", multiple=True, help="dimension:value, by commas; one dimension with two values means either.")
@click.option("--confidence", help="Above 0.5 and at most 0.999. By default 0.95.")
@click.option("--feed", help="Which feed, where several could answer.")
@click.option("--measures", multiple=True, help="For counts and joint_table: which measures, by commas.")
@click.option("--of", help="For trend and others that are about another statistic: which one.")
@click.option("--compare", help="previous or standardised: add the difference of each figure to that.")
@click.option("--standard", help="By which of the contract's public weights, where several would fit.")
@click.option("--as-of", help="latest, first, final, restatement_1, ...: which measurement of each period.")
@click.option("--purpose", help="What the answer is for; by default your profile's, or else the contract's own.")
@click.option("--contract-version", "version", metavar="NUMBER", help="Refuse it where another version is in force.")
@click.option("--explain", is_flag=True, help="Say how each figure was reckoned, and from which releases and plan.")
@click.option(
    "--receipt",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Have the answer signed, and keep it with its receipt in this new file.",
)
@click.option(
    "--plot",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Draw the answer with its intervals too, to this new .svg or .png; needs the extra `plot`.",
)
@output_options
@as_client
def ask(
    client: ExchangeClient,
    contract_id: str | None,
    statistic: str | None,
    contract: str | None,
    explain: bool,
    receipt: Path | None,
    plot: Path | None,
    output: Output,
    **question: str | tuple[str, ...] | None,
) -> None:
    """Ask a statistic. It costs no budget, and the same releases always give the same answer.

    Without STATISTIC: lists those that the contract grants you. CONTRACT may be left out where your profile has one.
    """
    asked_of, asked = _which(contract_id, statistic, contract)
    if asked is None:
        if receipt is not None:
            raise click.UsageError("--receipt goes with a statistic.")
        if plot is not None:
            raise click.UsageError("--plot goes with a statistic.")
        _list_granted(client, asked_of, output)
        return
    if explain and output.form == CSV:
        raise click.UsageError("--explain goes with a table or JSON: CSV has the rows only.")
    if receipt is not None:
        refuse_taken(receipt, replace=False)
    if plot is not None:
        require_picture_file(plot, replace=output.replace)
    answer = client.ask(asked_of, asked, **_query(question, explain=explain, receipt=receipt is not None))
    if receipt is not None:
        write_new(receipt, json.dumps(answer, indent=2) + "\n", PRIVATE_MODE)
        tell(f"The answer with its receipt is in {receipt}; it proves itself: parley receipt verify {receipt}")
    output.write(
        answer,
        lambda: say_answer(answer),
        lambda: answer_csv_text(answer, with_notes=output.with_notes),
        lambda: _parquet(answer),
    )
    if plot is not None:
        draw_to(plot, answer, replace=output.replace)
    if output.form == CSV and not output.with_notes:
        _tell_notes(answer)


def _parquet(answer: JsonObject) -> bytes:
    from adapters.answers.parquet_answers import answer_parquet

    return answer_parquet(answer)


def _which(contract_id: str | None, statistic: str | None, contract: str | None) -> tuple[str, str | None]:
    """Contract and statistic. One word alone is a statistic if it is the name of one, which no id of a contract that
    has a hyphen is; --contract names any other."""
    if contract is not None:
        if statistic is not None:
            raise click.UsageError("Name the contract once: first, or with --contract.")
        return contract, contract_id
    if contract_id is None or (statistic is None and _names_statistic(contract_id)):
        of = "" if contract_id is None else f" of {contract_id}"
        return chosen_contract(None, of=of, otherwise=", or with --contract"), contract_id
    return contract_id, statistic


def _names_statistic(word: str) -> bool:
    # Loaded for the few to whom it matters; ids of contracts have no underscore.
    from contracts.statistics.catalogue import GRANTABLE

    return "_" in word or word in GRANTABLE


def _query(question: Mapping[str, str | tuple[str, ...] | None], *, explain: bool, receipt: bool) -> dict[str, str]:
    asked = {
        name: value if isinstance(value, str) else ",".join(value)
        for name, value in question.items()
        if value not in (None, ())
    }
    profile = chosen_profile()
    if profile is not None and profile.purpose is not None:
        asked.setdefault("purpose", profile.purpose)
    return asked | {name: "true" for name, wanted in (("explain", explain), ("receipt", receipt)) if wanted}


def _tell_notes(answer: JsonObject) -> None:
    """What a table says below its rows, for whoever looks on."""
    if answer["labels"]:
        tell(f"Labels: {', '.join(map(in_words, answer['labels']))}")
    for note in notes_of(answer):
        tell(f"Note: {note}")


def _list_granted(client: ExchangeClient, contract_id: str, output: Output) -> None:
    granted = client.request("GET", f"/v1/contracts/{contract_id}/statistics")
    rows = [(line["name"], str(line["by_at_most"]), line.get("estimand") or "") for line in granted["statistics"]]

    output.write(granted, lambda: say_granted(granted), lambda: csv_text(("statistic", "by_at_most", "estimand"), rows))
