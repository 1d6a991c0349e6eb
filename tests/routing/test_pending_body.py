"""What waits comes out once, in its order."""

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


def test_full_beyond_the_limit() -> None:
    pending = PendingBody()
    pending.add(b"x" * MAX_PENDING)
    assert not pending.full
    pending.add(b"x")
    assert pending.full
    pending.take()
    assert not pending.full
