"""A preview in words: what each feed costs and how exact its tables become, then the losses and wanted accuracies."""

from itertools import groupby
from typing import Any, Final

from api.cli.output import loss_text, say, say_table, unanswered_text
from contracts.parties import JsonObject
from contracts.predicting import POINTS
from contracts.rendering.rounding import percent_up

WHOLE_RANGE: Final = 50.0
# From here on somebody who started at even odds can be all but certain.
ABSURD_EPSILON: Final = 20.0
ABSURD_GUESSES: Final = 0.99


def say_preview(preview: JsonObject, *, with_plans: bool = False) -> None:
    """with_plans: the measurement plan of each feed too, in sentences."""
    for feed in preview["feeds"]:
        _say_feed(feed)
        for sentence in feed["plan"] if with_plans else ():
            say(f"Plan: {sentence}")
        say()
    _say_losses(preview)
    if preview["budgets"]:
        say()
        _say_budgets(preview["budgets"])
    if preview["settlement"] is not None:
        say()
        _say_settlement(preview["settlement"])
    say()
    if preview["unanswered"]:
        say(unanswered_text(preview["unanswered"]))
        say()
    if preview["without_widths"]:
        say(f"No width is predicted, though their answers have intervals: {', '.join(preview['without_widths'])}")
        say()
    for line in preview["assumptions"]:
        say(f"- {line}")


def _say_feed(feed: JsonObject) -> None:
    posted = f"{_many(feed['periods'], feed['grain'])} of {_many(feed['providers'], feed['provider'])}"
    say(f"{feed['feed']}: {posted}, a person in at most {feed['k']}")
    say(f"  over the term  {loss_text(feed['over_term'])}")
    say(f"  one release    {loss_text(feed['one_release'])}")
    if linked := feed["linked"]:
        say(f"  and of {linked['population']}, to whose records it is linked:")
        say(f"  over the term  {loss_text(linked['over_term'])}, over all payers")
        say(f"  one release    {loss_text(linked['one_release'])}")
    say()
    spans = [_span(width, feed) for width in feed["rows"][0]["widths"]]
    rows = [
        (
            row["figure"],
            _table(row["by"], feed),
            f"{row['cells']:,}",
            *(_width(width, row["unit"]) for width in row["widths"]),
        )
        for row in feed["rows"]
    ]
    say_table(("figure", "by", "cells", *spans), rows, right=("cells", *spans))
    for note in feed["notes"]:
        say(f"Note: {note}")
    if feed["restatements"]:
        say()
        _say_restatements(feed)


def _say_restatements(feed: JsonObject) -> None:
    lead = feed["lead"]
    tables = [_table(table["by"], feed) for table in feed["restatements"][0]["half_widths"]]
    rows = [
        (
            str(price["restatements"]),
            str(price["releases_paid"]),
            price["charge"]["rho"],
            *([_short(table["half_width"]) for table in price["half_widths"]] or ["too little"] * len(tables)),
        )
        for price in feed["restatements"]
    ]
    say(f"Restatements, and {lead['figure']} ({lead['unit']}) in one {feed['grain']} of all providers:")
    say_table(("restatements", "releases paid", "rho each", *tables), rows,
              right=("restatements", "releases paid", "rho each", *tables))  # fmt: skip


def _say_losses(preview: JsonObject) -> None:
    """With each loss what it lets somebody learn who starts at even odds."""
    say("The most that one person may lose under this contract, and how sure somebody who starts at 50% can become:")
    several = {f"in {preview['providers_at_most']} of them": preview["unit_ceiling"]}
    losses = {
        **preview["ceilings"],
        **(several if preview["providers_at_most"] > 1 else {}),
        "one person in everything": preview["one_person_in_everything"],
    }
    for name, lost in losses.items():
        say(f"  {name}: {loss_text(lost)}; {_learned(lost)}")
    say(f"Unit: {preview['unit']}.")
    say(preview["several_providers"])


def _say_settlement(settlement: JsonObject) -> None:
    """Both errors: how often met will be said of a rate below the target, and not met of one above."""
    about = f"{settlement['statistic']} over {settlement['period']} against {settlement['target']}"
    if settlement["expected"] is None:
        say(
            f"Settlement: {about}. How it will be decided is not predicted: that is done for adherence_rate and "
            "pdc_pooled, of a feed that states the expected members."
        )
        return
    say(
        f"Settlement: {about}, decided at {settlement['decide_at']}, of {settlement['expected']:,.0f} expected in "
        f"{settlement['feed']}. How often each will be said, by privacy noise alone, whose standard deviation is "
        f"{_short(100 * settlement['noise_sd'])} percentage points:"
    )
    headings = ("rate of the posted members", "met", "not met", "undecided")
    rows = [
        (f"{odds['rate']:.6g}", *(f"{100 * odds[name]:.1f}%" for name in ("met", "not_met", "undecided")))
        for odds in settlement["odds"]
    ]
    say_table(headings, rows, right=headings)


def _learned(lost: JsonObject) -> str:
    certain, right = percent_up(lost["certain_at_most"]), percent_up(lost["right_guesses"])
    sure = f"at most {certain} sure except with probability {lost['delta']}, {right} right guesses"
    absurd = lost["epsilon"] > ABSURD_EPSILON or lost["right_guesses"] > ABSURD_GUESSES
    return sure + ("; a loss this large protects nobody" if absurd else "")


def _say_budgets(budgets: list[JsonObject]) -> None:
    for accuracy, answers in groupby(budgets, key=lambda budget: budget["accuracy"]):
        say(f"Wanted: {accuracy}")
        for budget in answers:
            say(f"  {_budget(budget)}")


def _budget(budget: JsonObject) -> str:
    unit = budget["unit"]
    about = f"{budget['feed']}, {budget['figure']} by {_by(budget['by'])}, {_span_text(budget)}"
    now = f"now {_number(budget['now'], unit)}"
    ceiling = f"the whole ceiling, rho {budget['ceiling']['rho']}, gives {_number(budget['at_ceiling'], unit)}"
    if budget["smallest"] is None:
        return f"{about}: none below the population's ceiling reaches it; {ceiling} ({now})"
    fits = "" if budget["fits"] else "; more than the ceiling leaves beside the other feeds: raise it, or lower theirs"
    return f"{about}: {loss_text(budget['smallest'])} ({now}){fits}"


def _width(width: JsonObject, unit: str) -> str:
    """The half-width; beside it the percent of the expected cell, or the total half-width of a rate."""
    if unit == POINTS:
        total = width["total_half_width"]
        if width["half_width"] >= WHOLE_RANGE:
            return "whole range"
        return f"{width['half_width']:.2f}" + (f" (total {total:.2f})" if total is not None else "") + " pp"
    relative = width["relative"]
    return _short(width["half_width"]) + (f" ({_short(100 * relative)}%)" if relative is not None else "")


def _number(value: float, unit: str) -> str:
    return f"±{_short(value)}" + {POINTS: " pp", "%": "%"}.get(unit, f" {unit}")


def _short(value: float) -> str:
    """Two digits, and every digit left of the point."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _span(width: JsonObject, feed: JsonObject) -> str:
    """Heading of a column: what one answer adds up."""
    times = f"1 {feed['grain']}" if width["periods"] == 1 else _many(width["periods"], feed["grain"])
    return f"{times}, {_many(width['providers'], feed['provider'])}"


def _span_text(budget: JsonObject) -> str:
    return f"{_many(budget['periods'], 'period')} of {_many(budget['providers'], 'provider')}"


def _table(by: list[str], feed: JsonObject) -> str:
    """The widest table of all is the one with everything that the figure can go by."""
    most = max(len(row["by"]) for row in feed["rows"])
    return f"all {len(by)} dimensions" if len(by) > 3 and len(by) >= most - 1 else _by(by)


def _by(by: list[str]) -> str:
    return " x ".join(by) or "total"


def _many(count: int, word: Any) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
