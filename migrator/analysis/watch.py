"""A capability's window: what both origins did since a step began.

Pure. The controller gives each reading of the proxy's counters to `Watch.read`; the verdict looks
at the result. A service that is plainly broken is no matter of windows, see pulse.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from migrator.analysis.sample import NOTHING, Sample
from migrator.analysis.stats import Counters, Key, Origin

ROLL_AFTER: Final = 300.0
"""Seconds after which a window that passed may be left behind."""
ROLL_REQUESTS: Final = 1000
"""Requests at the new origin that such a window must have seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Both origins since `since`; `at` is the time of the newest reading, `last`."""

    since: float
    at: float
    last: Counters
    new: Sample = NOTHING
    old: Sample = NOTHING
    asked: Mapping[Key, int]
    """Requests by stage and origin."""
    suspected: float | None = None
    """Since when every look at this window ended in a failure; see verdict.confirm."""

    @classmethod
    def begin(cls, base: Counters, *, since: float) -> "Watch":
        return cls(since=since, at=since, last=base, asked={})

    def read(self, counters: Counters, *, at: float) -> "Watch":
        """With one more reading of the counters. A clock set back makes it last no time at all."""
        asked = dict(self.asked)
        origins: dict[Origin, Sample] = {"new": NOTHING, "old": NOTHING}
        for key, sample in counters.since(self.last).items():
            asked[key] = asked.get(key, 0) + sample.requests
            origins[key.origin] = origins[key.origin] + sample
        return replace(
            self,
            at=max(at, self.at),
            last=counters,
            new=self.new + origins["new"],
            old=self.old + origins["old"],
            asked=asked,
        )

    def rolled(self) -> "Watch":
        """A window that begins now, once this one is long and full enough to have settled matters.

        So that what happens to a capability that is complete for weeks is not drowned in its past.
        """
        if self.at - self.since < ROLL_AFTER or self.new.requests < ROLL_REQUESTS:
            return self
        begun = Watch.begin(self.last, since=self.at)
        return replace(begun, asked=self.asked)
