"""Ask smartnoise-sql for one table, warm, and say how long each query took.

Runs in an interpreter of its own, which has smartnoise-sql and pandas and needs nothing of Parley:

    python smartnoise_sql.py MEMBERS.csv QUERIES

MEMBERS.csv: a row a person with region and adherent (0 or 1). Prints the seconds of each query as a JSON list.
"""

import json
import sys
import time

import pandas
import snsql
from snsql import Privacy

TABLE = "benchmark.members"
QUERY = f"SELECT region, SUM(adherent) AS adherent, COUNT(*) AS members FROM {TABLE} GROUP BY region"  # noqa: S608
METADATA = {
    "": {
        "benchmark": {
            "members": {
                "row_privacy": True,
                "rows": 100_000,
                "region": {"type": "string"},
                "adherent": {"type": "int", "lower": 0, "upper": 1},
            }
        }
    }
}


def main(path: str, queries: int) -> None:
    """The first two queries warm it up and are not counted."""
    reader = snsql.from_df(
        pandas.read_csv(path), privacy=Privacy(epsilon=1.0, delta=1e-6), metadata={"engine": "pandas", **METADATA}
    )
    seconds = []
    for _ in range(queries + 2):
        begun = time.perf_counter()
        rows = reader.execute(QUERY)
        seconds.append(time.perf_counter() - begun)
        if len(rows) < 2:
            raise SystemExit("No rows came back.")
    print(json.dumps(seconds[2:]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
