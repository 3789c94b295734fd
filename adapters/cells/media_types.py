"""The media types of tables, by which a submission says how its cells are written. Known without the libraries."""

from collections.abc import Mapping
from typing import Final

CSV: Final = "text/csv"  # RFC 7111
PARQUET: Final = "application/vnd.apache.parquet"
ARROW_STREAM: Final = "application/vnd.apache.arrow.stream"
TABLE_TYPES: Final = (CSV, PARQUET, ARROW_STREAM)
CSV_SAID: Final = "; of CSV only charset=utf-8 and header=present may be said"
_CSV_PARAMETERS: Final = frozenset({("charset", "utf-8"), ("header", "present")})


def is_table_type(media_type: str, parameters: Mapping[str, str]) -> bool:
    """Whether it says that the table is as tables are read: a parameter for another way is not passed over."""
    said = {(name.lower(), value.lower()) for name, value in parameters.items()}
    return media_type in TABLE_TYPES and said <= (_CSV_PARAMETERS if media_type == CSV else frozenset())
