"""What came of reading a folder of claims."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.claims.faults import FaultCount


@dataclass(frozen=True, slots=True)
class ClaimsReport:
    """given: the tables of the canonical model that the layout gives, and their columns as `table.column`, so that a
    rule can tell "not given" from "unknown". rows_read, rows_kept: by table. alarms: what is hardly meant, as whole
    sentences. systems_not_used: by code list, how many of its codes are of a system that the claims do not use."""

    layout: str
    layout_version: int
    layout_sha256: str | None
    files: tuple[str, ...]
    given: frozenset[str]
    rows_read: Mapping[str, int]
    rows_kept: Mapping[str, int]
    counts: tuple[FaultCount, ...]
    alarms: tuple[str, ...] = ()
    systems_not_used: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def faults(self) -> tuple[FaultCount, ...]:
        """What `strict` would not let pass."""
        return tuple(count for count in self.counts if count.is_fault)

    def document(self) -> dict[str, object]:
        """For a manifest or JSON on the provider's own premises."""
        return {
            "layout": self.layout,
            "layout_version": self.layout_version,
            "layout_sha256": self.layout_sha256,
            "files": list(self.files),
            "given": sorted(self.given),
            "rows_read": dict(self.rows_read),
            "rows_kept": dict(self.rows_kept),
            "systems_not_used": {label: dict(counts) for label, counts in self.systems_not_used.items()},
            "counts": [
                {
                    "table": count.table,
                    "column": count.column,
                    "reason": str(count.reason),
                    "effect": str(count.effect),
                    "rows": count.rows,
                    "examples": [{"file": each.file, "row": each.row} for each in count.examples],
                }
                for count in self.counts
            ],
        }
