"""One window of a proportion of users' own, through the real MetricWindow and judge_metric. Pure.

Trials of both origins are equally many, and drawn as a Poisson process that is thinned.
"""

from bisect import bisect
from dataclasses import dataclass
from math import inf
from random import Random

from bench.analysis.simulate import HOLD, Run, poisson
from migrator.analysis.alpha import refuted_at
from migrator.analysis.counters import Counted
from migrator.analysis.metric import Counting, MetricWindow, judge_metric
from migrator.analysis.verdict import Outcome
from migrator.plan.model import Analysis, Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricScenario:
    """`old`, `new`: true shares; `rate`: trials of each origin each second."""

    limits: Analysis
    old: float
    new: float
    rate: float
    seconds: float = HOLD

    @property
    def metric(self) -> Metric:
        return self.limits.metrics[0]


class _Source:
    """What one origin has counted so far."""

    def __init__(self, chance: Random, share: float, mean: float) -> None:
        self._chance = chance
        self._means = mean * share, mean * (1 - share)
        self._count = self._total = 0.0

    def go_on(self) -> Counted:
        """All so far, one reading later."""
        count, others = (bisect(poisson(mean), self._chance.random()) for mean in self._means)
        self._count += count
        self._total += count + others
        return Counted({"": self._count}, {"": self._total})


def simulate(scenario: MetricScenario, chance: Random) -> Run:
    """One run; the same `chance` gives the same one."""
    every, refuted = scenario.metric.interval, refuted_at(scenario.limits).metric
    old, new = (
        _Source(chance, share, scenario.rate * every) for share in (scenario.old, scenario.new)
    )
    window = MetricWindow(metric=scenario.metric).read(
        Counting(old=Counted({"": 0}, {"": 0}), new=Counted({"": 0}, {"": 0}))
    )
    passed = False
    for number in range(1, round(scenario.seconds / every) + 1):
        at = number * every
        window = window.read(Counting(old=old.go_on(), new=new.go_on()))
        verdict = judge_metric(window, refuted_at=refuted)
        if verdict.outcome is Outcome.FAILED:
            return Run(failed=at, passed=passed)
        passed = passed or (at >= HOLD and verdict.outcome is Outcome.PASSED)
    return Run(failed=inf, passed=passed)
