"""Counters of many workers, added up."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from routing.stats import BOUNDS_MS, Stats, empty, merge

KEYS = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["live", "off"]), st.just("new"))


@st.composite
def workers(draw: st.DrawFn) -> list[dict[str, Any]]:
    stats = Stats()
    for key in draw(st.lists(KEYS, max_size=5)):
        cell = stats.cell(key)
        cell.requests += 1
        cell.errors += draw(st.integers(0, 1))
        cell.last_decided_at = draw(st.floats(0, 1e9))
        cell.record(draw(st.floats(0, 1e6)))
    return stats.document()


@given(workers(), workers(), workers())
def test_merging_has_no_order(
    a: list[dict[str, Any]], b: list[dict[str, Any]], c: list[dict[str, Any]]
) -> None:
    assert merge([*a, *b, *c]) == merge([*merge([*c, *b]), *a])
    assert sum(cell["requests"] for cell in merge([*a, *b])) == sum(
        cell["requests"] for cell in [*a, *b]
    )


@given(st.floats(0, 1e6))
def test_a_latency_is_counted_in_its_bucket(latency: float) -> None:
    cell = Stats().cell(("a", "live", "new"))
    cell.record(latency)
    index = cell.counts.index(1)
    assert index == len(BOUNDS_MS) or latency <= BOUNDS_MS[index]
    assert index == 0 or latency > BOUNDS_MS[index - 1]


def test_bounds_are_close_enough() -> None:
    assert all(1.05 < high / low < 1.12 for low, high in pairwise(BOUNDS_MS))


def test_an_empty_cell() -> None:
    assert empty(None, None, "old")["requests"] == 0
