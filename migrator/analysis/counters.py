"""Cumulative counters from elsewhere, and what they have grown by since a window began. Pure.

Each reading gives the present state of any number of counters by name. What a counter showed at its
first reading is where it begins, and one that fell begins anew: what it counted unseen is lost,
never invented. A name that is missing for a while, as when one scrape fails, is remembered.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from migrator.analysis.proportion import Counts

MAX_SERIES: Final = 1000
"""Counters that one reading may have."""
_REMEMBERED: Final = 4 * MAX_SERIES
Series = Mapping[str, float]
"""States of counters by name."""


@dataclass(frozen=True, slots=True)
class Growth:
    """`grown`: by how much all counters together have grown. `last`: where each one stood."""

    last: Series = field(default_factory=dict)
    grown: float = 0.0

    def read(self, series: Series) -> "Growth":
        """With one more reading."""
        steps = (value - self.last.get(name, value) for name, value in series.items())
        grown = self.grown + sum(max(0.0, step) for step in steps)
        known = {**self.last, **series}
        return Growth(known if len(known) <= _REMEMBERED else dict(series), grown)


@dataclass(frozen=True, slots=True)
class Counted:
    """One reading of one origin."""

    count: Series
    total: Series


@dataclass(frozen=True, slots=True)
class Tally:
    """What one origin has counted since a window began."""

    count: Growth = field(default_factory=Growth)
    total: Growth = field(default_factory=Growth)

    def read(self, counted: Counted) -> "Tally":
        return Tally(self.count.read(counted.count), self.total.read(counted.total))

    @property
    def counts(self) -> Counts:
        """Whole trials. Two counters are not read in the same instant, so one may be ahead."""
        total = round(self.total.grown)
        return Counts(min(round(self.count.grown), total), total)
