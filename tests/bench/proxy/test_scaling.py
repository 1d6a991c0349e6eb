"""What is said of a second worker, and where nothing can be said."""

import pytest

from bench.proxy.measure import Best
from bench.proxy.scaling import THROUGHPUT, compared

ONE = Best(cpu=20, rate=30_000)


@pytest.mark.parametrize(
    ("rate", "met"),
    [
        pytest.param(57_000, True, id="at-the-goal"),
        pytest.param(56_000, False, id="below"),
    ],
)
def test_throughput(rate: float, met: bool) -> None:
    results, missing = compared(ONE, Best(cpu=22, rate=rate), 4)
    assert (results[0].name, results[0].value, results[0].met) == (THROUGHPUT, rate / 30_000, met)
    assert [each.value for each in results[1:]] == [20, 22, 1.1]
    assert missing == {}


def test_two_cores_say_nothing_of_throughput() -> None:
    results, missing = compared(ONE, Best(cpu=22, rate=31_000), 2)
    assert [each.value for each in results] == [20, 22, 1.1]
    why = "two workers, the load and the origin need 4 cores, here are 2"
    assert missing == {THROUGHPUT: why}
