"""All statistics by name."""

from difflib import get_close_matches

from contracts.refusals import StatisticNotFound
from contracts.statistics.adherence import ADHERENCE_RATE, PDC_POOLED
from contracts.statistics.cost import COST_PMPM
from contracts.statistics.counts import COUNTS
from contracts.statistics.declarations import Statistic
from contracts.statistics.joint import JOINT_TABLE, PSP_PENETRATION
from contracts.statistics.pdc import PDC_DISTRIBUTION, PDC_MEAN
from contracts.statistics.persistence import PERSISTENCE_CURVE
from contracts.statistics.programme import PROGRAMME_EFFECT
from contracts.statistics.ratios import UTILISATION_RATE_RATIO
from contracts.statistics.reporting import REPORTING_RATE
from contracts.statistics.standardised import ADHERENCE_RATE_STANDARDISED
from contracts.statistics.stopping import DISCONTINUATION_RATE, SWITCH_RATE
from contracts.statistics.threshold import THRESHOLD_ASSESSMENT
from contracts.statistics.trend import TREND
from contracts.statistics.utilisation import UTILISATION_RATE

OFFERED: dict[str, Statistic] = {
    statistic.name: statistic
    for statistic in (
        COUNTS,
        ADHERENCE_RATE,
        ADHERENCE_RATE_STANDARDISED,
        PDC_MEAN,
        PDC_POOLED,
        PDC_DISTRIBUTION,
        PERSISTENCE_CURVE,
        DISCONTINUATION_RATE,
        SWITCH_RATE,
        UTILISATION_RATE,
        UTILISATION_RATE_RATIO,
        COST_PMPM,
        REPORTING_RATE,
        JOINT_TABLE,
        PSP_PENETRATION,
        PROGRAMME_EFFECT,
        TREND,
        THRESHOLD_ASSESSMENT,
    )
}

# What a contract may grant.
GRANTABLE = frozenset(OFFERED)


LONGEST_NAME = 64


def get_statistic(name: str) -> Statistic:
    """Raises StatisticNotFound with the names there are."""
    statistic = OFFERED.get(name)
    if statistic is None:
        offered = sorted(OFFERED)
        near = get_close_matches(name[:LONGEST_NAME], offered, n=1)
        meant = f"did you mean {near[0]}? There are" if near else "there are"
        raise StatisticNotFound(f"No statistic is called so; {meant} {', '.join(offered)}.", offered=offered)
    return statistic
