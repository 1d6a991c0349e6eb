"""What is chosen stays within the rate and stands for all that passed."""

from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.rate_bound import RateBound, TokenBucket


def seeded(seed: int) -> Callable[[], float]:
    return Random(seed).random  # noqa: S311 no secret


def run(bound: RateBound, times: list[float]) -> list[tuple[int, int]]:
    """Which of the requests at `times` are chosen, with their weights."""
    chosen = []
    left = drawn = bound.gap()
    for number, now in enumerate(times):
        left -= 1
        if left >= 0:
            continue
        bound.let_pass(drawn)
        weight = bound.weigh(now, wanted=True)
        if weight:
            chosen.append((number, weight))
        left = drawn = bound.gap()
    return chosen


@given(
    rate=st.sampled_from([0.5, 1.0, 5.0, 50.0]),
    pauses=st.lists(st.floats(0, 0.2), max_size=300),
    seed=st.integers(),
)
def test_the_rate_holds_in_every_window(rate: float, pauses: list[float], seed: int) -> None:
    times = [sum(pauses[:index]) for index in range(len(pauses))]
    at = [times[number] for number, _ in run(RateBound(rate, 0.0, seeded(seed)), times)]
    burst = max(rate, 1.0)
    for first in range(len(at)):
        for last in range(first, len(at)):
            assert last - first + 1 <= burst + (at[last] - at[first]) * rate + 1e-6


@pytest.mark.parametrize("rate", [10, 100, 1000])
def test_each_stands_for_those_since_the_last(rate: float) -> None:
    """Also when there are a thousand times as many as may be chosen."""
    times = [index / 20_000 for index in range(40_000)]
    chosen = run(RateBound(rate, 0.0, seeded(1)), times)
    assert rate <= len(chosen) <= 3 * rate
    numbers = [-1, *(number for number, _ in chosen)]
    assert [weight for _, weight in chosen] == [b - a for a, b in pairwise(numbers)]


def test_slow_traffic_is_chosen_whole() -> None:
    times = [index / 10 for index in range(200)]
    assert run(RateBound(50, 0.0, seeded(1)), times) == [(n, 1) for n in range(200)]


def test_kinds_of_requests_are_represented_without_bias() -> None:
    """Every third request is of one kind: about a third of the weight is on it."""
    bound = RateBound(200, 0.0, seeded(7))
    weights = [0, 0, 0]
    left = drawn = bound.gap()
    for index in range(300_000):
        left -= 1
        if left >= 0:
            continue
        bound.let_pass(drawn)
        weights[index % 3] += bound.weigh(index / 10_000, wanted=True)
        left = drawn = bound.gap()
    assert all(90_000 < weight < 110_000 for weight in weights), weights


def test_after_much_traffic_little_is_seen_again() -> None:
    bound = RateBound(1, 0.0, seeded(1))
    run(bound, [0.0] * 100_000)
    now = 0.0
    while bound.relax(now := now + 1.0):
        pass
    assert bound.gap() == 0


def test_what_is_not_wanted_takes_no_token() -> None:
    bound = RateBound(1, 0.0, lambda: 0.0)
    assert [bound.weigh(0.0, wanted=False) for _ in range(5)] == [0] * 5
    assert bound.weigh(0.0, wanted=True) == 1


def test_the_bucket() -> None:
    bucket = TokenBucket(2.0, 10.0)
    assert [bucket.take(now) for now in (10.0, 10.0, 10.0, 10.4, 10.5, 99.0, 99.0, 99.0)] == [
        *(True, True, False, False, True),
        *(True, True, False),
    ]
