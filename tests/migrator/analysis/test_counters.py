"""Cumulative counters from elsewhere: what they grew by, and never more."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.analysis import counters as module
from migrator.analysis.counters import Counted, Growth, Tally
from migrator.analysis.proportion import Counts


def grown(*readings: Mapping[str, float]) -> float:
    growth = Growth()
    for reading in readings:
        growth = growth.read(reading)
    return growth.grown


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        pytest.param([], 0, id="nothing"),
        pytest.param([{"a": 100}], 0, id="the-first-is-the-base"),
        pytest.param([{"a": 100}, {"a": 103}, {"a": 103}, {"a": 110}], 10, id="growth"),
        pytest.param([{"a": 100, "b": 7}, {"a": 101, "b": 9}], 3, id="series-are-added-up"),
        pytest.param([{"a": 100}, {"a": 4}, {"a": 6}], 2, id="a-reset-is-lost"),
        pytest.param([{"a": 100, "b": 50}, {"a": 4, "b": 55}], 5, id="a-reset-of-one"),
        pytest.param([{"a": 100}, {}, {"a": 105}], 5, id="missing-for-a-while"),
        pytest.param([{"a": 1}, {"a": 2, "b": 1000}, {"a": 2, "b": 1001}], 2, id="a-late-series"),
    ],
)
def test_growth(readings: list[dict[str, float]], expected: float) -> None:
    assert grown(*readings) == expected


events = st.lists(
    st.one_of(st.integers(0, 5), st.just("restart"), st.just("unseen")), min_size=1, max_size=40
)


@given(st.lists(events, min_size=1, max_size=4))
def test_never_more_than_happened(processes: list[list[int | str]]) -> None:
    """Whatever restarts, and whatever is not seen: what is counted did happen after the base."""
    state = {str(number): 0 for number in range(len(processes))}
    growth, happened = Growth().read(state), 0
    for moment in range(max(map(len, processes))):
        seen = {}
        for name, did in zip(state, processes, strict=True):
            what = did[moment] if moment < len(did) else 0
            if isinstance(what, int):
                state[name] += what
                happened += what
            elif what == "restart":
                state[name] = 0
            if what != "unseen":
                seen[name] = state[name]
        growth = growth.read(seen)
        assert growth.grown <= happened
    quiet = not any(isinstance(what, str) for did in processes for what in did)
    assert not quiet or growth.grown == happened


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 3)
    growth = Growth()
    for number in range(100):
        growth = growth.read({f"pod-{number}": 1, "steady": number})
    assert len(growth.last) <= 3
    assert growth.grown == 99


def test_a_counter_that_is_ahead_is_no_more_than_all() -> None:
    tally = Tally().read(Counted({"": 0}, {"": 0})).read(Counted({"": 7}, {"": 5}))
    assert tally.counts == Counts(5, 5)
