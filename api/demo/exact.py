"""The exact answers beside the estimates: something only a demo can show, because it made the data itself."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import NormalDist
from typing import Any, Final

from api.demo.promises import promise
from api.demo.world import Cells, World
from contracts.parties import JsonObject
from contracts.periods import Grain, Period

# An estimate this many standard deviations off is no bad luck: one demo in more than 10^12 would see it.
MOST_DEVIATIONS: Final = 8
ADHERENT: Final = "p80_100"

Stratum = tuple[str, ...]
Posted = Sequence[tuple[str, Cells]]
# By figure and stratum, the values of the dimensions in the order asked.
Exact = dict[tuple[str, Stratum], float]


def exact_answers(world: World, payers: Sequence[str]) -> dict[str, Exact]:
    """By statistic, the answers to the demo's questions without any noise, from the cells as posted."""
    fills = [(month, world.fills(payer, month)) for payer in payers for month in world.months]
    years = [(year, world.adherence(payer, year)) for payer in payers for year in world.years]
    support = [(month, world.support(month)) for month in world.months]
    return {
        "adherence_rate": _adherence_rate(years),
        "psp_penetration": _psp_penetration(fills, support),
        "joint_table": _joint_table(fills, support),
    }


def _adherence_rate(years: Posted) -> Exact:
    """By region, over both years."""
    adherent = _totals(years, "members", ("region",), adherence_band=ADHERENT)
    return _ratios("adherence_rate", adherent, _totals(years, "members", ("region",)))


def _psp_penetration(fills: Posted, support: Posted) -> Exact:
    """By region, over all months, of those on the brand's product."""
    enrolled = _totals(support, "enrolled", ("region",), product="helixor", coverage="in_network")
    members = _totals(fills, "members", ("region",), product="helixor")
    return _ratios("psp_penetration", enrolled, members)


def _joint_table(fills: Posted, support: Posted) -> Exact:
    """By region and quarter."""
    by = ("region", "quarter")
    covered, treated = (_totals(fills, measure, by) for measure in ("days_covered", "treatment_days"))
    answers = _ratios("pdc_pooled", covered, treated)
    for measure in ("enrolled", "contacts"):
        totals = _totals(support, measure, by)
        answers |= {(measure, stratum): totals[stratum] for stratum in treated}
    return answers


def put_exact_beside(answer: JsonObject, exact: Exact) -> JsonObject:
    """The answer with `exact` in every row. Raises PromiseBroken when an estimate cannot be one of it."""
    rows = [{**row, "exact": exact[row["figure"], tuple(row["key"].values())]} for row in answer["rows"]]
    promise(len(rows) == len(exact), f"{answer['statistic']} answers every stratum")
    shown = [row for row in rows if row["state"] == "shown"]
    promise(len(shown) > len(rows) / 2, f"{answer['statistic']} shows most of its strata")
    for row in shown:
        promise(
            _deviations(row, answer["confidence"]) <= MOST_DEVIATIONS,
            f"the {row['figure']} of {' '.join(row['key'].values())} is an estimate of its exact value",
        )
    return {**answer, "rows": rows}


def count_inside(rows: Iterable[JsonObject]) -> tuple[int, int]:
    """How many exact values lie inside their intervals, of how many shown."""
    shown = [row for row in rows if row["state"] == "shown"]
    inside = [row for row in shown if row["interval"]["lower"] <= row["exact"] <= row["interval"]["upper"]]
    return len(inside), len(shown)


def _deviations(row: dict[str, Any], confidence: float) -> float:
    """How far off, in standard deviations as the longer side of the interval tells them."""
    interval, value = row["interval"], row["value"]
    side = max(interval["upper"] - value, value - interval["lower"])
    return float(abs(value - row["exact"]) / side * NormalDist().inv_cdf(0.5 + confidence / 2))


def _totals(posted: Posted, measure: str, by: Stratum, **only: str) -> Counter[Stratum]:
    """Sums of a measure by dimensions, or `quarter`, over the strata that have the values of `only`."""
    totals: Counter[Stratum] = Counter()
    for period, cells in posted:
        columns = dict(cells.dimensions)
        amounts = cells.measures[measure]
        if "quarter" in by:
            quarter = str(Period.parse(period, Grain.MONTH).rolled_up_to(Grain.QUARTER))
            columns["quarter"] = [quarter] * len(amounts)
        for place, amount in enumerate(amounts):
            if all(columns[name][place] == value for name, value in only.items()):
                totals[tuple(columns[name][place] for name in by)] += amount
    return totals


def _ratios(figure: str, parts: Counter[Stratum], wholes: Counter[Stratum]) -> Exact:
    return {(figure, stratum): parts[stratum] / whole for stratum, whole in wholes.items()}
