"""What is reckoned for one person, by the SQL text that defines it: groups of measures, and which persons are counted.

The texts stand on the relations that `facts.py` makes for every feed: asked, given, fifteenths, class_fills,
window_fills, counted_fills, spans, enrolled_spans, present, and the canonical tables.
"""

from dataclasses import dataclass
from typing import Final

from contracts.preparation.definitions import Persons

# Each stands on those before it; whatever looks at treatment periods has them made once.
INDEXES: Final = ("supply", "indexes")
TREATMENTS: Final = (*INDEXES, "treatment_periods", "treatment_fills", "treatments")


@dataclass(frozen=True, slots=True)
class MeasureGroup:
    """Columns of the facts that the text of the group's name gives, at most one row a member, whole numbers; a member
    without a row has 0 everywhere.

    views: texts that it stands on, in order, made before it; tables: those made before the views, and kept since they
    are read again.
    """

    name: str
    columns: tuple[str, ...]
    views: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cohort:
    """Who is counted in a period: the text gives one row for every member, with the columns member, product,
    months_since_start, reason (NULL where there are none), not_in_cohort and not_counted.

    not_in_cohort: the first rule that the person fails of those before age and exclusions; not_counted: of those after.
    """

    name: str
    views: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()


PDC: Final = MeasureGroup(
    "pdc",
    (
        "days_covered",
        "treatment_days",
        "days_supplied",
        "fills",
        "adherent_members",
        "pdc_basis_points",
        "mpr_basis_points",
    ),
    views=("counted_treatments", "treated_supply", "covered"),
    tables=TREATMENTS,
)
ENROLLED: Final = MeasureGroup("enrolled", ("enrolled_days", "member_months"))

# Each stands on those before it; the first is kept, since all of persistence reads it.
EPISODES: Final = ("episodes", "fresh_episodes")
FIRST_EXITS: Final = (*EPISODES, "switch_days", "first_exits")

STARTS: Final = MeasureGroup("starts", ("new_starts",), views=EPISODES, tables=("class_supply",))
SWITCHES: Final = MeasureGroup("switches", ("switches",), views=("switch_days",), tables=("class_supply",))
EXITS: Final = MeasureGroup("exits", ("discontinuations",), views=FIRST_EXITS, tables=("class_supply",))
HOSPITAL: Final = MeasureGroup(
    "hospital", ("hospital_stays", "hospitalised_members", "hospital_days"), views=("hospital_spans",)
)
EMERGENCY: Final = MeasureGroup("emergency", ("ed_visits", "ed_members"), views=("hospital_spans",))
COST: Final = MeasureGroup("cost", ("allowed_cents", "drug_allowed_cents", "medical_allowed_cents"))

GROUPS: Final = (PDC, ENROLLED, STARTS, SWITCHES, EXITS, HOSPITAL, EMERGENCY, COST)

COHORTS: Final = {
    Persons.ENROLLED: Cohort("cohort_enrolled"),
    Persons.TREATED: Cohort("cohort_treated", views=("counted_treatments",), tables=TREATMENTS),
    Persons.STARTING: Cohort("cohort_starting", views=EPISODES, tables=("class_supply",)),
    Persons.EXITING: Cohort("cohort_exiting", views=(*FIRST_EXITS, "exit_months"), tables=("class_supply",)),
}
