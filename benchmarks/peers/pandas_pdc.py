"""The same proportion of days covered in pandas, as an analyst would write it: sort, shift, merge, sum."""

from pathlib import Path

import pandas as pd


def adherent_share(folder: Path, year: int) -> tuple[int, int]:
    """How many members have a PDC of 0.8 at least, and of how many eligible ones. Any drug; see `benchmarks.claims`."""
    last_day = pd.Timestamp(year, 12, 31)
    fills = pd.read_parquet(folder / "fills.parquet", columns=["member", "fill_date", "drug", "days_supply"])
    fills["fill_date"] = pd.to_datetime(fills["fill_date"])
    fills = fills.sort_values(["member", "drug", "fill_date"], ignore_index=True)
    of_drug = fills.groupby(["member", "drug"], sort=False)
    supplied = of_drug["days_supply"].cumsum()
    day = (fills["fill_date"] - pd.Timestamp(year, 1, 1)).dt.days
    free_from = (day - (supplied - fills["days_supply"])).groupby([fills["member"], fills["drug"]], sort=False).cummax()
    fills["end"] = (supplied - 1 + free_from).clip(upper=(last_day - pd.Timestamp(year, 1, 1)).days)
    fills["day"] = day
    fills = fills.sort_values(["member", "day"], ignore_index=True)
    of_member = fills.groupby("member", sort=False)
    covered_to = of_member["end"].cummax().groupby(fills["member"], sort=False).shift(fill_value=-1)
    fills["covered"] = (fills["end"] - covered_to.where(covered_to >= fills["day"] - 1, fills["day"] - 1)).clip(lower=0)
    persons = of_member.agg(index=("day", "min"), dates=("day", "nunique")).join(of_member["covered"].sum())
    persons["treatment_days"] = (last_day - pd.Timestamp(year, 1, 1)).days - persons["index"] + 1
    eligible = persons[(persons["dates"] >= 2) & (persons["treatment_days"] >= 91)]
    return int((5 * eligible["covered"] >= 4 * eligible["treatment_days"]).sum()), len(eligible)
