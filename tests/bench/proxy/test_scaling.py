"""What is said of a second worker, and where nothing can be said."""

import pytest

from bench.proxy.measure import Best
from bench.proxy.scaling import HELD, THROUGHPUT, compared

ONE = Best(cpu=20, rate=30_000)


@pytest.mark.parametrize(
    ("rate", "met"),
    [
        pytest.param(57_000, True, id="at-the-goal"),
        pytest.param(56_000, False, id="below"),
    ],
)
def test_throughput(rate: float, met: bool) -> None:
    results = compared(ONE, Best(cpu=22, rate=rate), None)
    assert (results[0].name, results[0].value, results[0].met) == (THROUGHPUT, rate / 30_000, met)
    assert [each.value for each in results[1:]] == [20, 22, 1.1]


def test_workers_that_are_held_say_it_on_fewer_cores() -> None:
    slow = Best(cpu=21, rate=10_000), Best(cpu=22, rate=19_500)
    results = compared(ONE, Best(cpu=22, rate=31_000), slow)
    assert (results[0].name, results[0].value, results[0].met) == (HELD, 1.95, True)
    assert [each.value for each in results[1:]] == [20, 22, 1.1]
