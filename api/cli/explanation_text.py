"""How an answer came about, in words: `parley ask --explain`."""

from collections import Counter

from api.cli.output import say, say_paragraph, say_table
from contracts.parties import JsonObject
from privacy.units import rho_text


def say_explanation(explanation: JsonObject) -> None:
    """The working of every row, the plans, the releases, and why it is private."""
    say()
    say("How each figure was reckoned")
    rows = explanation["rows"]
    keys = list(dict.fromkeys(name for row in rows for name in row["key"]))
    headings = [*keys, "figure", "sd of its noise", "formula"]
    say_table(headings, [_row(row, keys) for row in rows], right=("sd of its noise",))
    for plan in explanation["plans"]:
        say()
        say(f"Measurement plan of {plan['feed']}: one release charges rho {rho_text(plan['charge_nano'])}")
        draws = [
            (draw["measure"], " x ".join(draw["margin"]) or "total", draw["sigma"], rho_text(draw["charge_nano"]))
            for draw in plan["draws"]
        ]
        say_table(("measure", "margin", "sigma", "rho"), draws, right=("sigma", "rho"))
    say()
    say_paragraph(f"Releases: {_releases(explanation['releases'])}")
    say_paragraph(f"Why it is private: {explanation['why_private']}")


def _row(row: JsonObject, keys: list[str]) -> list[str]:
    key = [row["key"].get(name, "all") for name in keys]
    working = row["working"]
    if working is None:
        return [*key, row["figure"], "", row["state"]]
    sd = "" if working["sd"] is None else f"{working['sd']:.4g}"
    return [*key, row["figure"], sd, working["formula"]]


def _releases(releases: list[JsonObject]) -> str:
    """How many of each feed and measurement; --json lists them one by one."""
    counted = Counter((release["feed"], release["restatement"]) for release in releases)
    words = [f"{count} of {feed} ({measurement_text(number)})" for (feed, number), count in sorted(counted.items())]
    own = sum(release["provider"] is not None for release in releases)
    return f"{', '.join(words)}; your own: {own}. With --json: each by its id."


def measurement_text(number: int) -> str:
    return f"restatement {number}" if number else "first measurement"
