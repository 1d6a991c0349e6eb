"""Percentiles are samples that were seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.stats import median, percentile


@pytest.mark.parametrize(
    ("samples", "percent", "expected"),
    [
        pytest.param([5.0], 99, 5.0, id="one"),
        pytest.param([3.0, 1.0, 2.0], 50, 2.0, id="unsorted"),
        pytest.param([1.0, 2.0, 3.0, 4.0], 50, 2.0, id="lower-of-the-middle-two"),
        pytest.param([float(n) for n in range(1, 101)], 99, 99.0, id="p99-of-100"),
        pytest.param([float(n) for n in range(1, 31)], 99, 30.0, id="p99-of-30-is-the-largest"),
        pytest.param([1.0, 2.0], 100, 2.0, id="p100"),
        pytest.param([1.0, 2.0], 0.1, 1.0, id="smallest"),
    ],
)
def test_percentile(samples: list[float], percent: float, expected: float) -> None:
    assert percentile(samples, percent) == expected


@pytest.mark.parametrize(
    ("samples", "percent"),
    [
        pytest.param([], 50, id="no-samples"),
        pytest.param([1.0], 0, id="zero"),
        pytest.param([1.0], 101, id="too-much"),
    ],
)
def test_refused(samples: list[float], percent: float) -> None:
    with pytest.raises(ValueError, match=r"samples|percent"):
        percentile(samples, percent)


@given(st.lists(st.floats(allow_nan=False), min_size=1), st.floats(0.01, 100))
def test_covers_its_share(samples: list[float], percent: float) -> None:
    found = percentile(samples, percent)
    assert found in samples
    assert sum(1 for each in samples if each <= found) >= len(samples) * percent / 100 - 1e-9


def test_median() -> None:
    assert median([9.0, 1.0, 5.0]) == 5.0
