"""A capability's window: what both origins did since a step began, short outages kept apart.

Pure. The controller gives each reading of the proxy's counters to `Watch.read`; the verdict looks
at the result. A process that is killed and restarted fails some tens of requests within a second
or two, all of which the monolith answers; that must not send everybody back. So each origin has a
*run*: the latest readings in a row in which at least half of the requests failed. A run that ends
within `ride_out` is an outage: it is counted, and its requests are left out of the rates. A run
that goes on is a broken service (see verdict.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from migrator.analysis.sample import NOTHING, Sample
from migrator.analysis.stats import Counters, Key, Origin

MIN_OUTAGE: Final = 5
"""Requests: fewer failures in a row are no outage, they count as errors."""
OUTAGE_RATE: Final = 0.7
"""Least share of failures in an outage: a process that is away fails everything but what it did
just before and after. A service that fails half of its requests is broken, not away."""
ROLL_AFTER: Final = 300.0
"""Seconds after which a window that passed may be left behind."""
ROLL_REQUESTS: Final = 1000
"""Requests at the new origin that such a window must have seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Readings in a row in which the origin was failing, from `since` (the start of the first)."""

    since: float
    sample: Sample

    @property
    def is_away(self) -> bool:
        """It may be a process that restarts, as far as the share of failures tells."""
        return self.sample.error_rate >= OUTAGE_RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One origin: what counts for its rates, what is still open, what was left out."""

    settled: Sample = NOTHING
    run: Run | None = None
    outages: int = 0

    def add(self, sample: Sample, *, since: float, ride_out: float) -> "Track":
        """With one more reading, which covers the time from `since`."""
        if not sample.requests:
            return self
        if sample.failing:
            begun = self.run or Run(since=since, sample=NOTHING)
            return replace(self, run=replace(begun, sample=begun.sample + sample))
        if self.run is None:
            return Track(settled=self.settled + sample, outages=self.outages)
        run = self.run
        outage = since - run.since <= ride_out and run.sample.requests >= MIN_OUTAGE and run.is_away
        if outage:
            return Track(settled=self.settled + sample, outages=self.outages + 1)
        return Track(settled=self.settled + run.sample + sample, outages=self.outages)

    def counted(self, at: float, ride_out: float) -> Sample:
        """What counts for its rates at `at`: the open run too, unless it may still be an outage."""
        if self.run is not None and self.run.is_away and at - self.run.since < ride_out:
            return self.settled
        return self.everything

    @property
    def everything(self) -> Sample:
        """What to show to people: the open run included."""
        return self.settled + self.run.sample if self.run else self.settled


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Both origins since `since`; `at` is the time of the newest reading, `last`."""

    since: float
    at: float
    ride_out: float
    """Seconds that an origin may fail and still be taken for a process that restarts."""
    last: Counters
    new: Track = Track()
    old: Track = Track()
    asked: Mapping[Key, int]
    """Requests by stage and origin."""
    suspected: float | None = None
    """Since when every look at this window ended in a failure; see verdict.confirm."""

    @classmethod
    def begin(cls, base: Counters, *, since: float, ride_out: float) -> "Watch":
        return cls(since=since, at=since, ride_out=ride_out, last=base, asked={})

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
            new=self.new.add(origins["new"], since=self.at, ride_out=self.ride_out),
            old=self.old.add(origins["old"], since=self.at, ride_out=self.ride_out),
            asked=asked,
        )

    def rolled(self) -> "Watch":
        """A window that begins now, once this one is long and full enough to have settled matters.

        So that what happens to a capability that is complete for weeks is not drowned in its past.
        """
        if self.at - self.since < ROLL_AFTER or self.new.settled.requests < ROLL_REQUESTS:
            return self
        begun = Watch.begin(self.last, since=self.at, ride_out=self.ride_out)
        return replace(begun, asked=self.asked)
