"""Verdicts as tables: errors, latency, too little data, a shared fault."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.analysis.sample import NOTHING, Sample
from migrator.analysis.stats import Counters
from migrator.analysis.verdict import (
    CONFIRM,
    MIN_JUDGED,
    Outcome,
    Verdict,
    confirm,
    judge,
)
from migrator.analysis.watch import RIDE_OUT, Run, Track, Watch
from migrator.plan.model import Analysis

if TYPE_CHECKING:
    from tests.migrator.analysis.conftest import HandProxy

Make = Callable[..., Sample]
PASSED, FAILED, OPEN = Outcome.PASSED, Outcome.FAILED, Outcome.NOT_ENOUGH_DATA
EMPTY = Watch.begin(Counters(instance="a", cells={}), since=0.0)


def window(new: Sample, old: Sample = NOTHING) -> Watch:
    return replace(EMPTY, at=10.0, new=Track(settled=new), old=Track(settled=old))


def limits(**changes: Any) -> Analysis:
    return Analysis.model_validate(changes)


@pytest.mark.parametrize(
    ("new", "old", "outcome"),
    [
        pytest.param((0, 0), (0, 0), OPEN, id="nothing"),
        pytest.param((19, 19), (1000, 0), OPEN, id="too few to fail"),
        pytest.param((19, 0), (1000, 0), OPEN, id="too few to pass"),
        pytest.param((20, 0), (1000, 0), PASSED, id="just enough"),
        pytest.param((1000, 0), (1000, 0), PASSED, id="no errors"),
        pytest.param((1000, 5), (1000, 0), PASSED, id="within the limit"),
        pytest.param((1000, 10), (1000, 0), PASSED, id="at the limit"),
        pytest.param((1000, 16), (1000, 0), OPEN, id="above, could be chance"),
        pytest.param((1000, 60), (1000, 0), FAILED, id="above, beyond chance"),
        pytest.param((1000, 60), (1000, 60), PASSED, id="the old one is as bad"),
        pytest.param((1000, 100), (1000, 20), FAILED, id="worse than a bad old one"),
        pytest.param((20, 10), (1000, 0), FAILED, id="few requests, half of them failed"),
        pytest.param((30, 1), (1000, 0), OPEN, id="one error of thirty is chance"),
        pytest.param((1000, 0), (0, 0), PASSED, id="nothing to compare with"),
        pytest.param((1000, 100), (0, 0), FAILED, id="bad by itself"),
    ],
)
def test_errors(
    make_sample: Make, new: tuple[int, int], old: tuple[int, int], outcome: Outcome
) -> None:
    verdict = judge(window(make_sample(*new), make_sample(*old)), Analysis())
    assert verdict.outcome is outcome, verdict.evidence
    assert str(new[0]) in verdict.evidence
    assert not verdict.certain


@pytest.mark.parametrize(
    ("slow", "fast", "old_ms", "outcome"),
    [
        pytest.param(0, 1000, 5.0, PASSED, id="same"),
        pytest.param(300, 700, 5.0, FAILED, id="a third is slow"),
        pytest.param(3, 997, 5.0, PASSED, id="less than one percent"),
        pytest.param(14, 986, 5.0, OPEN, id="could be chance"),
        pytest.param(300, 700, 2000.0, PASSED, id="the old one is as slow"),
    ],
)
def test_latency(make_sample: Make, slow: int, fast: int, old_ms: float, outcome: Outcome) -> None:
    new = make_sample(slow, ms=500) + make_sample(fast, ms=5)
    verdict = judge(window(new, make_sample(1000, ms=old_ms)), Analysis())
    assert verdict.outcome is outcome, verdict.evidence


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        pytest.param({}, FAILED, id="default"),
        pytest.param({"latency": {"p99": {"max_ratio": 1000}}}, PASSED, id="ratio wide"),
        pytest.param({"latency": {"p99": {"min_increase": "5s"}}}, PASSED, id="increase wide"),
    ],
)
def test_latency_limits_of_the_plan(
    make_sample: Make, changes: dict[str, Any], outcome: Outcome
) -> None:
    watch = window(make_sample(1000, ms=500), make_sample(1000, ms=5))
    assert judge(watch, limits(**changes)).outcome is outcome


def test_error_limit_of_the_plan(make_sample: Make) -> None:
    watch = window(make_sample(1000, 60), make_sample(1000))
    assert judge(watch, limits(error_rate={"max_increase": "10%"})).outcome is PASSED


def test_few_old_latencies_are_no_baseline(make_sample: Make) -> None:
    watch = window(make_sample(1000, ms=500), make_sample(99, ms=5))
    assert judge(watch, Analysis()).outcome is PASSED


@pytest.mark.parametrize(
    ("history", "outcome"),
    [
        pytest.param((0, 0), FAILED, id="without"),
        pytest.param((1000, 100), PASSED, id="with"),
    ],
)
def test_the_old_origin_is_remembered_when_nobody_is_there(
    make_sample: Make, history: tuple[int, int], outcome: Outcome
) -> None:
    watch = window(make_sample(1000, 100))
    assert judge(watch, Analysis(), history=make_sample(*history)).outcome is outcome


@pytest.mark.parametrize(
    ("requests", "needed", "outcome"),
    [
        pytest.param(0, 0, PASSED, id="nothing needed"),
        pytest.param(5, 5, PASSED, id="the plan asks for fewer"),
        pytest.param(4, 5, OPEN, id="one missing"),
        pytest.param(499, 500, OPEN, id="the plan asks for more"),
        pytest.param(500, 500, PASSED, id="more are there"),
    ],
)
def test_needed(make_sample: Make, requests: int, needed: int, outcome: Outcome) -> None:
    watch = window(make_sample(requests), make_sample(1000))
    assert judge(watch, Analysis(), needed=needed).outcome is outcome


@given(st.integers(0, MIN_JUDGED - 1), st.integers(0, 50), st.data())
def test_below_the_least_number_nothing_is_ever_failed(
    requests: int, needed: int, data: st.DataObject
) -> None:
    errors = data.draw(st.integers(0, requests))
    watch = window(Sample(requests=requests, errors=errors), Sample(requests=1000))
    assert judge(watch, Analysis(), needed=needed).outcome is not FAILED


@given(st.integers(0, 2000), st.integers(0, 2000), st.data())
def test_no_worse_than_the_old_origin_is_never_failed(
    new: int, old: int, data: st.DataObject
) -> None:
    new_errors = data.draw(st.integers(0, new))
    old_errors = data.draw(st.integers(-(-new_errors * old // max(new, 1)), old)) if new else 0
    if old == 0:
        return
    watch = window(Sample(requests=new, errors=new_errors), Sample(requests=old, errors=old_errors))
    assert judge(watch, Analysis()).outcome is not FAILED


@pytest.mark.parametrize(
    ("seconds", "failed", "old_run", "outcome"),
    [
        pytest.param(RIDE_OUT, 40, 0, FAILED, id="long enough"),
        pytest.param(RIDE_OUT - 0.1, 400, 0, OPEN, id="may be a restart"),
        pytest.param(60.0, MIN_JUDGED - 1, 0, OPEN, id="too few"),
        pytest.param(60.0, 400, 400, OPEN, id="the monolith fails too"),
        pytest.param(60.0, 400, 4, FAILED, id="a few failures of the monolith are no outage"),
    ],
)
def test_broken(
    make_sample: Make, seconds: float, failed: int, old_run: int, outcome: Outcome
) -> None:
    run = Run(since=100.0 - seconds, sample=make_sample(failed, failed))
    old = Run(since=99.0, sample=make_sample(old_run, old_run)) if old_run else None
    watch = replace(EMPTY, at=100.0, new=Track(run=run), old=Track(run=old))
    verdict = judge(watch, Analysis())
    assert verdict.outcome is outcome
    assert verdict.certain is (outcome is FAILED)
    assert "fails" in verdict.evidence


def test_a_broken_service_is_found_in_readings(proxy: "HandProxy") -> None:
    """As the controller sees it: half a second between readings, ten requests in each."""
    watch, looks = Watch.begin(proxy.read(), since=0.0), []
    for number in range(1, 10):
        proxy.serve("old", 100)
        proxy.serve("new", 10, 10)
        watch = watch.read(proxy.read(), at=number / 2)
        watch, verdict = confirm(watch, judge(watch, Analysis()))
        looks.append(verdict.outcome)
    assert looks.index(FAILED) == int(RIDE_OUT * 2) - 1, "at once when it cannot be a restart"


@pytest.mark.parametrize(
    ("certain", "times", "outcomes"),
    [
        pytest.param(False, [0.0, 1.0, CONFIRM], [OPEN, OPEN, FAILED], id="confirmed"),
        pytest.param(True, [0.0], [FAILED], id="certain"),
    ],
)
def test_confirm(certain: bool, times: list[float], outcomes: list[Outcome]) -> None:
    watch, found = EMPTY, []
    for at in times:
        watch, verdict = confirm(
            replace(watch, at=at), Verdict(outcome=FAILED, evidence="bad", certain=certain)
        )
        found.append(verdict.outcome)
        assert verdict.evidence == "bad"
    assert found == outcomes


def test_one_good_look_takes_the_suspicion_away() -> None:
    bad = Verdict(outcome=FAILED, evidence="bad")
    watch, _ = confirm(EMPTY, bad)
    watch, verdict = confirm(replace(watch, at=1.0), Verdict(outcome=PASSED, evidence="good"))
    assert verdict.outcome is PASSED
    watch, verdict = confirm(replace(watch, at=CONFIRM), bad)
    assert verdict.outcome is OPEN
