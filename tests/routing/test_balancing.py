"""Two random choices, the warmth of a draw, and when all endpoints are used."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.balancing import in_use, least_request
from routing.slow_start import LEAST, warmth


@dataclass(eq=False)
class Host:
    load: int = 0
    warmth: float = 1.0


def draws(seed: int) -> Callable[[], float]:
    return Random(seed).random  # noqa: S311 - the same numbers in each run are meant


hosts = st.lists(
    st.builds(Host, st.integers(0, 50), st.floats(LEAST, 1.0)), min_size=1, max_size=20
)


@given(hosts, st.integers())
def test_one_of_the_candidates_and_never_the_most_loaded_of_warm_ones(
    candidates: list[Host], seed: int
) -> None:
    chosen = least_request(candidates, draws(seed))
    assert chosen in candidates
    for each in candidates:
        each.warmth = 1.0
    chosen = least_request(candidates, draws(seed))
    loads = sorted(each.load for each in candidates)
    if len(loads) > 1 and loads[-1] > loads[-2]:
        assert chosen.load < loads[-1]


@given(hosts.filter(lambda given: len(given) > 1), st.data())
def test_two_different_ones_are_drawn(candidates: list[Host], data: st.DataObject) -> None:
    """Whatever the draws: also numbers just below 1 stay in range."""
    numbers = st.floats(0, 1, exclude_max=True)
    least_request(candidates, lambda: data.draw(numbers))


def spread(candidates: list[Host], requests: int) -> list[float]:
    """The share of each, while nothing is in flight."""
    draw = draws(7)
    counts = Counter(id(least_request(candidates, draw)) for _ in range(requests))
    return [counts[id(each)] / requests for each in candidates]


@pytest.mark.parametrize(
    ("warm", "expected"),
    [
        pytest.param([1.0, 1.0], [0.5, 0.5], id="even"),
        pytest.param([1.0, 0.5], [0.75, 0.25], id="half-warm"),
        pytest.param([1.0, 0.1], [0.95, 0.05], id="cold"),
        pytest.param([0.1, 0.1], [0.5, 0.5], id="all-cold"),
        pytest.param([1.0, 1.0, 1.0, 0.5], [7 / 24, 7 / 24, 7 / 24, 1 / 8], id="one-of-four"),
    ],
)
def test_shares_grow_with_warmth(warm: list[float], expected: list[float]) -> None:
    assert spread([Host(warmth=each) for each in warm], 20_000) == pytest.approx(expected, abs=0.02)


def test_two_choices_are_nearly_even() -> None:
    """Each request stays: the fullest of 50 is close to the mean, which one choice is not."""
    candidates, draw = [Host() for _ in range(50)], draws(7)
    for _ in range(5_000):
        least_request(candidates, draw).load += 1
    assert max(each.load for each in candidates) <= 103


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0.001, 1e5))
def test_warmth_grows_from_little_to_all(age: float, more: float, window: float) -> None:
    assert LEAST <= warmth(age, window) <= warmth(age + more, window) <= 1.0
    assert warmth(window, window) == 1.0
    assert warmth(-age, window) in (LEAST, 1.0)


@pytest.mark.parametrize("age", [-3.0, 0.0, 1.0])
def test_without_a_window_all_are_warm(age: float) -> None:
    assert warmth(age, 0.0) == 1.0


@given(st.integers(1, 20), st.data(), st.floats(0, 100))
def test_panic(count: int, data: st.DataObject, percent: float) -> None:
    endpoints = [Host() for _ in range(count)]
    usable = endpoints[: data.draw(st.integers(0, count))]
    used = in_use(endpoints, usable, percent)
    assert used, "a request always finds an endpoint"
    if usable and len(usable) / count * 100 > percent + 1e-6:
        assert used == usable
    if len(usable) / count * 100 < percent - 1e-6:
        assert used == endpoints
