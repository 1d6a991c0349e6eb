"""What waits comes out once, in its order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.pending_body import MAX_PENDING, PendingBody


@given(st.lists(st.lists(st.binary(max_size=9), max_size=4), max_size=4))
def test_all_of_it_once(bodies: list[list[bytes]]) -> None:
    pending = PendingBody()
    for parts in bodies:
        for part in parts:
            pending.add(part)
        assert pending.take() == b"".join(parts)
        assert pending.take() == b""


@pytest.mark.parametrize(("size", "full"), [(MAX_PENDING, False), (MAX_PENDING + 1, True)])
def test_full_beyond_the_limit(size: int, full: bool) -> None:
    pending = PendingBody()
    pending.add(b"x" * size)
    assert pending.full is full
