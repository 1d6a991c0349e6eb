"""Counters per capability, stage and origin, with a log-spaced latency histogram.

Pure: time comes in. Workers count, the parent merges what they report; all numbers only grow.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any

STEPS_PER_DOUBLING = 8
BOUNDS_MS: tuple[float, ...] = tuple(
    round(0.25 * 2 ** (step / STEPS_PER_DOUBLING), 4) for step in range(18 * STEPS_PER_DOUBLING + 1)
)
"""0.25 ms to 65.5 s, each bound 9 % above the one before. Count i is of latencies up to bound i and
above the one before; one more count is of everything above the last bound."""

CellKey = tuple[str | None, str | None, str]
"""Capability and stage (both None for what no route matches), and the origin that was asked."""


class Cell:
    """One worker's counters for one key. Mutable: counting is on the path of every request."""

    __slots__ = ("counts", "errors", "fallbacks", "last_decided_at", "requests", "sum_us")

    def __init__(self) -> None:
        self.requests = 0
        self.errors = 0
        self.fallbacks = 0
        self.last_decided_at: float | None = None
        self.counts = [0] * (len(BOUNDS_MS) + 1)
        self.sum_us = 0

    def record(self, latency_ms: float) -> None:
        """Count one answer or failure of the origin that was asked."""
        self.counts[bisect_left(BOUNDS_MS, latency_ms)] += 1
        self.sum_us += int(latency_ms * 1000)

    def document(self) -> dict[str, Any]:
        """JSON of the counters."""
        return {
            "requests": self.requests,
            "errors": self.errors,
            "fallbacks": self.fallbacks,
            "latency": {
                "bounds_ms": BOUNDS_MS,
                "counts": list(self.counts),
                "sum_us": self.sum_us,
            },
            "last_decided_at": self.last_decided_at,
        }


class Stats:
    """All cells of one process."""

    def __init__(self) -> None:
        self._cells: dict[CellKey, Cell] = {}

    def cell(self, key: CellKey) -> Cell:
        """The cell of `key`, made when it is new; it stays the same object for good."""
        return self._cells.setdefault(key, Cell())

    def document(self) -> list[dict[str, Any]]:
        """JSON of every cell that has seen a request."""
        return [
            {"capability": capability, "stage": stage, "origin": origin, **cell.document()}
            for (capability, stage, origin), cell in self._cells.items()
            if cell.requests
        ]


def merge(documents: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The sum of cells of many workers, one per key, in a stable order."""
    sums: dict[CellKey, dict[str, Any]] = {}
    for cell in documents:
        key = (cell["capability"], cell["stage"], cell["origin"])
        total = sums.get(key)
        if total is None:
            sums[key] = {**cell, "latency": copied_latency(cell)}
            continue
        for counter in ("requests", "errors", "fallbacks"):
            total[counter] += cell[counter]
        add_latency(total, cell)
        times = [at for at in (total["last_decided_at"], cell["last_decided_at"]) if at is not None]
        total["last_decided_at"] = max(times, default=None)
    return [sums[key] for key in sorted(sums, key=lambda key: tuple(part or "" for part in key))]


def copied_latency(cell: Mapping[str, Any]) -> dict[str, Any]:
    """The `latency` of a cell's JSON, which `add_latency` may change."""
    return {**cell["latency"], "counts": list(cell["latency"]["counts"])}


def add_latency(total: Mapping[str, Any], cell: Mapping[str, Any]) -> None:
    """Add the latencies of `cell` to those of `total`, both JSON."""
    latency = total["latency"]
    for index, count in enumerate(cell["latency"]["counts"]):
        latency["counts"][index] += count
    latency["sum_us"] += cell["latency"]["sum_us"]


def empty(capability: str | None, stage: str | None, origin: str) -> dict[str, Any]:
    """JSON of a cell that has seen nothing."""
    return {"capability": capability, "stage": stage, "origin": origin, **Cell().document()}
