"""What an answer is about and what it rests on, in words: the same below a table, before a CSV and in a picture."""

from collections.abc import Iterator
from typing import Final

from contracts.parties import JsonObject

_DIFFERENCES: Final = frozenset({"change", "difference", "differences"})


def only_text(answer: JsonObject) -> str:
    """What the question narrowed it to, as `state NY or CA; 2025`; empty where nothing."""
    question = answer["question"]
    narrowed = [f"{name} {' or '.join(values)}" for name, values in question["where"].items()]
    return "; ".join([*narrowed, *([question["periods"]] if question["periods"] else [])])


def heading_of(answer: JsonObject) -> str:
    """One line above a picture: `adherence rate by region, year; only state NY; 2025`."""
    by = ", ".join(answer["question"]["by"])
    of = answer["question"]["of"]
    heading = answer["statistic"].replace("_", " ")
    heading += f" of {of.replace('_', ' ')}" if of else ""
    heading += f" by {by.replace('_', ' ')}" if by else ""
    return f"{heading}; only {only}" if (only := only_text(answer)) else heading


def about_lines(answer: JsonObject) -> Iterator[str]:
    """What of the question neither rows nor figures show."""
    if only := only_text(answer):
        yield f"Only: {only}"
    if standard := answer["question"]["standard"]:
        yield f"Standard: {standard}"


def coverage_lines(answer: JsonObject) -> Iterator[str]:
    """A line a feed, and one for the periods with which these are compared."""
    yield from (f"Coverage: {coverage_text(line)}" for line in answer["coverage"])


def coverage_text(line: JsonObject) -> str:
    """One feed: how many of the periods asked it covers, by how many providers, by which measurements, and which it
    lacks."""
    fewest, most = line["providers_fewest"], line["providers_most"]
    providers = str(most) if fewest == most else f"{fewest} to {most}"
    if fewest < line["providers"]:
        providers += f" of {line['providers']}"
    before = " before, to compare with" if line["compared"] else ""
    text = f"{line['feed']}{before}, {len(line['covered'])} of {len(line['asked'])} periods, providers: {providers}"
    measured: dict[int, list[str]] = {}
    for period in line["rests_on"]:
        for number in period["restatements"]:
            measured.setdefault(number, []).append(period["period"])
    for number, periods in sorted(measured.items()):
        text += f"; {f'restatement {number}' if number else 'first'}: {_runs(periods, line['asked'])}"
    for state in ("missing", "provisional"):
        if line[state]:
            text += f"; {state}: {_runs(line[state], line['asked'])}"
    return text


def is_difference(row: JsonObject) -> bool:
    """Of a change or another difference any sign is ordinary."""
    return not _DIFFERENCES.isdisjoint(row["figure"].split("_"))


def _runs(periods: list[str], asked: list[str]) -> str:
    """Periods with those that follow each other as `first..last`."""
    runs: list[list[str]] = []
    for before, period in zip([None, *asked], asked, strict=False):
        if period not in periods:
            continue
        if runs and runs[-1][-1] == before:
            runs[-1].append(period)
        else:
            runs.append([period])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in runs)
