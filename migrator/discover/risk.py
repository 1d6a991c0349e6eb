"""What could go wrong when a group moves, in parts that are each shown. Pure.

The weights are a judgement, not a measurement: they say in which order to look.
"""

from dataclasses import dataclass
from typing import Final

ENOUGH: Final = 1000
"""Requests from which on a group counts as known."""
MANY_ROUTES: Final = 20
BAD_ERROR_RATE: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Of one group. Shares are 0 to 1."""

    requests: int
    traffic: float
    """Share of all requests."""
    writes: float
    """Share of the group's requests."""
    errors: float
    """Share answered with 5xx."""
    routes: int
    coupling: float
    """See `Coupling.share`."""
    writes_left: float
    """See `Coupling.write_share`."""
    tables: float
    """See `Coupling.table_share`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    name: str
    value: float
    """0, nothing to fear, to 1."""
    weight: int
    """Points that the value 1 stands for; all weights make 100."""
    why: str
    """What was measured, and why it matters."""

    @property
    def points(self) -> float:
        return self.value * self.weight


@dataclass(frozen=True, slots=True)
class Risk:
    parts: tuple[Part, ...]

    @property
    def score(self) -> float:
        """0 to 100: the sum of the parts' points."""
        return sum(part.points for part in self.parts)


def assess(facts: Facts) -> Risk:
    """The risk of moving a group of which `facts` are known."""
    return Risk(
        (
            Part(
                name="coupling",
                value=facts.coupling,
                weight=25,
                why=f"{facts.coupling:.0%} of steps or traces cross groups: both sides must agree",
            ),
            Part(
                name="writes",
                value=facts.writes,
                weight=15,
                why=f"{facts.writes:.0%} of requests write: data must reach both stores",
            ),
            Part(
                name="writes seen elsewhere",
                value=facts.writes_left,
                weight=15,
                why=f"{facts.writes_left:.0%} of writes are soon followed in another group",
            ),
            Part(
                name="shared tables",
                value=facts.tables,
                weight=10,
                why=f"{facts.tables:.0%} of writes to tables, by traces, are to those others write",
            ),
            Part(
                name="traffic",
                value=facts.traffic,
                weight=15,
                why=f"{facts.traffic:.0%} of all requests are hit when it goes wrong",
            ),
            Part(
                name="errors today",
                value=min(1.0, facts.errors / BAD_ERROR_RATE),
                weight=5,
                why=f"{facts.errors:.2%} fail with 5xx today: that hides new failures",
            ),
            Part(
                name="breadth",
                value=min(1.0, facts.routes / MANY_ROUTES),
                weight=5,
                why=f"routes to write anew: {facts.routes}",
            ),
            Part(
                name="unknown",
                value=1 - min(1.0, facts.requests / ENOUGH),
                weight=10,
                why=f"{ENOUGH:,} requests are enough to judge by, seen: {facts.requests:,}",
            ),
        )
    )
