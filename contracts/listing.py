"""The list of a caller's contracts, part by part."""

from dataclasses import dataclass
from datetime import datetime

from contracts.decisions import visible_versions
from contracts.lifecycle import Status, statuses_of
from contracts.parties import Caller
from contracts.ports import Clock, Database
from contracts.records import ContractRecord, History


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line stands in every list: its contract by when the first version was drafted, then by version. It never
    changes, whatever is drafted or discarded beside it."""

    first_drafted_at: datetime
    contract_id: str
    version: int


@dataclass(frozen=True, slots=True)
class ContractLine:
    """A contract version in the list of a caller's contracts."""

    record: ContractRecord
    status: Status
    place: Place


@dataclass(frozen=True, slots=True)
class Listing:
    """Lists contracts."""

    database: Database
    clock: Clock

    def contracts(self, caller: Caller, after: Place | None, limit: int) -> list[ContractLine]:
        """The next versions of the contracts the caller may know of, the oldest contract first: `limit` of them, and
        one more if there is one."""
        lines: list[ContractLine] = []
        first = None if after is None else (after.first_drafted_at, after.contract_id)
        with self.database.reading() as stores:
            while len(lines) <= limit:
                # One more than are wanted, so that there is always one that was not read before.
                histories = stores.contracts.list_histories(caller.organisation, first=first, limit=limit + 1)
                new = [line for history in histories for line in self._lines(history, caller)]
                lines += [line for line in new if after is None or _order(line.place) > _order(after)]
                if len(histories) <= limit:
                    break
                after = lines[-1].place if lines else after
                first = (histories[-1].versions[0].drafted_at, histories[-1].versions[0].id)
        return lines[: limit + 1]

    def _lines(self, history: History, caller: Caller) -> list[ContractLine]:
        first = history.versions[0]
        if not caller.may_touch(first.id):
            return []
        statuses = statuses_of(history, self.clock.now())
        return [
            ContractLine(record, statuses[record.version], Place(first.drafted_at, record.id, record.version))
            for record in visible_versions(history, caller.organisation)
        ]


def _order(place: Place) -> tuple[datetime, str, int]:
    return place.first_drafted_at, place.contract_id, place.version
