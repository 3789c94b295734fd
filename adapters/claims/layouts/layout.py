"""What a layout is: the files it expects, and one SELECT for each table of the canonical model that it can give."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RawFile:
    """One kind of file: `<name>.csv`, `<name>.csv.gz` or `<name>.parquet`, whole or in parts (`<name>-1.csv`, ...),
    read as the relation `raw_<name>`. columns: those that the layout reads; others are never loaded."""

    name: str
    columns: tuple[str, ...]
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """selects: by table of the canonical model, a SELECT over raw relations that gives its columns by name, as the file
    has them: what cannot be read stays as it is, so that the reader can say so. tables: those that need a file that is
    optional are left out where it is absent.
    """

    name: str
    version: int
    files: tuple[RawFile, ...]
    selects: Mapping[str, str]
