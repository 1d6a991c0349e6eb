"""Any past moment of a log can be replayed."""

from hypothesis import given
from hypothesis import strategies as st

from migrator.rollout.events import Event, Kind
from migrator.rollout.history import at_moment
from migrator.rollout.state import Rollout, fold
from migrator.rollout.transitions import Phase


def event(kind: Kind, at: float) -> Event:
    return Event(at=at, capability="shop", kind=kind, by="alice", why="so")


LOG = [event(Kind.PAUSED, 10.0), event(Kind.RESUMED, 20.0), event(Kind.ABORTED, 30.0)]


@given(st.floats(0, 40))
def test_a_moment_is_the_fold_of_what_had_happened(moment: float) -> None:
    phases = {0: Phase.PENDING, 1: Phase.PAUSED, 2: Phase.PENDING, 3: Phase.ABORTED}
    assert at_moment(LOG, "shop", moment).phase is phases[min(int(moment // 10), 3)]


@given(st.lists(st.floats(0, 40), min_size=3, max_size=3), st.floats(0, 40))
def test_a_clock_that_jumps_gives_no_impossible_state(times: list[float], moment: float) -> None:
    log = [event(each.kind, at) for each, at in zip(LOG, times, strict=True)]
    states: list[Rollout] = [fold(log[:length], "shop") for length in range(4)]
    assert at_moment(log, "shop", moment) in states
    assert at_moment(log, "shop", max(times)) == states[3]
