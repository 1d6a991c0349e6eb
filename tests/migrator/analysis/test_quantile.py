"""Quantiles of two histograms: honest at every look, and sharp enough to be of use."""

from bisect import bisect_left
from collections.abc import Sequence
from math import inf, isnan, log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.analysis.alpha import ALPHA
from migrator.analysis.quantile import log_evidence_of_slowdown
from migrator.analysis.sample import Histogram

BOUNDS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
FINE = tuple(2 ** (step / 8) for step in range(100))
REFUTED = log(1 / ALPHA)
RUNS, LOOKS, BATCH = 60, 20, 25


def histogram(counts: Sequence[int], bounds: tuple[float, ...] = BOUNDS) -> Histogram:
    return Histogram(bounds_ms=bounds, counts=tuple(counts))


def half_more(ms: float) -> float:
    return 1.5 * ms


def the_same(ms: float) -> float:
    return ms


def alarm_rate(q: float, factor: float, *, old_batch: int = BATCH) -> float:
    """Share of simulated rollouts with an alarm at any look; the new origin is `factor` slower."""
    chance, alarms = Random(20240601), 0  # noqa: S311 - a simulation
    for _ in range(RUNS):
        new, old = [0] * (len(FINE) + 1), [0] * (len(FINE) + 1)
        for _ in range(LOOKS):
            for counts, median, batch in ((new, 50 * factor, BATCH), (old, 50.0, old_batch)):
                for _ in range(batch):
                    counts[bisect_left(FINE, median * chance.lognormvariate(0, 0.6))] += 1
            evidence = log_evidence_of_slowdown(
                histogram(new, FINE), histogram(old, FINE), q, half_more, threshold=REFUTED
            )
            if evidence >= REFUTED:
                alarms += 1
                break
    return alarms / RUNS


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
@pytest.mark.parametrize(
    "old_batch", [pytest.param(BATCH, id="as many"), pytest.param(1, id="few at the old one")]
)
def test_false_alarms_are_rare_exactly_at_the_limit(q: float, old_batch: int) -> None:
    assert alarm_rate(q, 1.5, old_batch=old_batch) <= 2 * ALPHA


def test_a_clear_slowdown_is_found() -> None:
    assert alarm_rate(0.5, 3) == 1


counts = st.lists(st.integers(0, 500), min_size=len(BOUNDS), max_size=len(BOUNDS) + 1)
histograms = counts.map(histogram)
quantiles = st.sampled_from([0.5, 0.95, 0.99])


@given(histograms, histograms, st.none() | histograms, quantiles)
def test_evidence_is_a_number(
    new: Histogram, old: Histogram, past: Histogram | None, q: float
) -> None:
    evidence = log_evidence_of_slowdown(new, old, q, half_more, past and past + old)
    assert not isnan(evidence)
    assert -inf < evidence < inf


@given(histograms, histograms, quantiles, st.floats(-5, 20))
def test_a_threshold_changes_no_decision(
    new: Histogram, old: Histogram, q: float, threshold: float
) -> None:
    exact = log_evidence_of_slowdown(new, old, q, half_more)
    quick = log_evidence_of_slowdown(new, old, q, half_more, threshold=threshold)
    assert (quick >= threshold) == (exact >= threshold)


@given(counts, histograms, quantiles, st.data())
def test_slower_requests_are_more_evidence(
    new: list[int], old: Histogram, q: float, data: st.DataObject
) -> None:
    """One request of the new origin moved to a slower bucket. Evidence below 0 is none."""
    source = data.draw(st.integers(0, len(new) - 2))
    slower = list(new)
    if slower[source]:
        slower[source] -= 1
        slower[data.draw(st.integers(source + 1, len(new) - 1))] += 1
    before = log_evidence_of_slowdown(histogram(new), old, q, half_more)
    after = log_evidence_of_slowdown(histogram(slower), old, q, half_more)
    assert max(after, 0) >= max(before, 0) - 1e-9


@given(histograms, quantiles)
def test_no_evidence_against_oneself(each: Histogram, q: float) -> None:
    assert log_evidence_of_slowdown(each, each, q, the_same) <= 0


@pytest.mark.parametrize(
    ("new", "old"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([0, 0, 0, 0, 0, 0, 0], [5, 0, 0, 0, 0, 0, 0], id="nothing new"),
        pytest.param([0, 0, 0, 0, 0, 0, 900], [0, 0, 0, 0, 0, 0, 0], id="no baseline"),
        pytest.param([0, 0, 0, 0, 0, 0, 900], [1, 0, 0, 0, 0, 0, 0], id="one is no baseline"),
        pytest.param([0, 0, 0, 0, 0, 0, 900], [0, 0, 0, 0, 0, 0, 900], id="above all bounds"),
    ],
)
def test_no_evidence_without_figures(new: list[int], old: list[int]) -> None:
    assert log_evidence_of_slowdown(histogram(new), histogram(old), 0.5, the_same) <= 0


def test_a_small_baseline_is_good_for_what_it_can_tell() -> None:
    """Thirty fast requests of the old origin: its median is low, little is known of its p99."""
    new, old = histogram([0, 0, 0, 0, 0, 900, 0]), histogram([30, 0, 0, 0, 0, 0, 0])
    assert log_evidence_of_slowdown(new, old, 0.5, the_same) > 0
    assert log_evidence_of_slowdown(new, old, 0.99, the_same) <= 0


def test_the_past_sharpens_the_baseline() -> None:
    new, old = histogram([0, 0, 60, 40, 0, 0, 0]), histogram([2, 8, 0, 0, 0, 0, 0])
    past = histogram([200, 800, 0, 0, 0, 0, 0])
    alone = log_evidence_of_slowdown(new, old, 0.5, the_same)
    assert log_evidence_of_slowdown(new, old, 0.5, the_same, past + old) > alone


def test_origins_may_have_other_buckets() -> None:
    new = Histogram(bounds_ms=(3.0, 30.0), counts=(0, 500, 0))
    assert log_evidence_of_slowdown(new, histogram([0, 500, 0, 0, 0, 0, 0]), 0.5, the_same) > 0
