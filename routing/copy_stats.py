"""Counters of copies, per capability and kind: mirrored reads and second writes.

Pure. Workers count, the parent merges what they report; all numbers only grow.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from routing.stages import Access
from routing.stats import Cell, add_latency, copied_latency

COUNTERS = ("requests", "errors", "dropped", "refused", "incomplete")


class CopyCell:
    """One worker's counters for one key. Mutable."""

    __slots__ = ("dropped", "errors", "incomplete", "refused", "requests", "times")

    def __init__(self) -> None:
        self.requests = 0
        """Copies that were sent, each attempt of a second write counted."""
        self.errors = 0
        """Those that failed."""
        self.times = Cell()
        """Only `record` of it is used: how long the other side took."""
        self.dropped = 0
        """Mirrored reads for which there was no room; writes refused because there was none for the
        second one."""
        self.refused = 0
        """Second writes that the other side refused for good."""
        self.incomplete = 0
        """Second writes that only an operator can repeat."""


class CopyStats:
    """All cells of one process."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, Access], CopyCell] = {}

    def cell(self, capability: str, access: Access) -> CopyCell:
        """The cell, made when it is new; it stays the same object for good."""
        return self._cells.setdefault((capability, access), CopyCell())

    def document(self) -> list[dict[str, Any]]:
        """JSON of every cell that has counted anything."""
        return [
            {
                "capability": capability,
                "access": access,
                **{counter: getattr(cell, counter) for counter in COUNTERS},
                "latency": cell.times.document()["latency"],
            }
            for (capability, access), cell in self._cells.items()
            if any(getattr(cell, counter) for counter in COUNTERS)
        ]


def merge_copies(documents: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The sum of cells of many workers, one per capability and kind, in a stable order."""
    sums: dict[tuple[str, str], dict[str, Any]] = {}
    for cell in documents:
        key = (cell["capability"], cell["access"])
        total = sums.get(key)
        if total is None:
            sums[key] = {**cell, "latency": copied_latency(cell)}
            continue
        for counter in COUNTERS:
            total[counter] += cell[counter]
        add_latency(total, cell)
    return [sums[key] for key in sorted(sums)]
