"""Durations and shares: text to number and back, and what is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.plan.units import (
    FULL_SHARE,
    MAX_DURATION,
    format_duration,
    format_share,
    parse_duration,
    parse_share,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("250ms", 0.25, id="milliseconds"),
        pytest.param("0.5ms", 0.0005, id="part-of-a-millisecond"),
        pytest.param("30s", 30, id="seconds"),
        pytest.param("1.5m", 90, id="fraction"),
        pytest.param("1h30m", 5400, id="two-units"),
        pytest.param("1d", 86400, id="day"),
        pytest.param("0s", 0, id="zero"),
        pytest.param("366d", MAX_DURATION, id="longest"),
        pytest.param(2.5, 2.5, id="seconds-as-float"),
    ],
)
def test_duration(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "value",
    [5, True, None, "5", "", "s", "5 s", "5x", "-5s", "1e3s", "٣s", "5s5", ["5s"], "1.2345s"],
    ids=repr,
)
def test_no_duration(value: object) -> None:
    with pytest.raises(ValueError, match=r"expected a duration such as 250ms, 30s, 5m or 1h30m"):
        parse_duration(value)


@pytest.mark.parametrize(
    "value", ["366d1ms", "999999999d", -0.5, float("inf"), float("nan")], ids=repr
)
def test_duration_out_of_bounds(value: object) -> None:
    with pytest.raises(ValueError, match="from 0s to 366d"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(0.0, "0s", id="zero"),
        pytest.param(0.025, "25ms", id="milliseconds"),
        pytest.param(0.0005, "0.5ms", id="part-of-a-millisecond"),
        pytest.param(90061.001, "1d1h1m1s1ms", id="every-unit"),
        pytest.param(3600.0, "1h", id="no-empty-units"),
    ],
)
def test_format_duration(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(0, int(MAX_DURATION) * 1_000_000))
def test_duration_round_trip(micro: int) -> None:
    seconds = micro / 1_000_000
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        pytest.param("5%", 5000, id="whole"),
        pytest.param("0.5%", 500, id="fraction"),
        pytest.param("0.001%", 1, id="least"),
        pytest.param("100%", FULL_SHARE, id="all"),
        pytest.param("0%", 0, id="none"),
        pytest.param(" 12.5 % ", 12500, id="spaces"),
    ],
)
def test_share(text: str, weight: int) -> None:
    assert parse_share(text) == weight


@pytest.mark.parametrize(
    "value",
    [5, 0.05, True, None, "5", "%", "100.001%", "101%", "-1%", "0.0001%", "1e1%", "٥%", "5%%"],
    ids=repr,
)
def test_no_share(value: object) -> None:
    message = re.escape("expected a percentage from 0% to 100%, such as 5% or 0.5%")
    with pytest.raises(ValueError, match=message):
        parse_share(value)


@given(st.integers(0, FULL_SHARE))
def test_share_round_trip(weight: int) -> None:
    assert parse_share(format_share(weight)) == weight
