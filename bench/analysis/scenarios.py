"""What is simulated, and how good it has to be."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf
from random import Random
from statistics import median
from typing import Final

from bench.analysis import metric
from bench.analysis.metric import MetricScenario
from bench.analysis.simulate import HOLD, Origin, Run, Scenario, Simulate, pulse, windows
from bench.results import Result
from migrator.analysis.alpha import ALPHA
from migrator.plan.model import Analysis

Figures = Callable[[str, Sequence[Run]], list[Result]]
BUSY: Final = Origin(rate=50)
QUIET: Final = Origin(rate=1)
DEFAULT: Final = Analysis()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    name: str
    scenario: Scenario | MetricScenario
    figures: Figures
    simulate: Simulate = windows
    share: float = 1.0
    """Of the runs that are asked for; less where runs are long."""

    def run(self, chance: Random) -> Run:
        """One window."""
        if isinstance(self.scenario, Scenario):
            return self.simulate(self.scenario, chance)
        return metric.simulate(self.scenario, chance)


def _rolled_back(goal: float) -> Figures:
    """`goal`: percent of runs."""

    def figures(name: str, runs: Sequence[Run]) -> list[Result]:
        wrong = _percent(run.failed < inf for run in runs)
        return [Result(name=f"{name}: rolled back", value=wrong, unit="%", goal=goal)]

    return figures


def _good(name: str, runs: Sequence[Run]) -> list[Result]:
    """Of a service that is as good as the monolith."""
    held = _percent(not run.passed for run in runs)
    return [
        *_rolled_back(1)(name, runs),
        Result(name=f"{name}: still held after {HOLD:g} s", value=held, unit="%"),
    ]


def _found_in(seconds: float, goal: float | None = 5, *, since: float = 0.0) -> Figures:
    """`goal`: percent of runs that may take longer, from second `since` on."""

    def figures(name: str, runs: Sequence[Run]) -> list[Result]:
        late = _percent(run.failed > since + seconds for run in runs)
        return [
            Result(name=f"{name}: not found in {seconds:g} s", value=late, unit="%", goal=goal),
            *_median(name, runs, since),
        ]

    return figures


def _found_later(name: str, runs: Sequence[Run]) -> list[Result]:
    wrong = _percent(run.passed for run in runs)
    return [Result(name=f"{name}: passed", value=wrong, unit="%", goal=0), *_median(name, runs)]


def _median(name: str, runs: Sequence[Run], since: float = 0.0) -> list[Result]:
    """None where half of the runs found nothing."""
    middle = median(run.failed for run in runs) - since
    return [Result(name=f"{name}: found, median", value=middle, unit="s")] if middle < inf else []


def _percent(hits: Iterable[bool]) -> float:
    found = list(hits)
    return 100 * sum(found) / len(found)


def _scenario(
    new: Origin, old: Origin = BUSY, seconds: float = HOLD, limits: Analysis = DEFAULT
) -> Scenario:
    return Scenario(new=new, old=old, limits=limits, seconds=seconds)


_ERRORS: Final = replace(BUSY, errors=0.05)
_SLOW: Final = replace(BUSY, median_ms=100)
_QUIET_ERRORS: Final = replace(QUIET, errors=0.05)
_QUIET_SLOW: Final = replace(QUIET, median_ms=100)
_LONG: Final = 3600.0
_MANY: Final = 0.2

_SALES: Final = Analysis.model_validate(
    {
        "metrics": [
            {"name": "sales", "max_decrease": "3%", "track": {"count": "paid", "total": "visit"}}
        ]
    }
)

CASES: Final = (
    Case(name="no difference, 50/s", scenario=_scenario(BUSY), figures=_good),
    Case(name="no difference, 1/s", scenario=_scenario(QUIET, QUIET), figures=_good, share=0.25),
    Case(
        name="no difference, 47.5/s and old 2.5/s",
        scenario=_scenario(replace(BUSY, rate=47.5), replace(BUSY, rate=2.5)),
        figures=_good,
        share=0.25,
    ),
    Case(
        name="errors and latencies at their limits",
        scenario=_scenario(replace(BUSY, errors=0.01, median_ms=75)),
        figures=_rolled_back(100 * ALPHA),
        share=0.1,
    ),
    Case(
        name="5 % errors at both, 0.5 % before",
        scenario=replace(_scenario(_ERRORS, _ERRORS, 60), past=BUSY),
        figures=_rolled_back(1),
        share=0.25,
    ),
    Case(
        name="errors 0.5 to 5 %",
        scenario=replace(_scenario(_ERRORS, seconds=60), past=BUSY),
        figures=_found_in(10),
    ),
    Case(
        name="errors 0.5 to 5 %, no past",
        scenario=_scenario(_ERRORS, seconds=60),
        figures=_found_in(10, goal=None),
        share=0.25,
    ),
    Case(
        name="errors 0.5 to 5 %, after 150 s",
        scenario=replace(_scenario(_ERRORS), past=BUSY, before=BUSY, sick_at=150),
        figures=_found_in(30, goal=None, since=150),
        share=0.05,
    ),
    Case(
        name="errors 0.5 to 5 %, 1/s",
        scenario=replace(_scenario(_QUIET_ERRORS, QUIET, _LONG), past=QUIET),
        figures=_found_later,
        share=0.025,
    ),
    Case(
        name="latencies doubled",
        scenario=replace(_scenario(_SLOW, seconds=90), past=BUSY),
        figures=_found_in(30),
    ),
    Case(
        name="latencies doubled, no past",
        scenario=_scenario(_SLOW, seconds=90),
        figures=_found_in(30, goal=None),
        share=0.25,
    ),
    Case(
        name="latencies doubled, 1/s",
        scenario=replace(_scenario(_QUIET_SLOW, QUIET, _LONG), past=QUIET),
        figures=_found_later,
        share=0.0125,
    ),
    *(
        Case(
            name=f"{share:.0%} of requests fail at {rate:g}/s, fast path",
            scenario=_scenario(Origin(rate=rate, errors=share), Origin(rate=rate), 30),
            figures=figures,
            simulate=pulse,
            share=0.1,
        )
        for share, goal in ((0.5, None), (0.6, 5), (1, 5))
        for rate, figures in ((50, _found_in(1, goal)), (20, _found_in(1, goal=None)))
    ),
    *(
        Case(
            name=f"connections refused at {rate:g}/s, fast path",
            scenario=_scenario(Origin(rate=rate, errors=1, refuses=True), Origin(rate=rate), 30),
            figures=figures,
            simulate=pulse,
            share=0.1,
        )
        for rate, figures in ((20, _found_in(1)), (5, _found_in(1, goal=None)))
    ),
    *(
        Case(
            name=f"{errors:.0%} errors at both, fast path",
            scenario=_scenario(replace(BUSY, errors=errors), replace(BUSY, errors=errors)),
            figures=_rolled_back(0 if errors < _MANY else 1),
            simulate=pulse,
            share=0.1,
        )
        for errors in (0.05, _MANY)
    ),
    Case(
        name="sales of 30 % at both, 10/s",
        scenario=MetricScenario(limits=_SALES, old=0.3, new=0.3, rate=10),
        figures=_good,
    ),
    Case(
        name="sales at their limit, 30 and 27 %",
        scenario=MetricScenario(limits=_SALES, old=0.3, new=0.27, rate=10),
        figures=_rolled_back(25 * ALPHA),
    ),
    Case(
        name="sales 30 to 20 %",
        scenario=MetricScenario(limits=_SALES, old=0.3, new=0.2, rate=10, seconds=600),
        figures=_found_in(HOLD, goal=None),
    ),
)
