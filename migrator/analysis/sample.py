"""What one origin did: counts and a latency histogram that can be added and subtracted.

Owns the arithmetic on counters. Called by the windows, the verdict and the rollout's log. Never
knows where the numbers came from.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """`counts[i]` values at most `bounds_ms[i]`; one more count holds what is above the last."""

    bounds_ms: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        return sum(self.counts)

    def __add__(self, other: "Histogram") -> "Histogram":
        if not self.counts or not other.counts:
            return self if self.counts else other
        if self.bounds_ms != other.bounds_ms:
            # A newer proxy with other buckets: figures that cannot be added are dropped, not bent.
            return other
        return Histogram(
            bounds_ms=self.bounds_ms,
            counts=tuple(a + b for a, b in zip_longest(self.counts, other.counts, fillvalue=0)),
        )

    def minus(self, earlier: "Histogram") -> "Histogram":
        """What was counted after `earlier`, a former state of the same cumulative histogram."""
        if self.bounds_ms != earlier.bounds_ms:
            return self
        pairs = zip_longest(self.counts, earlier.counts, fillvalue=0)
        return Histogram(
            bounds_ms=self.bounds_ms, counts=tuple(max(0, now - then) for now, then in pairs)
        )

    def quantile(self, q: float) -> float | None:
        """Milliseconds at quantile `q`, linear inside its bucket; None of nothing.

        Above the last bound the last bound is returned: the truth is at least that.
        """
        total = self.total
        if not total:
            return None
        wanted, below, low = q * total, 0, 0.0
        for bound, count in zip(self.bounds_ms, self.counts, strict=False):
            if count and below + count >= wanted:
                return low + (bound - low) * (wanted - below) / count
            below, low = below + count, bound
        return low

    def above(self, limit_ms: float) -> int:
        """How many values are certainly above `limit_ms`: its own bucket is not counted."""
        lower_edges = (0.0, *self.bounds_ms)
        return sum(
            count for edge, count in zip(lower_edges, self.counts, strict=False) if edge >= limit_ms
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Requests that one origin was asked. `errors`: it failed; `fallbacks`: of those, rescued."""

    requests: int = 0
    errors: int = 0
    fallbacks: int = 0
    latency: Histogram = Histogram()

    def __add__(self, other: "Sample") -> "Sample":
        return Sample(
            requests=self.requests + other.requests,
            errors=self.errors + other.errors,
            fallbacks=self.fallbacks + other.fallbacks,
            latency=self.latency + other.latency,
        )

    def minus(self, earlier: "Sample") -> "Sample":
        """What happened after `earlier`; all of it if a counter fell, as after a restart."""
        if (
            self.requests < earlier.requests
            or self.errors < earlier.errors
            or self.latency.total < earlier.latency.total
        ):
            return self
        return Sample(
            requests=self.requests - earlier.requests,
            errors=self.errors - earlier.errors,
            fallbacks=max(0, self.fallbacks - earlier.fallbacks),
            latency=self.latency.minus(earlier.latency),
        )

    @property
    def error_rate(self) -> float:
        """0..1; 0 of nothing."""
        return self.errors / self.requests if self.requests else 0.0

    @property
    def p99_ms(self) -> float | None:
        return self.latency.quantile(0.99)

    @property
    def failing(self) -> bool:
        """At least half of what was asked failed."""
        return self.requests > 0 and self.errors * 2 >= self.requests

    def to_json(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "errors": self.errors,
            "fallbacks": self.fallbacks,
            "latency": {
                "bounds_ms": list(self.latency.bounds_ms),
                "counts": list(self.latency.counts),
            },
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Sample":
        """The inverse of `to_json`. Raises KeyError or TypeError for anything else."""
        return cls(
            requests=data["requests"],
            errors=data["errors"],
            fallbacks=data["fallbacks"],
            latency=Histogram(
                bounds_ms=tuple(data["latency"]["bounds_ms"]),
                counts=tuple(data["latency"]["counts"]),
            ),
        )


NOTHING: Final = Sample()


def total(samples: Iterable[Sample]) -> Sample:
    """All samples as one."""
    result = NOTHING
    for sample in samples:
        result = result + sample
    return result
