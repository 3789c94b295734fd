"""The section on where and when a programme was rolled out."""

from functools import partial

from contracts.rendering.pages import Paragraph, Section
from contracts.rendering.parts import Part, Term, facts, term


def rollout_section(part: Part) -> Section:
    rollout = part.part("rollout")
    if not rollout.value:
        part.take("rollout")
        return Section("Rollout of a programme", (Paragraph("None is stated."),))
    starts = [Term(f"began in {value}", partial(_start, value)) for value in rollout.value["starts"]]
    lead = Paragraph(
        "A programme began by the dimension below, each value in the period named; in a value that is not named it did "
        "not begin in the term. By this programme_effect is a difference in differences, which is about the programme "
        "only if the two would have changed alike without it."
    )
    return Section("Rollout of a programme", (lead, facts(rollout, term("dimension", "dimension"), *starts)))


def _start(value: str, rollout: Part) -> str:
    return str(rollout.part("starts").take(value))
