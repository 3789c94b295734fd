"""Synthetic claims of any size, in the canonical layout as Parquet: members, enrolment, fills; nobody's data.

Everything of a row is a hash of its number, so that a size always gives the same claims, in no order of members, as
claims come. A member has 50 fills a year of 5 drugs, under a text id of 16 characters.
"""

from pathlib import Path
from typing import Final

import duckdb

YEAR: Final = 2009
FILLS_PER_MEMBER: Final = 50
DRUGS_PER_MEMBER: Final = 5

_ID: Final = "printf('%016X', (hash({number}) & 9223372036854775807)::BIGINT)"
_MEMBERS: Final = f"""
    SELECT {_ID.format(number="i")} AS member, DATE '1930-01-01' + (hash(i * 3) % 20000)::INTEGER AS birth_date,
        CASE hash(i * 5) % 2 WHEN 0 THEN 'F' ELSE 'M' END AS sex,
        (['northeast', 'midwest', 'south', 'west'])[(hash(i * 11) % 4)::INTEGER + 1] AS region
    FROM range($members) AS numbers(i)"""  # noqa: S608 - numbers made here
_ENROLMENT: Final = f"""
    SELECT {_ID.format(number="i")} AS member, DATE '{YEAR}-01-01' AS first_date, DATE '{YEAR}-12-31' AS last_date
    FROM range($members) AS numbers(i)"""  # noqa: S608 - numbers made here
# Refills of a drug come about every 33 days, some early and some late, of 30 days of supply mostly.
_FILLS: Final = f"""
    SELECT {_ID.format(number="member")} AS member,
        DATE '{YEAR}-01-01' + (hash(member * 31 + drug) % 50 + refill * 33 + hash(i * 7 + 1) % 15)::INTEGER
            AS fill_date,
        printf('%011d', (drug * 1237 + (hash(member) % 200) * 31)::BIGINT) AS drug,
        ([30, 30, 30, 14])[(hash(i * 17 + 3) % 4)::INTEGER + 1] AS days_supply,
        (hash(i * 19) % 20000)::DECIMAL(9, 0) * 0.01 AS allowed, CAST(i AS VARCHAR) AS claim
    FROM (
        SELECT i, i % $members AS member, (i // $members) % {DRUGS_PER_MEMBER} AS drug,
            i // $members // {DRUGS_PER_MEMBER} AS refill
        FROM range($fills) AS numbers(i)
    )"""  # noqa: S608 - numbers made here


def write_claims(folder: Path, fills: int) -> None:
    """members.parquet, enrolment.parquet and fills.parquet."""
    members = max(1, fills // FILLS_PER_MEMBER)
    with duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = false")
        for name, select in (("members", _MEMBERS), ("enrolment", _ENROLMENT), ("fills", _FILLS)):
            sized = select.replace("$members", str(members)).replace("$fills", str(fills))
            file = str(folder / f"{name}.parquet").replace("'", "''")
            connection.execute(f"COPY ({sized}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)")
