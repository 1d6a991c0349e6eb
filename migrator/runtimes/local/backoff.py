"""How long to wait before a program that ended is started again. Pure."""

from dataclasses import dataclass, replace
from typing import Final

FIRST: Final = 0.1
LONGEST: Final = 10.0
STEADY: Final = 30.0
"""Seconds up after which an end counts as the first one again."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """`failures` in a row, none of which followed `STEADY` seconds of running."""

    failures: int = 0

    def ended(self, ran: float) -> "Backoff":
        """After a run of `ran` seconds."""
        return replace(self, failures=1 if ran >= STEADY else self.failures + 1)

    @property
    def delay(self) -> float:
        """Seconds to wait: 0.1 doubling to 10."""
        if self.failures == 0:
            return 0.0
        return min(LONGEST, FIRST * 2.0 ** min(self.failures - 1, 30))
