"""What people may say in which phase."""

from collections.abc import Callable

import pytest

from migrator.rollout.events import Kind
from migrator.rollout.state import Rollout, apply
from migrator.rollout.transitions import Phase
from migrator.rollout.verbs import IllegalVerb, Verb, act, legal

Make = Callable[..., Rollout]
NO, DONE = "no", "done"
TABLE: dict[Phase, tuple[Kind | str, ...]] = {
    # promote, pause, resume, abort
    Phase.PENDING: (NO, Kind.PAUSED, DONE, Kind.ABORTED),
    Phase.HOLDING: (Kind.PROMOTED, Kind.PAUSED, DONE, Kind.ABORTED),
    Phase.WAITING: (Kind.PROMOTED, Kind.PAUSED, DONE, Kind.ABORTED),
    Phase.PAUSED: (NO, DONE, Kind.RESUMED, Kind.ABORTED),
    Phase.ROLLED_BACK: (NO, NO, Kind.RESUMED, Kind.ABORTED),
    Phase.ABORTED: (NO, NO, Kind.RESUMED, DONE),
    Phase.COMPLETE: (NO, NO, DONE, Kind.ABORTED),
}
ROWS = [
    pytest.param(phase, verb, expected, id=f"{verb} while {phase}")
    for phase, row in TABLE.items()
    for verb, expected in zip((Verb.PROMOTE, Verb.PAUSE, Verb.RESUME, Verb.ABORT), row, strict=True)
]


@pytest.mark.parametrize(("phase", "verb", "expected"), ROWS)
def test_verbs(in_phase: Make, phase: Phase, verb: Verb, expected: Kind | str) -> None:
    rollout = in_phase(phase)
    if expected == NO:
        with pytest.raises(IllegalVerb, match=f"cannot {verb} shop: it is") as refused:
            act(rollout, verb, by="alice", reason="", now=5.0)
        assert refused.value.hint == f"possible now: {', '.join(legal(phase))}"
        return
    events = act(rollout, verb, by="alice", reason="", now=5.0)
    assert [event.kind for event in events] == ([] if expected == DONE else [expected])
    for event in events:
        assert (event.by, event.at) == ("alice", 5.0)
        assert apply(rollout, event).phase is not phase


@pytest.mark.parametrize("phase", Phase)
def test_legal_verbs_are_those_with_an_event(phase: Phase) -> None:
    row = zip((Verb.PROMOTE, Verb.PAUSE, Verb.RESUME, Verb.ABORT), TABLE[phase], strict=True)
    assert set(legal(phase)) == {verb for verb, expected in row if isinstance(expected, Kind)}


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        pytest.param("", "alice said pause", id="without a reason"),
        pytest.param("lunch", "alice: lunch", id="with a reason"),
    ],
)
def test_the_reason_is_kept(in_phase: Make, reason: str, why: str) -> None:
    (event,) = act(in_phase(Phase.HOLDING), Verb.PAUSE, by="alice", reason=reason, now=5.0)
    assert event.why == why


def test_promote_is_of_the_current_step_only(in_phase: Make) -> None:
    rollout = in_phase(Phase.WAITING)
    (event,) = act(rollout, Verb.PROMOTE, by="alice", reason="", now=5.0)
    after = apply(rollout, event)
    assert (after.step, after.phase) == (2, Phase.PENDING)


def test_no_resume_while_a_service_is_off(in_phase: Make) -> None:
    rollout = in_phase(Phase.PAUSED, services_off=frozenset({"stock", "cart"}))
    with pytest.raises(IllegalVerb, match="cart-service is off") as refused:
        act(rollout, Verb.RESUME, by="alice", reason="", now=5.0)
    assert refused.value.hint == "run `migrator restore cart` first"
