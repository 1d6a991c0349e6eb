"""The simulation: what it draws, and that it goes through the controller's own rules."""

from dataclasses import replace
from functools import partial
from math import inf
from random import Random
from typing import Any

import pytest

from bench.analysis import metric
from bench.analysis.metric import MetricScenario
from bench.analysis.scenarios import CASES
from bench.analysis.simulate import Origin, Run, Scenario, simulate_all, windows
from migrator.plan.model import Analysis

BUSY = Origin(rate=50)
SCENARIO = Scenario(new=BUSY, old=BUSY, limits=Analysis(), seconds=10)


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        pytest.param({}, False, id="no difference"),
        pytest.param({"new": replace(BUSY, errors=1)}, True, id="all fail"),
        pytest.param({"new": replace(BUSY, errors=0.4)}, True, id="many fail"),
        pytest.param({"new": replace(BUSY, median_ms=400), "past": BUSY}, True, id="slow"),
        pytest.param(
            {"new": replace(BUSY, errors=1), "old": replace(BUSY, errors=1)}, False, id="shared"
        ),
        pytest.param({"new": Origin(rate=0.1, errors=1)}, False, id="hardly a request"),
    ],
)
def test_a_run(changes: dict[str, Any], failed: bool) -> None:
    run = windows(replace(SCENARIO, **changes), Random(1))  # noqa: S311 - a simulation
    assert (run.failed < inf) is failed


def test_a_fault_begins_when_it_is_said_to() -> None:
    bad = replace(SCENARIO, new=replace(BUSY, errors=1), before=BUSY, sick_at=5)
    assert 5 < windows(bad, Random(1)).failed <= 9  # noqa: S311 - a simulation


def test_the_same_seed_gives_the_same_runs() -> None:
    scenario = replace(SCENARIO, new=replace(BUSY, errors=0.1))
    one = partial(windows, scenario)
    assert simulate_all(one, 3, 7) == simulate_all(one, 3, 7)


@pytest.mark.parametrize(("new", "failed"), [(0.3, False), (0.01, True)])
def test_a_metric(new: float, failed: bool) -> None:
    limits = next(c.scenario.limits for c in CASES if isinstance(c.scenario, MetricScenario))
    scenario = MetricScenario(limits=limits, old=0.3, new=new, rate=10)
    run = metric.simulate(scenario, Random(1))  # noqa: S311 - a simulation
    assert (run.failed < inf, run.passed) == (failed, not failed)


def test_names_of_results_differ() -> None:
    runs = [Run(failed=1.0, passed=True), Run(failed=inf, passed=False)]
    names = [result.name for case in CASES for result in case.figures(case.name, runs)]
    assert len(names) == len(set(names))
