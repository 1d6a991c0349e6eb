"""Verdicts on metrics of users' own, as tables, and simulated."""

from collections.abc import Sequence
from math import log
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.analysis.counters import Counted
from migrator.analysis.metric import Counting, MetricWindow, Reading, Values, judge_metric
from migrator.analysis.proportion import MIN_JUDGED, Counts
from migrator.analysis.verdict import Outcome
from migrator.plan.model import Metric

PASSED, FAILED, OPEN = Outcome.PASSED, Outcome.FAILED, Outcome.NOT_ENOUGH_DATA
ALPHA = 0.005
REFUTED = log(1 / ALPHA)


def a_metric(**limits: Any) -> Metric:
    return Metric.model_validate({"name": "checkout", **limits})


BASE = 1000
"""Where all counters stood before."""


def counting(old: Counts, new: Counts) -> Counting:
    def counted(counts: Counts) -> Counted:
        return Counted({"": BASE + counts.count}, {"": BASE + counts.total})

    return Counting(old=counted(old), new=counted(new))


def window(metric: Metric, *readings: Reading) -> MetricWindow:
    found = MetricWindow(metric=metric)
    for reading in readings:
        found = found.read(reading)
    return found


def after(metric: Metric, old: Counts, new: Counts) -> MetricWindow:
    return window(metric, counting(Counts(), Counts()), counting(old, new))


UP = a_metric(max_increase="2%")
DOWN = a_metric(max_decrease="2%")
N = Counts


@pytest.mark.parametrize(
    ("metric", "old", "new", "past", "outcome", "words"),
    [
        pytest.param(UP, N(0, 0), N(0, 0), N(), OPEN, "new none, old none; 100", id="nothing"),
        pytest.param(UP, N(5, 500), N(0, 99), N(), OPEN, "100 of each", id="too-few-new"),
        pytest.param(UP, N(1, 99), N(5, 500), N(), OPEN, "100 of each", id="too-few-old"),
        pytest.param(UP, N(0, 0), N(9, 500), N(), OPEN, "old none", id="no-baseline"),
        pytest.param(UP, N(0, 0), N(500, 500), N(), OPEN, "old none", id="bad-but-no-baseline"),
        pytest.param(UP, N(0, 9), N(19, 19), N(90, 9000), OPEN, "19/19", id="never-on-a-few"),
        pytest.param(UP, N(5, 500), N(6, 500), N(), PASSED, "6/500 = 1.2%", id="as-good"),
        pytest.param(UP, N(5, 500), N(18, 500), N(), OPEN, "chance", id="could-be-chance"),
        pytest.param(UP, N(5, 500), N(80, 500), N(), FAILED, "limit +2%", id="worse"),
        pytest.param(UP, N(5, 500), N(0, 500), N(), PASSED, "0/500", id="better"),
        pytest.param(UP, N(0, 0), N(90, 500), N(9, 900), FAILED, "9/900", id="worse-than-before"),
        pytest.param(UP, N(0, 0), N(5, 500), N(9, 900), PASSED, "9/900", id="as-before"),
        pytest.param(DOWN, N(400, 500), N(398, 500), N(), PASSED, "398/500", id="sold-as-much"),
        pytest.param(DOWN, N(400, 500), N(300, 500), N(), FAILED, "limit −2%", id="sold-less"),
        pytest.param(DOWN, N(400, 500), N(500, 500), N(), PASSED, "500/500", id="sold-more"),
        pytest.param(DOWN, N(15, 500), N(2, 500), N(), OPEN, "chance", id="perhaps-sold-less"),
    ],
)
def test_proportions(
    metric: Metric, old: Counts, new: Counts, past: Counts, outcome: Outcome, words: str
) -> None:
    verdict = judge_metric(after(metric, old, new), past=past, refuted_at=REFUTED)
    assert (verdict.outcome, words in verdict.evidence) == (outcome, True), verdict
    assert verdict.evidence.startswith("checkout: new ")


@given(st.data(), st.sampled_from([UP, DOWN]))
def test_few_trials_never_fail(data: st.DataObject, metric: Metric) -> None:
    sides = []
    few = data.draw(st.booleans())
    for most in (MIN_JUDGED - 1, 500) if few else (500, MIN_JUDGED - 1):
        total = data.draw(st.integers(0, most))
        sides.append(Counts(data.draw(st.integers(0, total)), total))
    old, new = sides
    assert judge_metric(after(metric, old, new), refuted_at=REFUTED).outcome is OPEN


def run(
    chance: Random, metric: Metric, old: float, new: float, looks: int
) -> tuple[bool, Sequence[Outcome]]:
    """Whether it was ever failed; 40 trials of each origin between two looks."""
    totals = [Counts(), Counts()]
    here = window(metric, counting(*totals))
    outcomes = []
    for _ in range(looks):
        for side, share in enumerate((old, new)):
            hits = sum(chance.random() < share for _ in range(40))
            totals[side] += Counts(hits, 40)
        here = here.read(counting(*totals))
        outcomes.append(judge_metric(here, refuted_at=REFUTED).outcome)
    return FAILED in outcomes, outcomes


@pytest.mark.parametrize(
    ("metric", "old", "new"),
    [
        pytest.param(UP, 0.01, 0.03, id="rare"),
        pytest.param(UP, 0.4, 0.42, id="common"),
        pytest.param(DOWN, 0.8, 0.78, id="sales"),
    ],
)
def test_at_the_limit_it_is_seldom_failed(metric: Metric, old: float, new: float) -> None:
    chance = Random(11)  # noqa: S311
    failed = sum(run(chance, metric, old, new, 25)[0] for _ in range(60))
    assert failed <= 2


@pytest.mark.parametrize(
    ("metric", "old", "new"),
    [
        pytest.param(UP, 0.01, 0.15, id="more-failures"),
        pytest.param(DOWN, 0.3, 0.1, id="fewer-sales"),
    ],
)
def test_a_fault_is_found_and_never_passed_late(metric: Metric, old: float, new: float) -> None:
    chance = Random(12)  # noqa: S311
    found = [run(chance, metric, old, new, 50) for _ in range(20)]
    assert all(failed for failed, _ in found)
    assert all(PASSED not in outcomes[25:] for _, outcomes in found)


def values(*new: float | None, old: float | None = 10.0) -> list[Values]:
    return [Values(old=old, new=each) for each in new]


MOST = a_metric(max=80, consecutive=3)
RATIO = a_metric(max_ratio=1.5, consecutive=3)


@pytest.mark.parametrize(
    ("metric", "readings", "outcome", "words"),
    [
        pytest.param(MOST, [], OPEN, "no reading yet", id="nothing"),
        pytest.param(MOST, values(5, 5), OPEN, "2 of 3 readings", id="not-long-enough"),
        pytest.param(MOST, values(5, 5, 80), PASSED, "new 80", id="kept"),
        pytest.param(MOST, values(5, 5, 5, 99), OPEN, "99; limit max 80, at 1 of 3", id="one-bad"),
        pytest.param(MOST, values(99, 99, 5, 99, 99), OPEN, "2 of 3", id="not-in-a-row"),
        pytest.param(MOST, values(5, 99, 98, 97), FAILED, "97; limit max 80, at 3", id="broken"),
        pytest.param(MOST, values(99, 99, None, 99), OPEN, "1 of 3", id="a-gap-breaks-the-row"),
        pytest.param(MOST, values(5, 5, 5, None), OPEN, "new none", id="gone"),
        pytest.param(RATIO, values(15, 15, 15), PASSED, "old 10", id="ratio-kept"),
        pytest.param(RATIO, values(16, 16, 16), FAILED, "max ×1.5", id="ratio-broken"),
        pytest.param(RATIO, values(9, 9, 9, old=0), OPEN, "of each", id="ratio-to-nothing"),
        pytest.param(RATIO, values(9, 9, 9, old=None), OPEN, "of each", id="ratio-to-none"),
        pytest.param(
            a_metric(min=3, consecutive=2), values(2, 2), FAILED, "min 3", id="too-little"
        ),
        pytest.param(
            a_metric(min_ratio=0.9, consecutive=2), values(8, 8), FAILED, "min ×0.9", id="sank"
        ),
        pytest.param(
            a_metric(max=5, max_ratio=2, consecutive=2),
            values(9, 9, old=None),
            FAILED,
            "limit max 5,",
            id="broken-without-the-other",
        ),
    ],
)
def test_values(metric: Metric, readings: list[Values], outcome: Outcome, words: str) -> None:
    verdict = judge_metric(window(metric, *readings), refuted_at=REFUTED)
    assert (verdict.outcome, words in verdict.evidence) == (outcome, True), verdict


@given(st.lists(st.sampled_from([5.0, 99.0, None]), max_size=20))
def test_a_value_fails_by_its_last_readings_alone(readings: list[float | None]) -> None:
    outcome = judge_metric(window(MOST, *values(*readings)), refuted_at=REFUTED).outcome
    assert (outcome is FAILED) == (readings[-3:] == [99.0] * 3)
    assert (outcome is PASSED) == (readings[-3:] == [5.0] * 3)


def test_what_people_see() -> None:
    assert after(UP, Counts(1, 10), Counts(2, 20)).to_json() == {
        "old": {"count": 1, "total": 10},
        "new": {"count": 2, "total": 20},
    }
    assert window(MOST).to_json() == {"old": None, "new": None}
    assert window(MOST, Values(old=None, new=4.5)).to_json() == {"old": None, "new": 4.5}
