"""An answer in words: its table, then what must be known to read it."""

from adapters.answers.words import about_lines, coverage_lines, is_difference
from api.cli.answer_columns import say_side_by_side
from api.cli.answer_table import in_words, say_rows
from api.cli.explanation_text import say_explanation
from api.cli.output import epsilon_text, loss_text, say, say_paragraph
from contracts.parties import JsonObject


def say_answer(answer: JsonObject) -> None:
    """The rows, and below them what was filtered, estimand, intervals, labels, notes, coverage and the privacy loss;
    the whole privacy statement and the working where an explanation was asked for."""
    (say_side_by_side if answer["statistic"] == "joint_table" else say_rows)(answer["rows"])
    say()
    for line in about_lines(answer):
        say_paragraph(line)
    say_paragraph(answer["estimand"])
    percent = _percent(answer["confidence"])
    say_paragraph(f"Interval ({percent}): {answer['interval_covers']}")
    if answer["total_interval_covers"]:
        say_paragraph(f"Total interval ({percent}): {answer['total_interval_covers']}")
    if answer["labels"]:
        say_paragraph(f"Labels: {', '.join(in_words(label) for label in answer['labels'])}")
    for note in notes_of(answer):
        say_paragraph(f"Note: {note}")
    for line in coverage_lines(answer):
        say_paragraph(line)
    used = f"{len(answer['releases'])}, as of {answer['as_of']}"
    say_paragraph(f"Releases used: {used}, under the contract of digest {answer['contract_digest']}")
    if "explanation" not in answer:
        _say_loss(answer["privacy"])
    else:
        _say_privacy(answer["privacy"])
        say_explanation(answer["explanation"])


def notes_of(answer: JsonObject) -> list[str]:
    """Those of the exchange, and what to know of values that no exact figure could have."""
    identified = [row for row in answer["rows"] if row["value"] is not None and "whole_range" not in row["flags"]]
    shown = [row for row in identified if not is_difference(row)]
    notes = [*answer["notes"]]
    if any(row["value"] < 0 for row in shown if row["unit"] != "share"):
        notes.append("noise can take a small count below zero; it is not clipped, so that sums stay right.")
    if any(not 0 <= row["value"] <= 1 for row in shown if row["unit"] == "share"):
        notes.append("noise can take a rate out of 0 to 1; its interval is what the data tell.")
    return notes


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
