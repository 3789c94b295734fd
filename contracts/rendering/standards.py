"""The section on public weights."""

from contracts.parties import JsonObject
from contracts.rendering.pages import Paragraph, Section, Table
from contracts.rendering.parts import Part, table, term, value_text

LEAD = (
    "Rates can be standardised by the weights below: each stratum counts as much as its weight says, whoever is in it. "
    "They are public and part of this contract, never taken from what is posted."
)


def standards_section(part: Part) -> Section:
    standards = part.each("standards")
    if not standards:
        part.take("standards")
        return Section("Public weights", (Paragraph("None are stated."),))
    return Section("Public weights", (Paragraph(LEAD), *map(_weights, standards)))


def _weights(standard: Part) -> Table:
    name, source, by = (standard.take(each) for each in ("name", "source", "by"))
    return table(
        f"{name}, by {value_text(by)}: {source}",
        standard.each("weights"),
        term("stratum", "stratum", _stratum),
        term("weight", "weight", right=True),
    )


def _stratum(stratum: JsonObject) -> str:
    return ", ".join(f"{name} {value}" for name, value in stratum.items())
