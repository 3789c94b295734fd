"""CMS's synthetic public use files of 2008 to 2010 (DE-SynPUF; CMS, Data Entrepreneurs' Synthetic PUF: codebook).

A person is enrolled throughout each year for which the beneficiary file has a row: it says how many months a person had
each part of Medicare, and not which. The state of residence is that of the year. Without a column BENE_YEAR, as CMS
itself has it, the year is in the name of the file (`bene-2008.csv`).

Allowed amounts: of a fill the total drug cost; of a stay or visit what Medicare paid, the only amount that the files
give for all (CLM_PMT_AMT; it may be negative where others paid). A claim of several rows (SEGMENT) is one claim, with
the codes of them all. Columns for procedures often hold diagnoses: what cannot be an ICD-9 procedure, two to four
digits, is taken for a diagnosis. The outpatient file has no revenue codes, so a visit is one to an emergency
department if it has a procedure code of one (CPT 99281 to 99285, HCPCS G0380 to G0384): fewer than revenue codes find.
"""

from typing import Final

from adapters.claims.layouts.layout import Layout, RawFile
from adapters.claims.quoting import literals
from adapters.claims.regions import state_of_ssa

DIAGNOSES: Final = ("ADMTNG_ICD9_DGNS_CD", *(f"ICD9_DGNS_CD_{number}" for number in range(1, 11)))
PROCEDURES: Final = tuple(f"ICD9_PRCDR_CD_{number}" for number in range(1, 7))
HCPCS: Final = tuple(f"HCPCS_CD_{number}" for number in range(1, 46))
EMERGENCY: Final = (*range(99281, 99286), *(f"G{number:04d}" for number in range(380, 385)))
_CODE_COLUMNS: Final = ("CLM_DRG_CD", *DIAGNOSES, *PROCEDURES, *HCPCS)

_MEMBERS: Final = """
    SELECT DESYNPUF_ID AS member, min(BENE_BIRTH_DT) AS birth_day, min(BENE_DEATH_DT) AS death_day,
      CASE min(BENE_SEX_IDENT_CD) WHEN '1' THEN 'M' WHEN '2' THEN 'F' ELSE min(BENE_SEX_IDENT_CD) END AS sex,
      min(source_file) AS source_file, min(source_row) AS source_row
    FROM raw_bene GROUP BY DESYNPUF_ID"""

_ENROLMENT: Final = f"""
    WITH years AS (
      SELECT *, coalesce(BENE_YEAR, regexp_extract(source_file, '(20[0-9][0-9])[^/]*$', 1)) AS year FROM raw_bene)
    SELECT DESYNPUF_ID AS member, year || '-01-01' AS first_day, year || '-12-31' AS last_day,
      {state_of_ssa("SP_STATE_CODE")} AS region, 'medicare' AS line_of_business, source_file, source_row
    FROM years"""  # noqa: S608 - a public table

_FILLS: Final = """
    SELECT DESYNPUF_ID AS member, SRVC_DT AS fill_day, normal_code('ndc', PROD_SRVC_ID) AS drug,
      DAYS_SUPLY_NUM AS days_supply, QTY_DSPNSD_NUM AS quantity, TOT_RX_CST_AMT AS allowed_cents, PDE_ID AS claim,
      source_file, source_row
    FROM raw_pde"""


def _normal(columns: tuple[str, ...], system: str) -> str:
    return f"list_transform([{', '.join(columns)}], lambda code: normal_code({system}, code))"


def _codes() -> str:
    """A list of all the codes of a row."""
    procedure = "CASE WHEN regexp_full_match(code, '[0-9]{2,4}') THEN 'icd9pcs' ELSE 'icd9cm' END"
    lists = [
        _normal(("CLM_DRG_CD",), "'drg'"),
        _normal(DIAGNOSES, "'icd9cm'"),
        _normal(PROCEDURES, procedure),
        _normal(HCPCS, "'hcpcs'"),
    ]
    return f"list_filter(flatten([{', '.join(lists)}]), lambda code: code IS NOT NULL)"


def _claims(raw: str, columns: str) -> str:
    """One row a claim: its first segment, with the codes of all. Rows without an id are each their own claim."""
    return f"""
    SELECT DESYNPUF_ID AS member, {columns}, codes, CLM_PMT_AMT AS allowed_cents, CLM_ID AS claim,
      source_file, source_row
    FROM (SELECT * EXCLUDE (codes), flatten(list(codes) OVER claims) AS codes, min(SEGMENT) OVER claims AS first_segment
      FROM (SELECT *, {_codes()} AS codes FROM {raw})
      WINDOW claims AS (PARTITION BY DESYNPUF_ID, CLM_ID,
        CASE WHEN CLM_ID IS NULL THEN source_file || '/' || source_row END))
    WHERE SEGMENT IS NOT DISTINCT FROM first_segment"""  # noqa: S608 - columns of the layout


_STAYS: Final = _claims(
    "raw_inpatient", "CLM_ADMSN_DT AS admission_day, NCH_BENE_DSCHRG_DT AS discharge_day, 'inpatient' AS type"
)
_EMERGENCY_CODES: Final = literals(f"hcpcs|{code}" for code in EMERGENCY)
_VISITS: Final = _claims(
    "raw_outpatient",
    "CLM_FROM_DT AS visit_day, "
    f"CASE WHEN list_has_any(codes, {_EMERGENCY_CODES}) THEN 'ed' ELSE 'outpatient' END AS type",
)

DESYNPUF: Final = Layout(
    name="desynpuf",
    version=1,
    files=(
        RawFile(
            "bene",
            columns=("DESYNPUF_ID", "BENE_BIRTH_DT", "BENE_DEATH_DT", "BENE_SEX_IDENT_CD", "SP_STATE_CODE"),
            optional_columns=("BENE_YEAR",),
        ),
        RawFile(
            "pde",
            columns=("DESYNPUF_ID", "PDE_ID", "SRVC_DT", "PROD_SRVC_ID", "DAYS_SUPLY_NUM"),
            optional_columns=("QTY_DSPNSD_NUM", "TOT_RX_CST_AMT"),
        ),
        RawFile(
            "inpatient",
            columns=("DESYNPUF_ID", "CLM_ID", "CLM_ADMSN_DT", "NCH_BENE_DSCHRG_DT", "CLM_PMT_AMT"),
            optional_columns=("SEGMENT", *_CODE_COLUMNS),
            optional=True,
        ),
        RawFile(
            "outpatient",
            columns=("DESYNPUF_ID", "CLM_ID", "CLM_FROM_DT", "CLM_PMT_AMT"),
            optional_columns=("SEGMENT", *_CODE_COLUMNS),
            optional=True,
        ),
    ),
    selects={
        "members": _MEMBERS,
        "enrolment": _ENROLMENT,
        "fills": _FILLS,
        "stays": _STAYS,
        "visits": _VISITS,
    },
)
