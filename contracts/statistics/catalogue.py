"""All statistics by name: those this exchange answers, and those a contract may already grant."""

from contracts.refusals import StatisticNotFound
from contracts.statistics.adherence import ADHERENCE_RATE, PDC_POOLED
from contracts.statistics.counts import COUNTS
from contracts.statistics.declarations import Statistic
from contracts.statistics.joint import JOINT_TABLE, PSP_PENETRATION
from contracts.terms import Terms

OFFERED: dict[str, Statistic] = {
    statistic.name: statistic for statistic in (COUNTS, ADHERENCE_RATE, PDC_POOLED, JOINT_TABLE, PSP_PENETRATION)
}

# Names that a contract may grant today although this version does not answer them yet: asking says so.
ANNOUNCED = frozenset(
    {
        "pdc_mean",
        "pdc_distribution",
        "adherence_rate_standardised",
        "persistence_curve",
        "discontinuation_rate",
        "switch_rate",
        "utilisation_rate",
        "utilisation_rate_ratio",
        "cost_pmpm",
        "reporting_rate",
        "programme_effect",
        "trend",
        "threshold_assessment",
    }
)

# Those of one figure that is a share, from 0 to 1: what is settled on such a one has a target between them.
SHARES = frozenset(
    {
        "adherence_rate",
        "pdc_mean",
        "pdc_pooled",
        "psp_penetration",
        "adherence_rate_standardised",
        "discontinuation_rate",
        "switch_rate",
    }
)

GRANTABLE = frozenset(OFFERED) | ANNOUNCED


def unanswered(terms: Terms) -> list[str]:
    """What the contract grants and this version does not answer: nobody should sign without knowing."""
    return sorted({name for grant in terms.grants for name in grant.statistics} & ANNOUNCED)


def get_statistic(name: str) -> Statistic:
    """Raises StatisticNotFound with the names there are."""
    statistic = OFFERED.get(name)
    if statistic is None:
        offered = sorted(OFFERED)
        reason = "is not answered by this version yet" if name in ANNOUNCED else "is not a statistic"
        raise StatisticNotFound(f"This {reason}; ask {', '.join(offered)}.", offered=offered)
    return statistic
