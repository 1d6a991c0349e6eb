"""Arithmetic of counters: adding, subtracting, quantiles."""

import json
from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.analysis.sample import NOTHING, Histogram, Sample, total

BOUNDS = (0.25, 1.0, 8.0, 64.0, 512.0)
counts = st.lists(st.integers(0, 1000), min_size=len(BOUNDS) + 1, max_size=len(BOUNDS) + 1).map(
    tuple
)
histograms = st.builds(Histogram, bounds_ms=st.just(BOUNDS), counts=counts)
samples = st.builds(
    Sample,
    requests=st.integers(0, 10**6),
    errors=st.integers(0, 10**6),
    fallbacks=st.integers(0, 10**6),
    latency=histograms,
)
quantiles = st.floats(0, 1)
values = st.lists(st.floats(0, 500), min_size=1, max_size=50)


def counted(latencies: list[float]) -> Histogram:
    buckets = [0] * (len(BOUNDS) + 1)
    for latency in latencies:
        buckets[bisect_left(BOUNDS, latency)] += 1
    return Histogram(bounds_ms=BOUNDS, counts=tuple(buckets))


@given(samples, samples)
def test_minus_undoes_add(before: Sample, more: Sample) -> None:
    assert (before + more).minus(before) == more


@given(samples, samples, samples)
def test_adding_is_commutative_and_associative(a: Sample, b: Sample, c: Sample) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + NOTHING == NOTHING + a == a
    assert total([a, b, c]) == a + b + c


@given(samples, samples)
def test_minus_is_never_negative(now: Sample, then: Sample) -> None:
    left = now.minus(then)
    assert min(left.requests, left.errors, left.fallbacks, *left.latency.counts) >= 0


@given(samples)
def test_a_fallen_counter_counts_from_nothing(sample: Sample) -> None:
    earlier = sample + Sample(requests=1)
    assert sample.minus(earlier) == sample


@given(samples)
def test_json_round_trip(sample: Sample) -> None:
    assert Sample.from_json(json.loads(json.dumps(sample.to_json()))) == sample


@given(histograms, quantiles, quantiles)
def test_quantiles_are_monotone_and_within_bounds(h: Histogram, a: float, b: float) -> None:
    low, high = h.quantile(min(a, b)), h.quantile(max(a, b))
    if not h.total:
        assert low is None
        assert high is None
        return
    assert low is not None
    assert high is not None
    assert 0 <= low <= high + 1e-9
    assert high <= BOUNDS[-1]


@given(values, quantiles)
def test_a_quantile_is_in_the_bucket_of_the_true_one(latencies: list[float], q: float) -> None:
    rank = max(1, -int(-q * len(latencies) // 1))
    true = sorted(latencies)[min(rank, len(latencies)) - 1]
    bucket = bisect_left(BOUNDS, true)
    lower = BOUNDS[bucket - 1] if bucket else 0.0
    found = counted(latencies).quantile(q)
    assert found is not None
    assert lower <= found + 1e-9
    assert found <= BOUNDS[bucket] + 1e-9


@given(values)
def test_tails_count_what_is_above_each_bound(latencies: list[float]) -> None:
    above = [sum(1 for each in latencies if each > bound) for bound in BOUNDS]
    assert counted(latencies).tails() == [len(latencies), *above, 0]


@given(histograms, histograms, quantiles)
def test_a_quantile_of_both_is_between_those_of_each(a: Histogram, b: Histogram, q: float) -> None:
    of_both, of_a, of_b = (a + b).quantile(q), a.quantile(q), b.quantile(q)
    if of_a is None or of_b is None or of_both is None:
        return
    assert min(of_a, of_b) - 1e-9 <= of_both <= max(of_a, of_b) + 1e-9


def test_other_buckets_are_not_bent() -> None:
    old = Histogram(bounds_ms=(1.0,), counts=(5, 5))
    new = Histogram(bounds_ms=(2.0,), counts=(1, 1))
    assert old + new == new
    assert new.minus(old) == new
    assert Histogram() + old == old + Histogram() == old


def test_above_the_last_bound_the_last_bound_is_told() -> None:
    assert Histogram(bounds_ms=(1.0, 2.0), counts=(0, 0, 9)).quantile(0.5) == 2.0


@pytest.mark.parametrize(
    ("requests", "errors", "rate"),
    [
        pytest.param(0, 0, 0.0, id="nothing"),
        pytest.param(10, 0, 0.0, id="good"),
        pytest.param(10, 4, 0.4, id="some"),
        pytest.param(1, 1, 1.0, id="all"),
    ],
)
def test_rates(requests: int, errors: int, rate: float) -> None:
    assert Sample(requests=requests, errors=errors).error_rate == rate
