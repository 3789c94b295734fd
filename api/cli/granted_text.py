"""What a contract grants to be asked, for people: statistics, then by what, of which feeds, and over which time."""

from api.cli.answer_table import in_words
from api.cli.output import say, say_paragraph
from contracts.parties import JsonObject


def say_granted(granted: JsonObject) -> None:
    """Each in a paragraph no wider than the terminal."""
    if not granted["statistics"]:
        say("This contract grants you no statistics.")
        return
    for line in granted["statistics"]:
        _say_statistic(line)
    say()
    for feed in granted["feeds"]:
        say_paragraph(feed_text(feed))
    if granted["standards"]:
        say_paragraph(f"Standards: {', '.join(granted['standards'])}.")
    if settled := granted["settlement"]:
        say_paragraph(f"Settled on: {settled['statistic']} over {settled['period']} of at least {settled['target']}.")
    say_paragraph(_grant_text(granted["grant"]))


def _say_statistic(line: JsonObject) -> None:
    say(line["name"])
    if line.get("missing"):
        say_paragraph(f"Cannot be asked here: it needs {'; and '.join(line['missing'])}.", "  ")
    else:
        say_paragraph(line.get("estimand") or "Not answered by this version.", "  ")


def feed_text(feed: JsonObject) -> str:
    """One feed: whose, which periods, by what, and what is counted."""
    linked = "linked, " if feed["linked"] else ""
    return (
        f"Feed {feed['name']} ({linked}of the {in_words(feed['provider'])}, by {feed['grain']}, {feed['first']} to "
        f"{feed['last']}): by {', '.join(feed['by']) or 'nothing'}; measures {', '.join(feed['measures'])}."
    )


def _grant_text(grant: JsonObject) -> str:
    """How far a grant goes, and where in the contract it stands."""
    periods = grant["periods"] and f"whole periods from {grant['periods']['first']} to {grant['periods']['last']}"
    return (
        f"By at most {grant['by_at_most']} at once, those filtered included; {periods or 'all periods'}; for "
        f"{', '.join(grant['purposes']) or 'no purpose'} ({grant['term']} of the contract)."
    )
