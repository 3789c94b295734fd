"""An answer in words: one aligned line a figure, then what must be known to read it.

Zero, suppressed and missing are three different things, and look so.
"""

from api.cli.explanation_text import say_explanation
from api.cli.output import epsilon_text, loss_text, say, say_paragraph, say_table
from contracts.parties import JsonObject


def say_answer(answer: JsonObject) -> None:
    """The rows, and below them estimand, intervals, labels, notes, coverage and the privacy loss; the whole privacy
    statement and the working where an explanation was asked for."""
    _say_rows(answer)
    say()
    say_paragraph(answer["estimand"])
    percent = _percent(answer["confidence"])
    say_paragraph(f"Interval ({percent}): {answer['interval_covers']}")
    if answer["total_interval_covers"]:
        say_paragraph(f"Total interval ({percent}): {answer['total_interval_covers']}")
    if answer["labels"]:
        say_paragraph(f"Labels: {', '.join(_words(label) for label in answer['labels'])}")
    for note in (*answer["notes"], *_of_noise(answer["rows"])):
        say_paragraph(f"Note: {note}")
    for line in answer["coverage"]:
        say_paragraph(f"Coverage: {coverage_text(line)}")
    used = f"{len(answer['releases'])}, as of {answer['as_of']}"
    say_paragraph(f"Releases used: {used}, under the contract of digest {answer['contract_digest']}")
    if "explanation" not in answer:
        _say_loss(answer["privacy"])
    else:
        _say_privacy(answer["privacy"])
        say_explanation(answer["explanation"])


def coverage_text(line: JsonObject) -> str:
    """One feed: how many of the periods asked it covers, by how many providers, by which measurements, and which it
    lacks."""
    fewest, most = line["providers_fewest"], line["providers_most"]
    providers = str(most) if fewest == most else f"{fewest} to {most}"
    if fewest < line["providers"]:
        providers += f" of {line['providers']}"
    text = f"{line['feed']}, {len(line['covered'])} of {len(line['asked'])} periods, providers: {providers}"
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
    # Of a rate that may be anything from 0 to 1, the point is noise; --json has it, with its flag.
    unknown = row["value"] is None or (row["unit"] == "share" and "whole_range" in row["flags"])
    return "not identified" if unknown else _number(row["value"], row["unit"])


def _of_noise(rows: list[JsonObject]) -> list[str]:
    """What to know of the values shown that no exact figure could have."""
    shown = [row for row in rows if row["value"] is not None and "whole_range" not in row["flags"]]
    notes = []
    if any(row["value"] < 0 for row in shown if row["unit"] != "share"):
        notes.append("noise can take a small count below zero; it is not clipped, so that sums stay right.")
    if any(not 0 <= row["value"] <= 1 for row in shown if row["unit"] == "share"):
        notes.append("noise can take a rate out of 0 to 1; its interval is what the data tell.")
    return notes


def _ends(ends: JsonObject | None, unit: str) -> str:
    if ends is None:
        return ""
    upper = _number(ends["upper"], unit)
    return f"at most {upper}" if ends["lower"] is None else f"{_number(ends['lower'], unit)} to {upper}"


def _number(value: float, unit: str) -> str:
    return f"{value:.3f}" if unit == "share" else f"{round(value):,}"


def _say_loss(privacy: JsonObject) -> None:
    most = privacy["providers_at_most"]
    data = "one provider's data" if most == 1 else f"the data of at most {most} providers"
    loss = epsilon_text(privacy["unit_ceiling"])
    say_paragraph(f"Privacy: at most {loss} for one person in {data} over the whole contract; --explain says why.")


def _say_privacy(privacy: JsonObject) -> None:
    ceilings = "; ".join(f"{name} {loss_text(loss)}" for name, loss in privacy["ceilings"].items())
    say_paragraph(f"Privacy: {privacy['guarantee']} Unit: {privacy['unit']}.")
    say_paragraph(f"Ceilings: {ceilings}.", "  ")
    if privacy["providers_at_most"] > 1:
        within = f"One person in at most {privacy['providers_at_most']} of them"
        say_paragraph(f"{within}: {loss_text(privacy['unit_ceiling'])}.", "  ")
    say_paragraph(f"One person in everything: {loss_text(privacy['one_person_in_everything'])}.", "  ")
    say_paragraph(privacy["several_providers"], "  ")


def _percent(confidence: float) -> str:
    return f"{confidence * 100:g}%"


def _words(name: str) -> str:
    return name.replace("_", " ")
