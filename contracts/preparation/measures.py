"""The measures that claims can give, by name: what one person adds to one period, and the rule's source.

A measure of a contract means the one of its name here, unless the definitions say otherwise. Each is a column of the
facts of one person, made by the SQL text of its group (adapters/preparation/groups.py).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Group(StrEnum):
    """Columns that one SQL text makes together."""

    PDC = "pdc"
    ENROLLED = "enrolled"
    STARTS = "starts"
    SWITCHES = "switches"
    EXITS = "exits"
    HOSPITAL = "hospital"
    EMERGENCY = "emergency"
    COST = "cost"


class Unit(StrEnum):
    """What is counted."""

    PERSONS = "persons"
    DAYS = "days"
    MONTHS = "months"
    FILLS = "fills"
    STAYS = "stays"
    VISITS = "visits"
    SWITCHES = "switches"
    CENTS = "cents"
    BASIS_POINTS = "basis_points"


@dataclass(frozen=True, slots=True)
class Measure:
    """group: None for `members`, which is 1 for everybody in the period. needs: tables of the canonical model without
    which it would be a guess; columns as `table.column`."""

    name: str
    unit: Unit
    meaning: str
    source: str
    group: Group | None
    needs: frozenset[str]

    @property
    def column(self) -> str:
        """Of the facts."""
        return self.name

    @property
    def by_treatment(self) -> bool:
        """Whether it is about days of a treatment period, and so about persons who are in one."""
        return self.group is Group.PDC


_PQA: Final = "PQA, Proportion of Days Covered"
_MPR: Final = "ISPOR medication compliance (Peterson 2007): days supplied over days of the treatment period"
_CMS_MONTHS: Final = "CMS, Medicaid member months (coverage on the 15th)"
_PERSISTENCE: Final = "ISPOR medication persistence (Cramer 2008); AdhereR treatment episodes"
_NEW_USERS: Final = "new-user design (Ray 2003): no fill of the class in the washout before"
_INPATIENT: Final = "HEDIS, Inpatient Utilization; transfers joined as in CMS readmission measures"
_EMERGENCY: Final = "HEDIS, Ambulatory Care: at most one ED visit a day"
_ALLOWED: Final = "HEDIS, Relative Resource Use: allowed amount, dated by first day of service"


def _measure(name: str, unit: Unit, meaning: str, source: str, group: Group | None, *needs: str) -> Measure:
    return Measure(name, unit, meaning, source, group, frozenset(needs))


_PDC: Final = (
    _measure(
        "days_covered", Unit.DAYS, "Days of treatment in the period on which a drug of the class was at hand.",
        _PQA, Group.PDC, "fills",
    ),
    _measure(
        "treatment_days", Unit.DAYS, "Days of the treatment period that lie in the period.", _PQA, Group.PDC, "fills",
    ),
    _measure(
        "days_supplied", Unit.DAYS, "Days of supply of the fills of the class in the treatment period and the period.",
        _MPR, Group.PDC, "fills",
    ),
    _measure(
        "fills", Unit.FILLS, "Fills of the class in the treatment period and the period.", _PQA, Group.PDC, "fills",
    ),
    _measure(
        "adherent_members", Unit.PERSONS, "1 for whoever has at least the threshold's share of days covered.",
        _PQA, Group.PDC, "fills",
    ),
    _measure(
        "pdc_basis_points", Unit.BASIS_POINTS, "Share of days covered in ten-thousandths, rounded down.",
        _PQA, Group.PDC, "fills",
    ),
    _measure(
        "mpr_basis_points", Unit.BASIS_POINTS,
        "Days supplied over treatment days in ten-thousandths, rounded down, at most 10000.",
        _MPR, Group.PDC, "fills",
    ),
)  # fmt: skip
_ENROLLED: Final = (
    _measure(
        "enrolled_days", Unit.DAYS, "Days of the period on which the person was enrolled.",
        "HEDIS, continuous enrolment", Group.ENROLLED, "enrolment",
    ),
    _measure(
        "member_months", Unit.MONTHS, "Months of the period with enrolment on the 15th.",
        _CMS_MONTHS, Group.ENROLLED, "enrolment",
    ),
)  # fmt: skip
_EPISODES: Final = (
    _measure(
        "new_starts", Unit.PERSONS, "1 for whoever begins an episode of treatment in the period, after the washout.",
        _NEW_USERS, Group.STARTS, "fills",
    ),
    _measure(
        "switches", Unit.SWITCHES,
        "Days of the period with a change to another product within an episode of the class.",
        _PERSISTENCE, Group.SWITCHES, "fills",
    ),
    _measure(
        "discontinuations", Unit.PERSONS,
        "1 for whoever is known in the period to have stopped or switched in the first episode; not who left the plan.",
        _PERSISTENCE, Group.EXITS, "fills",
    ),
)  # fmt: skip
_USE: Final = (
    _measure(
        "hospital_stays", Unit.STAYS,
        "Hospital stays admitted in the period, none of skilled nursing; overlaps and same-day transfers are one.",
        _INPATIENT, Group.HOSPITAL, "stays",
    ),
    _measure(
        "hospitalised_members", Unit.PERSONS, "1 for whoever has at least one such stay.",
        _INPATIENT, Group.HOSPITAL, "stays",
    ),
    _measure(
        "hospital_days", Unit.DAYS,
        "Days of the period in such stays; the day of discharge counts only if it is that of admission.",
        _INPATIENT, Group.HOSPITAL, "stays",
    ),
    _measure(
        "ed_visits", Unit.VISITS, "Days of the period with an emergency visit.", _EMERGENCY, Group.EMERGENCY, "visits",
    ),
    _measure(
        "ed_members", Unit.PERSONS, "1 for whoever has at least one such day.", _EMERGENCY, Group.EMERGENCY, "visits",
    ),
)  # fmt: skip
_COST: Final = (
    _measure(
        "allowed_cents", Unit.CENTS, "Allowed amounts of all claims of the period.", _ALLOWED, Group.COST,
        "fills", "fills.allowed_cents", "stays", "stays.allowed_cents", "visits", "visits.allowed_cents",
    ),
    _measure(
        "drug_allowed_cents", Unit.CENTS, "Allowed amounts of the period's fills, of any drug.", _ALLOWED, Group.COST,
        "fills", "fills.allowed_cents",
    ),
    _measure(
        "medical_allowed_cents", Unit.CENTS, "Allowed amounts of the period's stays and visits.", _ALLOWED, Group.COST,
        "stays", "stays.allowed_cents", "visits", "visits.allowed_cents",
    ),
)  # fmt: skip

MEMBERS: Final = _measure("members", Unit.PERSONS, "1 for everybody in the period.", "the feed's persons", None)
MEASURES: Final = {each.name: each for each in (MEMBERS, *_PDC, *_ENROLLED, *_EPISODES, *_USE, *_COST)}
