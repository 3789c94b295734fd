"""An answer in words: one aligned line a figure, then what must be known to read it.

Zero, suppressed and missing are three different things, and look so.
"""

from api.cli.explanation_text import say_explanation
from api.cli.output import loss_text, say, say_table
from contracts.parties import JsonObject


def say_answer(answer: JsonObject) -> None:
    """The rows, and below them estimand, intervals, labels, notes, coverage, the privacy statement, and the working
    where it was asked for."""
    _say_rows(answer)
    say()
    say(answer["estimand"])
    percent = _percent(answer["confidence"])
    say(f"Interval ({percent}): {answer['interval_covers']}")
    if answer["total_interval_covers"]:
        say(f"Total interval ({percent}): {answer['total_interval_covers']}")
    if answer["labels"]:
        say(f"Labels: {', '.join(_words(label) for label in answer['labels'])}")
    for note in answer["notes"]:
        say(f"Note: {note}")
    if any(row["value"] is not None and row["value"] < 0 for row in answer["rows"]):
        say("Note: noise can take a small count below zero; it is not clipped, so that sums stay right.")
    for line in answer["coverage"]:
        say(f"Coverage: {coverage_text(line)}")
    used = f"{len(answer['releases'])}, as of {answer['as_of']}"
    say(f"Releases used: {used}, under the contract of digest {answer['contract_digest']}")
    _say_privacy(answer["privacy"])
    if "explanation" in answer:
        say_explanation(answer["explanation"])


def coverage_text(line: JsonObject) -> str:
    """One feed: how many of the periods asked it covers, by how many providers and restatements, and which it lacks."""
    fewest, most = line["providers_fewest"], line["providers_most"]
    providers = str(most) if fewest == most else f"{fewest} to {most}"
    if fewest < line["providers"]:
        providers += f" of {line['providers']}"
    text = f"{line['feed']}, {len(line['covered'])} of {len(line['asked'])} periods, providers: {providers}"
    restated: dict[int, list[str]] = {}
    for period in line["rests_on"]:
        for number in filter(None, period["restatements"]):
            restated.setdefault(number, []).append(period["period"])
    for number, periods in sorted(restated.items()):
        text += f"; restatement {number}: {_runs(periods, line['asked'])}"
    for state in ("missing", "provisional"):
        if line[state]:
            text += f"; {state}: {_runs(line[state], line['asked'])}"
    return text


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


def _say_rows(answer: JsonObject) -> None:
    rows = answer["rows"]
    keys = list(dict.fromkeys(name for row in rows for name in row["key"]))
    has_total = any(row["total_interval"] for row in rows)
    headings = [
        *keys,
        "figure",
        "value",
        "interval",
        *(["total interval"] if has_total else []),
        "unit",
        "flags",
    ]
    lines = []
    for row in rows:
        total = [_ends(row["total_interval"], row["unit"])] if has_total else []
        flags = ", ".join(_words(flag) for flag in row["flags"])
        key = [row["key"].get(name, "all") for name in keys]
        lines.append(
            [
                *key,
                row["figure"],
                _value(row),
                _ends(row["interval"], row["unit"]),
                *total,
                row["unit"],
                flags,
            ]
        )
    say_table(headings, lines, right=("value", "interval", "total interval"))


def _value(row: JsonObject) -> str:
    if row["state"] != "shown":
        return str(row["state"])
    return "not identified" if row["value"] is None else _number(row["value"], row["unit"])


def _ends(ends: JsonObject | None, unit: str) -> str:
    if ends is None:
        return ""
    upper = _number(ends["upper"], unit)
    return f"at most {upper}" if ends["lower"] is None else f"{_number(ends['lower'], unit)} to {upper}"


def _number(value: float, unit: str) -> str:
    return f"{value:.3f}" if unit == "share" else f"{round(value):,}"


def _say_privacy(privacy: JsonObject) -> None:
    ceilings = "; ".join(f"{name} {loss_text(loss)}" for name, loss in privacy["ceilings"].items())
    say(f"Privacy: {privacy['guarantee']} Unit: {privacy['unit']}.")
    say(f"  Ceilings: {ceilings}.")
    if privacy["providers_at_most"] > 1:
        within = f"One person in at most {privacy['providers_at_most']} of them"
        say(f"  {within}: {loss_text(privacy['unit_ceiling'])}.")
    say(f"  One person in everything: {loss_text(privacy['one_person_in_everything'])}.")
    say(f"  {privacy['several_providers']}")


def _percent(confidence: float) -> str:
    return f"{confidence * 100:g}%"


def _words(name: str) -> str:
    return name.replace("_", " ")
