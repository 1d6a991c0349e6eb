"""Verdicts as tables: errors, latency, too little data, a shared fault."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.analysis.proportion import MIN_JUDGED
from migrator.analysis.sample import NOTHING, Histogram, Sample
from migrator.analysis.stats import Counters
from migrator.analysis.verdict import (
    CONFIRM,
    Outcome,
    Verdict,
    confirm,
    judge,
)
from migrator.analysis.watch import Watch
from migrator.plan.model import Analysis

Make = Callable[..., Sample]
PASSED, FAILED, OPEN = Outcome.PASSED, Outcome.FAILED, Outcome.NOT_ENOUGH_DATA
EMPTY = Watch.begin(Counters(instance="a", cells={}), since=0.0)


def window(new: Sample, old: Sample = NOTHING) -> Watch:
    return replace(EMPTY, at=10.0, new=new, old=old)


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
        pytest.param((1000, 2), (1000, 0), PASSED, id="within the limit"),
        pytest.param((1000, 5), (1000, 0), PASSED, id="at the limit"),
        pytest.param((1000, 10), (1000, 0), OPEN, id="above, could be chance"),
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


@pytest.mark.parametrize(
    ("old", "outcome"),
    [
        pytest.param(0, PASSED, id="nothing to compare with"),
        pytest.param(10, OPEN, id="too few to tell"),
        pytest.param(99, FAILED, id="enough for what is so clear"),
    ],
)
def test_few_old_latencies_are_good_for_what_they_tell(
    make_sample: Make, old: int, outcome: Outcome
) -> None:
    watch = window(make_sample(1000, ms=500), make_sample(old, ms=5))
    assert judge(watch, Analysis()).outcome is outcome


@pytest.mark.parametrize("q", ["p50", "p95", "p99"])
def test_each_quantile_may_have_its_own_limit(make_sample: Make, q: str) -> None:
    """All are slower than the limit of p99 allows, but for one that may be."""
    watch = window(make_sample(2000, ms=500), make_sample(2000, ms=5))
    wide = {name: {"max_ratio": 1000} for name in ("p50", "p95", "p99")}
    assert judge(watch, limits(latency=wide)).outcome is PASSED
    verdict = judge(watch, limits(latency={**wide, q: {"max_ratio": 1.5}}))
    assert verdict.outcome is FAILED
    assert verdict.evidence.startswith(q)


def test_a_failure_counts_more_than_missing_data(make_sample: Make) -> None:
    watch = window(make_sample(1000, 10, ms=500), make_sample(1000, ms=5))
    verdict = judge(watch, Analysis())
    assert verdict.outcome is FAILED
    assert verdict.evidence.startswith("p50")


@pytest.mark.parametrize(
    ("new", "old", "missing"),
    [
        pytest.param((30, 1), (1000, 0), True, id="few"),
        pytest.param((100_000, 600), (100_000, 0), False, id="enough, but close to the limit"),
        pytest.param((1000, 0), (1000, 0), False, id="passed"),
        pytest.param((30, 1), (0, 0), False, id="nothing to compare with"),
    ],
)
def test_what_is_missing_is_said(
    make_sample: Make, new: tuple[int, int], old: tuple[int, int], missing: bool
) -> None:
    verdict = judge(window(make_sample(*new), make_sample(*old)), Analysis())
    assert (verdict.missing > 0) is missing
    assert (f"about {verdict.missing:,} more requests" in verdict.evidence) is missing


@pytest.mark.parametrize(
    ("history", "old", "outcome"),
    [
        pytest.param((0, 0), (0, 0), FAILED, id="nothing known"),
        pytest.param((1000, 100), (0, 0), PASSED, id="only the past is known, as bad"),
        pytest.param((1000, 0), (0, 0), FAILED, id="only the past is known, better"),
        pytest.param((10_000, 0), (100, 10), PASSED, id="worse now than then: the past is past"),
        pytest.param((10_000, 0), (100, 0), FAILED, id="as ever"),
    ],
)
def test_the_old_origins_past(
    make_sample: Make, history: tuple[int, int], old: tuple[int, int], outcome: Outcome
) -> None:
    watch = window(make_sample(1000, 100), make_sample(*old))
    assert judge(watch, Analysis(), history=make_sample(*history)).outcome is outcome


def test_a_slowdown_of_both_is_not_the_services(make_sample: Make) -> None:
    watch = window(make_sample(1000, ms=500), make_sample(100, ms=500))
    verdict = judge(watch, Analysis(), history=make_sample(10_000, ms=5))
    assert verdict.outcome is PASSED, verdict.evidence


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
    slow = data.draw(st.integers(0, requests))
    new = Histogram(bounds_ms=(10.0, 1000.0), counts=(requests - slow, slow, 0))
    old = Histogram(bounds_ms=(10.0, 1000.0), counts=(1000, 0, 0))
    watch = window(
        Sample(requests=requests, errors=errors, latency=new), Sample(requests=1000, latency=old)
    )
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


def test_confirm() -> None:
    watch, found = EMPTY, []
    for at in (0.0, CONFIRM / 2, CONFIRM):
        watch, verdict = confirm(replace(watch, at=at), Verdict(outcome=FAILED, evidence="bad"))
        found.append(verdict.outcome)
        assert verdict.evidence == "bad"
    assert found == [OPEN, OPEN, FAILED]


def test_one_good_look_takes_the_suspicion_away() -> None:
    bad = Verdict(outcome=FAILED, evidence="bad")
    watch, _ = confirm(EMPTY, bad)
    good = Verdict(outcome=PASSED, evidence="good")
    watch, verdict = confirm(replace(watch, at=CONFIRM / 2), good)
    assert verdict.outcome is PASSED
    watch, verdict = confirm(replace(watch, at=CONFIRM), bad)
    assert verdict.outcome is OPEN
