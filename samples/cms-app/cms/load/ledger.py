"""What the load has seen: figures, failures, and every write that was acknowledged."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

LATE = 5.0
"""Seconds after which another reader must see a write; before, a 404 is only stale."""


@dataclass(frozen=True, slots=True)
class Write:
    """An acknowledged write: read `path` as `user`, find `value` in `field`."""

    what: str
    user: str
    path: str
    field: str
    value: str


class Ledger:
    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.requests = 0
        self.repeated = 0
        self.stale_reads = 0
        self.by_origin: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.failures: list[dict[str, Any]] = []
        self.checked = 0
        """Answers whose contents were looked at."""
        self.wrong: list[dict[str, Any]] = []
        """Of them, those that nobody should have got."""
        self.writes: list[Write] = []
        self.lost: list[str] = []
        self._latencies: list[float] = []

    def answered(self, origin: str, status: int, milliseconds: float) -> None:
        self.requests += 1
        self.by_origin[origin] += 1
        self.statuses[str(status)] += 1
        self._latencies.append(milliseconds)

    def failed(
        self, method: str, path: str, *, at: float, status: int | None, error: str, decision: str
    ) -> None:
        """`at`: Unix seconds of the request's start."""
        if status is None:
            self.requests += 1
        self.failures.append(
            {
                "method": method,
                "path": path,
                "status": status,
                "error": error,
                "decision": decision,
                "at": at,
                "repeatable": method in ("GET", "HEAD"),
            }
        )

    def judged(self, path: str, problem: str, *, at: float, decision: str) -> None:
        """An answer's contents were looked at; `problem`: empty if they were right."""
        self.checked += 1
        if problem:
            self.wrong.append({"path": path, "problem": problem, "at": at, "decision": decision})

    def report(self) -> dict[str, Any]:
        ordered = sorted(self._latencies)
        return {
            "seed": self._seed,
            "requests": self.requests,
            "by_origin": dict(self.by_origin),
            "failures": self.failures,
            "checked": self.checked,
            "wrong_answers": self.wrong,
            "repeated": self.repeated,
            "stale_reads": self.stale_reads,
            "acknowledged_writes": len(self.writes),
            "lost_writes": self.lost,
            "latency_ms": {"p50": _quantile(ordered, 0.5), "p99": _quantile(ordered, 0.99)},
            "statuses": dict(self.statuses),
        }


def _quantile(ordered: list[float], q: float) -> float:
    return round(ordered[int(q * (len(ordered) - 1))], 1) if ordered else 0.0
