"""The measurement plan in plain sentences, for whoever signs it. Part of the signed document."""

from collections.abc import Iterable
from math import sqrt

from privacy.accuracy import PlanNoise
from privacy.plan import Draw, MeasurementPlan
from privacy.strategy import USUAL_DIMENSIONS, FeedDesign, Table, wanted_tables
from privacy.units import rho_text


def explain_plan(design: FeedDesign, plan: MeasurementPlan) -> tuple[str, ...]:
    """What a release costs, how the cost is shared, and how accurate the wanted tables become."""
    return (
        f"Each release costs rho {rho_text(plan.charge_nano)}, whatever the data; its noise is drawn once.",
        _chosen_for(design),
        *(sentence(design, plan, measure) for measure in design.bounds for sentence in (_measured, _fitted)),
    )


def _chosen_for(design: FeedDesign) -> str:
    if not design.tables:
        return (
            f"The contract names no tables: every table by up to {USUAL_DIMENSIONS} dimensions and the full table "
            "count alike."
        )
    named = "; ".join(f"{_name(table.by)} (weight {table.weight})" for table in design.tables)
    return f"The measured tables and their shares are chosen for the tables that the contract names: {named}."


def _measured(design: FeedDesign, plan: MeasurementPlan, measure: str) -> str:
    draws = plan.draws_of(measure)
    charge = sum(draw.charge_nano for draw in draws)
    parts = "; ".join(
        f"{_percent(draw.charge_nano, charge)} on {_margin(draw, design)} ({_number(draw.sigma_value)})"
        for draw in draws
    )
    return (
        f"{measure} gets {_percent(charge, plan.charge_nano)} of the loss; one person adds at most "
        f"{design.bounds[measure]:,} to an entry. Of that (in brackets the standard deviation of the noise in one "
        f"entry): {parts}."
    )


def _fitted(design: FeedDesign, plan: MeasurementPlan, measure: str) -> str:
    """All margins of a measure are fitted to one table, so that an answer is better than any one of them."""
    noise = PlanNoise(plan, design.sizes)
    entries = ", ".join(
        f"{_number(sqrt(noise.variance(measure, dict.fromkeys(table.by, 1))))} for {_name(table.by)}"
        for table in _shown(design)
    )
    return f"Fitted together, {measure} in one entry of one period has the standard deviation {entries}."


def _shown(design: FeedDesign) -> Iterable[Table]:
    if design.tables:
        return {table.by: table for table in design.tables}.values()
    return [table for table in wanted_tables(design) if len(table.by) <= 1 or table.by == design.dimensions]


def _margin(draw: Draw, design: FeedDesign) -> str:
    return f"the full table, {_name(draw.margin)}" if draw.margin == design.dimensions else _name(draw.margin)


def _name(by: tuple[str, ...]) -> str:
    return " x ".join(by) or "the total"


def _percent(part: int, whole: int) -> str:
    """To a tenth, in whole numbers."""
    tenths = (part * 2000 + whole) // (2 * whole)
    return f"{tenths // 10}.{tenths % 10}%"


def _number(value: float) -> str:
    """Three digits, and every digit left of the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
