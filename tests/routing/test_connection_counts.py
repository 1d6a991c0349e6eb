"""Connections of one address, up to a limit."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from routing.connection_counts import ConnectionCounts

STEPS = st.lists(st.tuples(st.sampled_from([b"a", b"b"]), st.booleans()), max_size=40)


@given(STEPS, st.integers(1, 4))
def test_like_a_counter(steps: list[tuple[bytes, bool]], most: int) -> None:
    counts = ConnectionCounts()
    model: Counter[bytes] = Counter()
    for address, opens in steps:
        if opens:
            assert counts.take(address, most) is (model[address] < most)
            model[address] = min(model[address] + 1, most)
        elif model[address]:
            counts.give(address)
            model[address] -= 1
