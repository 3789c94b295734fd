"""How claims name a state of residence, as postal codes: names, and the codes of the Social Security Administration
that CMS files carry (ResDAC: SSA state codes). Public tables; what they do not know stays as it was written."""

from typing import Final

from adapters.claims.quoting import literal

# In the order of their names, which is the order of the SSA's codes: 01 is Alabama, and 40 and 48 are territories.
_NAMES_BY_POSTAL_CODE: Final = {
    "AL": "Alabama",
    "AK": "Alaska",
    "AZ": "Arizona",
    "AR": "Arkansas",
    "CA": "California",
    "CO": "Colorado",
    "CT": "Connecticut",
    "DE": "Delaware",
    "DC": "District of Columbia",
    "FL": "Florida",
    "GA": "Georgia",
    "HI": "Hawaii",
    "ID": "Idaho",
    "IL": "Illinois",
    "IN": "Indiana",
    "IA": "Iowa",
    "KS": "Kansas",
    "KY": "Kentucky",
    "LA": "Louisiana",
    "ME": "Maine",
    "MD": "Maryland",
    "MA": "Massachusetts",
    "MI": "Michigan",
    "MN": "Minnesota",
    "MS": "Mississippi",
    "MO": "Missouri",
    "MT": "Montana",
    "NE": "Nebraska",
    "NV": "Nevada",
    "NH": "New Hampshire",
    "NJ": "New Jersey",
    "NM": "New Mexico",
    "NY": "New York",
    "NC": "North Carolina",
    "ND": "North Dakota",
    "OH": "Ohio",
    "OK": "Oklahoma",
    "OR": "Oregon",
    "PA": "Pennsylvania",
    "PR": "Puerto Rico",
    "RI": "Rhode Island",
    "SC": "South Carolina",
    "SD": "South Dakota",
    "TN": "Tennessee",
    "TX": "Texas",
    "UT": "Utah",
    "VT": "Vermont",
    "VI": "Virgin Islands",
    "VA": "Virginia",
    "WA": "Washington",
    "WV": "West Virginia",
    "WI": "Wisconsin",
    "WY": "Wyoming",
}
STATE_BY_SSA: Final = {f"{number:02d}": state for number, state in enumerate(_NAMES_BY_POSTAL_CODE, start=1)}
STATE_BY_NAME: Final = {name: state for state, name in _NAMES_BY_POSTAL_CODE.items()}


def state_of_ssa(column: str) -> str:
    """SQL: the postal code; one digit stands for itself with a zero before it."""
    two_digits = f"CASE WHEN length({column}) = 1 THEN '0' || {column} ELSE {column} END"
    return _looked_up(STATE_BY_SSA, two_digits, column)


def state_of_name(column: str) -> str:
    """SQL: the postal code."""
    return _looked_up(STATE_BY_NAME, column, column)


def _looked_up(table: dict[str, str], key: str, otherwise: str) -> str:
    entries = ", ".join(f"{literal(name)}: {literal(state)}" for name, state in table.items())
    return f"coalesce(map_extract_value(MAP {{{entries}}}, {key}), {otherwise})"
