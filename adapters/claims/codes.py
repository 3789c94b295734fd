"""The normal form of a code, `system|code`, in which claims and code lists are compared.

A code is written without dots and spaces, in capitals; an NDC in its three parts has the 11 digits of the billing form
(5-4-2: the National Library of Medicine and CMS pad the short part of 4-4-2, 5-3-2 and 5-4-1 with a zero). Only ICD has
dots, and only an NDC has two hyphens, so this form does not depend on the system. An NDC of 10 digits without hyphens
stays as it is, since nothing says which part is short.

The form stands twice, for lists in Python and for claims in SQL; a test holds the two equal.
"""

import re
from collections.abc import Iterable
from typing import Final

import duckdb

ANY_SYSTEM: Final = ""

_OID: Final = "2.16.840.1.113883.6"
# As `_key` writes them: small letters, no scheme, no hyphens, underscores or spaces.
_SYSTEMS: Final = {
    "icd9cm": ("icd9", "hl7.org/fhir/sid/icd9cm", "hl7.org/fhir/sid/icd9cm/diagnosis", f"{_OID}.103", f"{_OID}.2"),
    "icd10cm": ("icd10", "hl7.org/fhir/sid/icd10cm", "hl7.org/fhir/sid/icd10", f"{_OID}.90"),
    "icd9pcs": ("icd9proc", "cms.gov/medicare/coding/icd9", "hl7.org/fhir/sid/icd9cm/procedure", f"{_OID}.104"),
    "icd10pcs": ("icd10proc", "cms.gov/medicare/coding/icd10", "hl7.org/fhir/sid/icd10pcs", f"{_OID}.4"),
    "hcpcs": (
        "cpt",
        "cpt4",
        "cms.gov/medicare/coding/hcpcsreleasecodesets",
        "amaassn.org/go/cpt",
        f"{_OID}.285",
        f"{_OID}.14",
        f"{_OID}.12",
    ),
    "ndc": ("ndc11", "hl7.org/fhir/sid/ndc", f"{_OID}.69"),
    "rxnorm": ("rxcui", "nlm.nih.gov/research/umls/rxnorm", f"{_OID}.88"),
    "snomed": ("snomedct", "snomedctus", "snomed.info/sct", f"{_OID}.96"),
    "loinc": ("loinc.org", f"{_OID}.1"),
    "drg": (
        "msdrg",
        "cms.gov/medicare/medicarefeeforservicepayment/acuteinpatientpps/msdrgclassificationsandsoftware",
    ),
}
_SYSTEM_BY_KEY: Final = {key: system for system, names in _SYSTEMS.items() for key in (system, *names)}
SYSTEMS: Final = tuple(_SYSTEMS)

_PREFIX: Final = r"^(urn:oid:|https?://(www\.)?)"
_NDC_PARTS: Final = r"^([0-9]{4,5})-([0-9]{3,4})-([0-9]{1,2})$"
_NO_PART_OF_A_CODE: Final = ". \t\r\n\u00a0"
_NO_PART_OF_A_NAME: Final = "-_ \t\r\n\u00a0"


def code_system(name: str) -> str:
    """The short name of a system that is given as a name, address or OID; '' for one that is not known here."""
    return _SYSTEM_BY_KEY.get(_key(name), ANY_SYSTEM)


def normal_code(system: str, code: str) -> str | None:
    """None where there is no code."""
    bare = code.translate({ord(sign): None for sign in _NO_PART_OF_A_CODE}).upper()
    if parts := re.match(_NDC_PARTS, bare):
        bare = parts[1].zfill(5) + parts[2].zfill(4) + parts[3].zfill(2)
    return f"{code_system(system)}|{bare}" if bare else None


def list_keys(codes: Iterable[str]) -> frozenset[str]:
    """What the codes of a list are looked up by: see `code_keys` below."""
    bare = {code.partition("|")[2] for code in codes}
    return frozenset(codes) | {f"?|{code}" for code in bare}


def create_code_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """The same in SQL: `code_system(name)`, `normal_code(system, code)`, `standard_code(code)` of a text
    `system|code`, and `code_keys(code)`: a code of the claims is
    on a list if one of its keys is among the list's keys. Systems are compared only where both are known."""
    for macro in _MACROS:
        connection.execute(f"CREATE OR REPLACE TEMPORARY MACRO {macro}")


def _key(name: str) -> str:
    plain = name.translate({ord(sign): None for sign in _NO_PART_OF_A_NAME}).lower()
    return re.sub(_PREFIX, "", plain).rstrip("/")


def _text(value: str) -> str:
    """As a literal of SQL."""
    quoted = value.replace("'", "''").replace("\t", "\\t").replace("\r", "\\r").replace("\n", "\\n")
    return f"E'{quoted}'" if "\\" in quoted else f"'{quoted}'"


_ENTRIES: Final = ", ".join(f"'{key}': '{system}'" for key, system in _SYSTEM_BY_KEY.items())
_SYSTEM_KEY: Final = (
    f"rtrim(regexp_replace(lower(translate(name, {_text(_NO_PART_OF_A_NAME)}, '')), '{_PREFIX}', ''), '/')"
)
_MACROS: Final = (
    f"code_system(name) AS coalesce(map_extract_value(MAP {{{_ENTRIES}}}, {_SYSTEM_KEY}), '')",
    f"bare_code(code) AS nullif(upper(translate(code, {_text(_NO_PART_OF_A_CODE)}, '')), '')",
    f"""billed_code(bare) AS CASE WHEN regexp_matches(bare, '{_NDC_PARTS}')
        THEN lpad(split_part(bare, '-', 1), 5, '0') || lpad(split_part(bare, '-', 2), 4, '0')
          || lpad(split_part(bare, '-', 3), 2, '0')
        ELSE bare END""",
    # Most codes are in this form already, which is quicker to see than to bring about.
    """normal_code(system, code) AS code_system(system) || '|'
        || CASE WHEN regexp_full_match(code, '[A-Z0-9]+') THEN code ELSE billed_code(bare_code(code)) END""",
    # Of a text that names its system: what stands before the last |.
    """standard_code(code) AS CASE WHEN contains(code, '|')
        THEN normal_code(left(code, -1 - length(split_part(code, '|', -1))), split_part(code, '|', -1))
        ELSE normal_code('', code) END""",
    """code_keys(code) AS CASE WHEN starts_with(code, '|') THEN ['?' || code]
        ELSE [code, '|' || split_part(code, '|', 2)] END""",
)
