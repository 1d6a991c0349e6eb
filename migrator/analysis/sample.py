"""What one origin did: counts and a latency histogram that can be added and subtracted.

Owns the arithmetic on counters. Called by the windows, the verdict and the rollout's log. Never
knows where the numbers came from.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from operator import add, sub
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
            bounds_ms=self.bounds_ms, counts=tuple(map(add, *_same_length(self, other)))
        )

    def minus(self, earlier: "Histogram") -> "Histogram":
        """What was counted after `earlier`, a former state of the same cumulative histogram."""
        if self.bounds_ms != earlier.bounds_ms:
            return self
        counts = tuple(map(sub, *_same_length(self, earlier)))
        if min(counts, default=0) < 0:
            counts = tuple(max(0, count) for count in counts)
        return Histogram(bounds_ms=self.bounds_ms, counts=counts)

    def quantile(self, q: float) -> float | None:
        """Milliseconds at quantile `q`, linear inside its bucket; None of nothing.

        Above the last bound the last bound is returned: the truth is at least that.
        """
        return self.quantiles((q,))[0] if self.total else None

    def quantiles(self, qs: Iterable[float]) -> list[float]:
        """`quantile` for each of `qs`, in one pass; not of nothing."""
        upto = list(accumulate(self.counts))
        return [self._quantile(q, upto) for q in qs]

    def _quantile(self, q: float, upto: list[int]) -> float:
        wanted = q * upto[-1]
        bucket = bisect_left(upto, wanted) if wanted else bisect_right(upto, 0)
        if bucket >= len(self.bounds_ms):
            return self.bounds_ms[-1] if self.bounds_ms else 0.0
        below = upto[bucket - 1] if bucket else 0
        low = self.bounds_ms[bucket - 1] if bucket else 0.0
        return low + (self.bounds_ms[bucket] - low) * (wanted - below) / self.counts[bucket]

    def tails(self) -> list[int]:
        """How many values are above each bucket's lower bound, and a last 0."""
        return list(accumulate((0, *reversed(self.counts))))[::-1]


def _same_length(a: Histogram, b: Histogram) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Both counts; one that lacks that of the values above the last bound gets a 0."""
    if len(a.counts) == len(b.counts):
        return a.counts, b.counts
    longest = max(len(a.counts), len(b.counts))
    return (
        a.counts + (0,) * (longest - len(a.counts)),
        b.counts + (0,) * (longest - len(b.counts)),
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
