"""Claims by the codes that they carry: those off limits, which are gone before anything is computed, and those that
exclude a person from a measure.

Lists are looked up once by the different codes that there are, never row by row.
"""

from collections.abc import Mapping, Sequence

from adapters.claims.code_lists import systems_not_used
from adapters.claims.codes import list_keys
from adapters.preparation.engine import Engine
from contracts.preparation.definitions import CodeList


def create_marked_codes(engine: Engine, name: str, lists: Mapping[str, CodeList], relations: Mapping[str, str]) -> int:
    """`name`(list, code): codes of these relations that are on a list, and how many. relations: by relation, an
    expression of each of its codes."""
    engine.create_values(f"{name}_keys", ("list VARCHAR", "key VARCHAR"), ())
    for label, codes in lists.items():
        engine.connection.execute(
            f"INSERT INTO {name}_keys SELECT $list, unnest($keys::VARCHAR[])",
            {"list": label, "keys": sorted(list_keys(codes.codes))},
        )
    selects = [f"SELECT DISTINCT {code} AS code FROM {relation}" for relation, code in relations.items()]  # noqa: S608
    there = " UNION ".join(selects) if lists and selects else "SELECT NULL::VARCHAR AS code"
    engine.create_table(f"{name}_there", f"FROM ({there}) WHERE code IS NOT NULL")
    engine.create_table(
        name,
        f"""SELECT DISTINCT list, code FROM (SELECT code, unnest(code_keys(code)) AS key FROM {name}_there)
        JOIN {name}_keys USING (key)""",  # noqa: S608
    )
    ((count,),) = engine.rows(f"SELECT count(*) FROM {name}")  # noqa: S608
    return int(count)


def find_unused(engine: Engine, name: str, lists: Mapping[str, CodeList]) -> dict[str, Mapping[str, int]]:
    """By list, how many of its codes are of a system that these claims do not use; after create_marked_codes."""
    systems = {system for (system,) in engine.rows(f"SELECT DISTINCT split_part(code, '|', 1) FROM {name}_there")}  # noqa: S608
    unused = {label: systems_not_used(codes, systems) for label, codes in lists.items()}
    return {label: counts for label, counts in unused.items() if counts}


def off_limits_condition(columns: Sequence[str]) -> str:
    """Whether a row carries a code of the table off_limits_codes."""
    conditions = []
    if "drug" in columns:
        conditions.append("coalesce(drug IN (SELECT code FROM off_limits_codes), false)")
    if "codes" in columns:
        conditions.append("coalesce(list_has_any(codes, (SELECT list(DISTINCT code) FROM off_limits_codes)), false)")
    return " OR ".join(conditions) or "false"


EXCLUDING_CLAIMS: str = """
    SELECT DISTINCT member, list, day FROM (
      SELECT member, drug AS code, fill_day AS day FROM fills
      UNION ALL SELECT member, unnest(codes), admission_day FROM stays
      UNION ALL SELECT member, unnest(codes), visit_day FROM visits
    ) JOIN excluding_codes USING (code)"""
CODES_OF_CLAIMS: Mapping[str, str] = {"fills": "drug", "stays": "unnest(codes)", "visits": "unnest(codes)"}
