"""The demo's results as plain aligned text, at most 100 characters wide."""

import time
from collections.abc import Iterable, Sequence
from math import ceil
from textwrap import wrap
from typing import Final, TextIO

from api.demo.exact import count_inside
from contracts.parties import JsonObject

WIDTH: Final = 100
QUARTERS_SHOWN: Final = 4
ONLY_A_DEMO: Final = (
    "exact*: only a demo can show it. The data are synthetic, so it knows what it posted; the exchange has "
    "forgotten it, and could not tell."
)


class Narrator:
    """Tells the story while it runs: one line a step, in front the seconds since the story began."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def title(self, text: str) -> None:
        self.say("", text, "")

    def told(self, text: str) -> None:
        """A step is done."""
        first, *rest = wrap(text, WIDTH - 10)
        self.say(f"{self.seconds:6.1f} s  {first}", *(f"{'':10}{line}" for line in rest))

    def say(self, *lines: str) -> None:
        print(*lines, sep="\n", file=self._stream, flush=True)


def results_text(results: JsonObject) -> list[str]:
    """All that the demo found out, as lines."""
    answers = results["answers"]
    return [
        *_heading("Adherence rate by region: share of members with at least 80% of days covered, two years"),
        *_rates(answers["adherence_rate"]),
        *_heading("Programme penetration by region: enrolled, of the payers' members on Helixor"),
        *_rates(answers["psp_penetration"]),
        *_heading("Joint table by region and quarter: share of days covered, enrolled, contacts"),
        *_joint_table(answers["joint_table"]),
        "",
        *_paragraph(ONLY_A_DEMO),
        *_paragraph(_coverage_sentence(results)),
        *_heading("Privacy loss: the most that all answers, for ever, can tell about one person"),
        *_losses(results["loss"]),
        *_heading("What Parley refuses"),
        *_refusals(results["refusals"]),
    ]


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> list[str]:
    """Aligned columns, indented; the first `left` of them to the left and the others to the right."""
    lines = [headings, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  " + "  ".join(
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]  # fmt: skip


def share_cells(row: JsonObject) -> list[str]:
    """Estimate, interval and exact value of a share."""
    if row["state"] != "shown":
        return [row["state"], "", percent(row["exact"])]
    ends = row["interval"]
    interval = f"{100 * ends['lower']:.1f}-{percent(ends['upper'])}"
    return [percent(row["value"]), interval, percent(row["exact"])]


def percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def epsilon_text(loss: JsonObject) -> str:
    """Rounded up: no statement may look better than it is."""
    return f"{ceil(loss['epsilon'] * 100) / 100:.2f}"


def _rates(answer: JsonObject) -> list[str]:
    rows = [[*row["key"].values(), *share_cells(row)] for row in answer["rows"]]
    return [
        *table(["region", "estimate", "95% interval", "exact*"], rows),
        *_paragraph(f"The interval covers {answer['interval_covers']}. {_labels(answer)}"),
    ]


def _joint_table(answer: JsonObject) -> list[str]:
    """One line a stratum, from one row a figure and stratum."""
    lines: dict[tuple[str, str], list[str]] = {}
    for row in answer["rows"]:
        cells = share_cells(row) if row["unit"] == "share" else _count_cells(row)
        lines.setdefault((row["key"]["region"], row["key"]["quarter"]), []).extend(cells)
    quarters = sorted({quarter for _, quarter in lines})
    shown = quarters[-QUARTERS_SHOWN:]
    rows = [[*stratum, *cells] for stratum, cells in sorted(lines.items()) if stratum[1] in shown]
    headings = ["covered", "interval", "exact*", "enrolled", "+/-", "exact*", "contacts", "+/-", "exact*"]
    return [
        *table(["region", "quarter", *headings], rows, left=2),
        *_paragraph(
            f"The last {len(shown)} of {len(quarters)} quarters. The payers posted the days covered, the "
            "brand its programme; enrolled counts persons once a month. Intervals, and +/-, are of 95%. "
            f"{_labels(answer)} {' '.join(answer['notes'])}"
        ),
    ]


def _labels(answer: JsonObject) -> str:
    return f"Label: {', '.join(answer['labels'])}."


def _count_cells(row: JsonObject) -> list[str]:
    if row["state"] != "shown":
        return [row["state"], "", f"{row['exact']:,}"]
    half_width = max(row["interval"]["upper"] - row["value"], row["value"] - row["interval"]["lower"])
    return [f"{row['value']:,.0f}", f"{half_width:,.0f}", f"{row['exact']:,}"]


def _coverage_sentence(results: JsonObject) -> str:
    rows = [row for answer in results["answers"].values() for row in answer["rows"]]
    inside, shown = count_inside(rows)
    return f"{inside} of the {shown} exact values of all answers lie inside their 95% interval."


def _losses(loss: JsonObject) -> list[str]:
    everything = loss["one_person_in_everything"]
    rows = [
        [name, of["spent"]["rho"], epsilon_text(of["spent"]), of["balance"]["rho"]]
        for name, of in loss["populations"].items()
    ]
    rows += [["one person in everything, at the ceilings", everything["rho"], epsilon_text(everything), ""]]
    return [
        *table(["population", "rho", f"epsilon at delta {everything['delta']}", "rho left"], rows),
        *_paragraph(loss["several_providers"]),
    ]


def _refusals(refusals: JsonObject) -> list[str]:
    replay, foreign, beyond = (refusals[name] for name in ("replay", "foreign_caller", "beyond_budget"))
    told = {
        "The same submission again": (
            f"the same receipt, of release {replay['second_receipt']['release_id'][:8]}, marked as replayed; "
            f"the ledger had {replay['ledger_entries_before']} entries, and has "
            f"{replay['ledger_entries_after']}."
        ),
        "A caller that is no party": (
            f"{_status_line(next(iter(foreign['problems'].values())))} whether it wants to "
            f"{', '.join(foreign['problems'])}; word for word what a contract that does not exist gets."
        ),
        "More than the budget": (
            f"{_status_line(beyond['problem'])} {beyond['problem']['detail']} Nothing was stored; the ledger "
            f"still has {beyond['ledger_entries_after']} entries."
        ),
    }
    return [line for what, text in told.items() for line in _item(what, text)]


def _status_line(problem: JsonObject) -> str:
    return f"{problem['status']} {problem['type'].rpartition(':')[2]}:"


def _item(what: str, text: str) -> list[str]:
    first, *rest = wrap(text, WIDTH - 30)
    return [f"  {what:28}{first}", *(f"{'':30}{line}" for line in rest)]


def _heading(text: str) -> list[str]:
    return ["", text, ""]


def _paragraph(text: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ")
