"""The media types of tables, by which a submission says how its cells are written. Known without the libraries."""

from typing import Final

CSV: Final = "text/csv"  # RFC 7111
PARQUET: Final = "application/vnd.apache.parquet"
ARROW_STREAM: Final = "application/vnd.apache.arrow.stream"
TABLE_TYPES: Final = (CSV, PARQUET, ARROW_STREAM)
