"""A submission whose cells are a table, CSV, Parquet or an Arrow stream: its envelope is in the query, and the table is
the whole body, which is not even read before the contract has allowed the submission."""

import re
from typing import Any, Final

from flask import Request

from adapters.cells.arrow_cells import from_arrow
from adapters.cells.csv_cells import from_csv
from adapters.cells.media_types import ARROW_STREAM, CSV, TABLE_TYPES
from adapters.cells.parquet_cells import from_parquet
from api.problems import ApiProblem, fault_members
from contracts.cells import Columns
from contracts.refusals import Fault, first_faults
from contracts.terms import FeedTerms

_NUMBERS: Final = frozenset({"restatement", "contract_version"})
_NUMBER: Final = re.compile(r"[0-9]{1,7}", re.ASCII)


def is_table(request: Request) -> bool:
    return request.mimetype in TABLE_TYPES


def read_envelope(request: Request) -> dict[str, Any]:
    """The members of the query, as JSON would have them. Raises ApiProblem for one that is given twice."""
    given = dict(request.args.lists())
    _refuse_query([name for name, values in given.items() if len(values) > 1], "give it once")
    texts = {name: value for name, (value,) in given.items()}
    return {n: int(v) if n in _NUMBERS and _NUMBER.fullmatch(v) else v for n, v in texts.items()}


def require_no_query(request: Request) -> None:
    """JSON says all of it in the body; what else is asked would be passed over in silence. Raises ApiProblem."""
    _refuse_query(list(request.args), "say it in the body")


def _refuse_query(names: list[str], message: str) -> None:
    faults = first_faults(Fault("/" + n.replace("~", "~0").replace("/", "~1"), "field_invalid", message) for n in names)
    if faults:
        raise ApiProblem("input-invalid", 422, "The input has faults.", **fault_members(faults))


def read_table(request: Request, expanded_bytes_max: int, feed: FeedTerms) -> Columns:
    """Raises ApiProblem for a body that cannot be read whole, CellsInvalid for a table that is none or does not fit."""
    body = request.get_data(cache=False)
    if request.mimetype == CSV:
        return from_csv(body, feed)
    read = from_arrow if request.mimetype == ARROW_STREAM else from_parquet
    return read(body, feed, expanded_bytes_max)
