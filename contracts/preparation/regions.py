"""The four census regions of the United States, by a state's postal code (US Census Bureau, Census Regions and
Divisions of the United States). Territories are in none."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_STATES: Final = {
    "northeast": "CT ME MA NH RI VT NJ NY PA",
    "midwest": "IL IN MI OH WI IA KS MN MO NE ND SD",
    "south": "DE DC FL GA MD NC SC VA WV AL KY MS TN AR LA OK TX",
    "west": "AZ CO ID MT NV NM UT WY AK CA HI OR WA",
}
CENSUS_REGIONS: Final = tuple(_STATES)
CENSUS_REGION: Final[Mapping[str, str]] = MappingProxyType(
    {state: region for region, states in _STATES.items() for state in states.split()}
)
