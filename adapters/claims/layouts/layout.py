"""What a layout is: the files it expects, and one SELECT for each table of the canonical model that it can give."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RawFile:
    """One kind of file: `<name>.csv`, `<name>.csv.gz` or `<name>.parquet`, whole or in parts (`<name>-1.csv`, ..., or
    all files of a folder `<name>`), read as the relation `raw_<name>`.

    columns: those that the layout reads; others are never loaded. optional_columns: are NULL where a file has none.
    as_text: every value is text, also from Parquet; otherwise Parquet's own types stand. file_names: in place of the
    names above. delimiter, encoding: of CSV; by default the delimiter that the header shows, and UTF-8.
    """

    name: str
    columns: tuple[str, ...]
    optional: bool = False
    optional_columns: tuple[str, ...] = ()
    as_text: bool = True
    file_names: tuple[str, ...] = ()
    delimiter: str | None = None
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True)
class Layout:
    """selects: by table of the canonical model, a SELECT over raw relations that gives its columns by name, as the file
    has them: what cannot be read stays as it is, so that the reader can say so. Tables that need a file that is
    optional are left out where it is absent.

    A raw relation has its columns as text without blanks around it, NULL where empty, and `source_file` and
    `source_row`, which a SELECT hands on where it can, so that faulty rows can be pointed at. In a SELECT a day is
    the text of a date or time (2008-02-29, 20080229, 2008-02-29T11:59:00Z) or a date of the engine; money is decimal
    text in units of money, also as `allowed_cents`; codes are a list or text with blanks between them, each
    `system|code`. A column that is left out, or NULL as it stands, is not given. `as_of`, beside the columns of
    members, says which of several rows of one member is the later one. date_formats: by `table.column`, those in which
    a layout reads dates where they are not the above.
    """

    name: str
    version: int
    files: tuple[RawFile, ...]
    selects: Mapping[str, str]
    sha256: str | None = None
    equal_rows_dropped: bool = False
    date_formats: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
