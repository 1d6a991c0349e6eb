"""One window of a rollout with simulated users, through the real Watch, judge and confirm, or
through the real Pulse. Pure.

Requests arrive as a Poisson process, latencies are log-normal. Errors and good answers are drawn
apart (a thinned Poisson process is two independent ones), as counts for each tick.
"""

from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from math import erf, exp, inf, log, sqrt
from random import Random
from typing import Final

from migrator.analysis.pulse import MONOLITH, Pulse, Tally
from migrator.analysis.sample import NOTHING, Histogram, Sample
from migrator.analysis.stats import Counters, Key
from migrator.analysis.verdict import Outcome, confirm, judge
from migrator.analysis.watch import Watch
from migrator.plan.model import Analysis
from routing.stats import BOUNDS_MS

TICK: Final = 0.5
"""Seconds between two looks, as in the controller."""
BEAT: Final = 0.25
"""Seconds between two readings of the fast path, as in the controller."""
HOLD: Final = 300.0
"""Seconds of a step, and for which the old origin was measured before."""
SIGMA: Final = 0.6
"""Of the logarithm of latencies: p99 is four times the median."""
BOUNDS: Final = tuple(bound for bound in BOUNDS_MS if 2 <= bound <= 2048)
"""The proxy's own. The others would only cost time: five sigma around all medians lie between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    rate: float
    """Requests each second."""
    errors: float = 0.005
    """0..1."""
    median_ms: float = 50.0
    refuses: bool = False
    """No connection can be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    new: Origin
    old: Origin
    limits: Analysis
    seconds: float
    """Simulated until then, or until the service is failed."""
    past: Origin | None = None
    """What the old origin was for `HOLD` seconds of earlier steps; None: nothing is known."""
    before: Origin | None = None
    """What the new origin is until second `sick_at`."""
    sick_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    failed: float
    """Seconds until the verdict; infinite if there was none."""
    passed: bool
    """Some look after `HOLD` and before `failed` passed the service: its step would be left."""


class _Source:
    """What one origin has done so far."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self.requests = self.errors = 0
        self.counts = [0] * (len(BOUNDS) + 1)

    def go_on(self, origin: Origin, seconds: float = TICK) -> Sample:
        """All so far, `seconds` later."""
        draw = self._chance.random
        bad = bisect(poisson(origin.rate * seconds * origin.errors), draw())
        requests = bisect(poisson(origin.rate * seconds * (1 - origin.errors)), draw()) + bad
        self.requests += requests
        self.errors += bad
        counts, buckets = self.counts, _log_normal(origin.median_ms)
        for bucket in self._chance.choices(_NUMBERS, cum_weights=buckets, k=requests):
            counts[bucket] += 1
        return Sample(
            requests=self.requests,
            errors=self.errors,
            latency=Histogram(bounds_ms=BOUNDS, counts=tuple(counts)),
        )


_NUMBERS: Final = range(len(BOUNDS) + 1)


Simulate = Callable[[Scenario, Random], Run]
"""One run; the same random numbers give the same one."""


def pulse(scenario: Scenario, chance: Random) -> Run:
    """Through the fast path."""
    old, new = _Source(chance), _Source(chance)
    seen = Pulse.begin({}, at=0.0)
    for number in range(1, round(scenario.seconds / BEAT) + 1):
        at = number * BEAT
        origins = ("new", new.go_on(scenario.new, BEAT)), (MONOLITH, old.go_on(scenario.old, BEAT))
        tallies = {
            name: Tally(
                asked=sample.requests,
                failed=sample.errors,
                unreached=sample.errors if name == "new" and scenario.new.refuses else 0,
            )
            for name, sample in origins
        }
        seen = seen.read(tallies, at=at)
        if seen.broken():
            return Run(failed=at, passed=False)
    return Run(failed=inf, passed=False)


def windows(scenario: Scenario, chance: Random) -> Run:
    """Through the statistics."""
    limits = scenario.limits
    history = _Source(chance).go_on(scenario.past, HOLD) if scenario.past else NOTHING
    old, new = _Source(chance), _Source(chance)
    watch = Watch.begin(Counters(instance="", cells={}), since=0.0)
    passed = False
    for number in range(1, round(scenario.seconds / TICK) + 1):
        at = number * TICK
        well = scenario.before if at <= scenario.sick_at else None
        cells = {
            Key("live", "new"): new.go_on(well or scenario.new),
            Key("live", "old"): old.go_on(scenario.old),
        }
        watch = watch.read(Counters(instance="", cells=cells), at=at)
        watch, verdict = confirm(watch, judge(watch, limits, history=history))
        if verdict.outcome is Outcome.FAILED:
            return Run(failed=at, passed=passed)
        passed = passed or (at >= HOLD and verdict.outcome is Outcome.PASSED)
    return Run(failed=inf, passed=passed)


def simulate_all(one: Callable[[Random], Run], runs: int, seed: int) -> list[Run]:
    """Independent runs."""
    chance = Random(seed)  # noqa: S311 - a simulation
    return [one(chance) for _ in range(runs)]


@cache
def poisson(mean: float) -> Sequence[float]:
    """Cumulative probabilities of 0, 1, 2, … for inversion; what is left out is below 1e-12."""
    if not mean:
        return (1.0,)
    terms: list[float] = []
    number, logarithm = 0, -mean
    while number <= mean or terms[-1] > 1e-13:
        terms.append(exp(logarithm))
        number += 1
        logarithm += log(mean / number)
    return list(accumulate(terms))


@cache
def _log_normal(median_ms: float) -> Sequence[float]:
    """Cumulative probabilities of the buckets."""
    upto = [0.5 * (1 + erf(log(bound / median_ms) / (SIGMA * sqrt(2)))) for bound in BOUNDS]
    return [*upto, 1.0]
