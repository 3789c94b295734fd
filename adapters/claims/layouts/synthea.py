"""The CSV files of Synthea, versions 2.7 to 3.2 (Synthea wiki, CSV File Data Dictionary; OHDSI, ETL-Synthea for how the
versions differ). Every payer in them is taken for one payer; days are those of UTC, as written.

Medications are orders with a number of dispenses, not fills. An order from START to STOP is taken to have been
dispensed every (STOP - START) / DISPENSES whole days, each time for that many days, and for its share of the cost; an
order of fewer days than dispenses, once a day. An order without STOP goes on: each of its dispenses is taken for 30
days, as long as the person lives. What the file holds of other persons, such as its last date, says nothing here.

Enrolled is who has a payer that is not NO_INSURANCE, from the day of the start until the day before the end, which is
the next start; where years stand (2.7), both are included. Residence is that of the patient today: files give no other.
"""

from typing import Final

from adapters.claims.layouts.layout import Layout, RawFile
from adapters.claims.regions import state_of_name

DAYS_OF_A_DISPENSE: Final = 30
# One a day for 27 years: a larger number is no number of dispenses, and is said to be unreadable.
MOST_DISPENSES: Final = 9_999

_MEMBERS: Final = f"""
    SELECT Id AS member, BIRTHDATE AS birth_day, GENDER AS sex, {state_of_name("STATE")} AS region,
      DEATHDATE AS death_day, source_file, source_row
    FROM raw_patients"""  # noqa: S608 - a public table

_ENROLMENT: Final = """
    WITH spans AS (
      SELECT PATIENT, PAYER, source_file, source_row, coalesce(START_DATE, START_YEAR) AS starts,
        coalesce(END_DATE, END_YEAR) AS ends
      FROM raw_payer_transitions),
    days AS (
      SELECT *, try_cast(left(starts, 10) AS DATE) AS first_date, try_cast(left(ends, 10) AS DATE) AS end_date
      FROM spans)
    SELECT PATIENT AS member,
      CASE WHEN length(starts) = 4 THEN starts || '-01-01' ELSE starts END AS first_day,
      CASE WHEN length(ends) = 4 THEN ends || '-12-31'
        WHEN end_date > first_date THEN CAST(end_date - 1 AS VARCHAR)
        ELSE ends END AS last_day,
      CASE WHEN name IN ('Medicare', 'Medicaid', 'Dual Eligible') THEN lower(replace(name, ' ', '_'))
        WHEN name IS NOT NULL THEN 'commercial' END AS line_of_business,
      source_file, source_row
    FROM days LEFT JOIN (SELECT Id, min(NAME) AS name FROM raw_payers GROUP BY Id) AS payers ON payers.Id = days.PAYER
    WHERE name IS DISTINCT FROM 'NO_INSURANCE'"""

_FILLS: Final = f"""
    WITH orders AS (
      SELECT *, STOP IS NULL AS going_on, try_cast(left(START, 10) AS DATE) AS start_date,
        try_cast(left(STOP, 10) AS DATE) AS stop_date, try_cast(TOTALCOST AS DECIMAL(15, 2)) AS cost,
        CASE WHEN try_cast(DISPENSES AS BIGINT) BETWEEN 0 AND {MOST_DISPENSES} THEN CAST(DISPENSES AS BIGINT)
          END AS dispensed
      FROM raw_medications),
    lasting AS (
      SELECT *, CASE WHEN start_date IS NULL OR dispensed IS NULL THEN NULL
        WHEN going_on THEN {DAYS_OF_A_DISPENSE} * dispensed ELSE stop_date - start_date END AS days
      FROM orders),
    parted AS (
      SELECT *, CASE WHEN dispensed = 0 THEN 0 WHEN days IS NULL OR days < 1 THEN 1 ELSE least(dispensed, days)
        END AS parts
      FROM lasting),
    dispenses AS (
      SELECT *, unnest(range(parts)) AS nth, days // greatest(parts, 1) AS each_days,
        CAST(cost * 100 AS HUGEINT) AS cents
      FROM parted),
    days_of_dispenses AS (SELECT *, start_date + CAST(nth * each_days AS INTEGER) AS fill_date FROM dispenses),
    deaths AS (SELECT Id, min(try_cast(left(DEATHDATE, 10) AS DATE)) AS death_date FROM raw_patients GROUP BY Id)
    SELECT PATIENT AS member, coalesce(CAST(fill_date AS VARCHAR), START) AS fill_day,
      normal_code('rxnorm', CODE) AS drug,
      CASE WHEN dispensed IS NULL THEN 'DISPENSES ' || DISPENSES ELSE coalesce(CAST(each_days AS VARCHAR), STOP)
        END AS days_supply,
      CASE WHEN cost IS NULL THEN TOTALCOST ELSE CAST(CAST(
        CAST(cents * (nth + 1) // parts - cents * nth // parts AS DECIMAL(20, 0)) * 0.01 AS DECIMAL(20, 2)) AS VARCHAR)
        END AS allowed_cents,
      concat_ws('/', ENCOUNTER, START, STOP, CODE, REASONCODE, TOTALCOST, nth) AS claim, source_file, source_row
    FROM days_of_dispenses LEFT JOIN deaths ON deaths.Id = days_of_dispenses.PATIENT
    WHERE NOT (going_on AND coalesce(fill_date > death_date, false))"""  # noqa: S608 - numbers of this module


def _encounters(columns: str, classes: str) -> str:
    """With the codes of the encounter itself, of its reason, and of the conditions found in it."""
    return f"""
    WITH found AS (
      SELECT PATIENT, ENCOUNTER, list(normal_code(coalesce(SYSTEM, 'snomed'), CODE)) AS codes
      FROM raw_conditions GROUP BY PATIENT, ENCOUNTER)
    SELECT encounters.PATIENT AS member, {columns}, encounters.TOTAL_CLAIM_COST AS allowed_cents,
      encounters.Id AS claim, list_filter(list_concat(
        [normal_code('snomed', encounters.CODE), normal_code('snomed', encounters.REASONCODE)], found.codes),
        lambda code: code IS NOT NULL) AS codes, encounters.source_file, encounters.source_row
    FROM raw_encounters AS encounters
      LEFT JOIN found ON found.PATIENT = encounters.PATIENT AND found.ENCOUNTER = encounters.Id
    WHERE {classes}"""  # noqa: S608 - columns of the layout


_STAYS: Final = _encounters(
    "encounters.START AS admission_day, encounters.STOP AS discharge_day, encounters.ENCOUNTERCLASS AS type",
    "encounters.ENCOUNTERCLASS IN ('inpatient', 'snf')",
)
_VISITS: Final = _encounters(
    "encounters.START AS visit_day, "
    "CASE encounters.ENCOUNTERCLASS WHEN 'emergency' THEN 'ed' ELSE encounters.ENCOUNTERCLASS END AS type",
    "coalesce(encounters.ENCOUNTERCLASS NOT IN ('inpatient', 'snf'), true)",
)

SYNTHEA: Final = Layout(
    name="synthea",
    version=1,
    files=(
        RawFile("patients", columns=("Id", "BIRTHDATE", "DEATHDATE", "GENDER", "STATE")),
        RawFile("payers", columns=("Id", "NAME")),
        RawFile(
            "payer_transitions",
            columns=("PATIENT", "PAYER"),
            optional_columns=("START_DATE", "END_DATE", "START_YEAR", "END_YEAR"),
        ),
        RawFile(
            "medications",
            columns=("PATIENT", "ENCOUNTER", "START", "STOP", "CODE", "DISPENSES", "TOTALCOST", "REASONCODE"),
        ),
        RawFile(
            "encounters",
            columns=("Id", "PATIENT", "START", "STOP", "ENCOUNTERCLASS", "CODE", "REASONCODE", "TOTAL_CLAIM_COST"),
        ),
        RawFile("conditions", columns=("PATIENT", "ENCOUNTER", "CODE"), optional_columns=("SYSTEM",)),
    ),
    selects={
        "members": _MEMBERS,
        "enrolment": _ENROLMENT,
        "fills": _FILLS,
        "stays": _STAYS,
        "visits": _VISITS,
    },
)
