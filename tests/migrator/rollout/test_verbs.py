"""What people may say in which phase."""

from collections.abc import Callable
from typing import Any

import pytest

from migrator.plan.model import Stage, Step
from migrator.plan.units import FULL_SHARE
from migrator.rollout.desired import OFF, desired_flag
from migrator.rollout.events import Event, Kind
from migrator.rollout.state import Rollout, apply
from migrator.rollout.transitions import Phase
from migrator.rollout.verbs import Details, IllegalVerb, Verb, act, legal

Make = Callable[..., Rollout]
NO, DONE = "no", "done"
VERBS = (Verb.PROMOTE, Verb.PAUSE, Verb.RESUME, Verb.ABORT, Verb.RETRY, Verb.RESTART)
TABLE: dict[Phase, tuple[Kind | str, ...]] = {
    # promote, pause, resume, abort, retry, restart
    Phase.PENDING: (NO, Kind.PAUSED, DONE, Kind.ABORTED, DONE, Kind.RESTARTED),
    Phase.HOLDING: (Kind.PROMOTED, Kind.PAUSED, DONE, Kind.ABORTED, DONE, Kind.RESTARTED),
    Phase.WAITING: (Kind.PROMOTED, Kind.PAUSED, DONE, Kind.ABORTED, DONE, Kind.RESTARTED),
    Phase.PAUSED: (NO, DONE, Kind.RESUMED, Kind.ABORTED, NO, Kind.RESTARTED),
    Phase.ROLLED_BACK: (NO, NO, Kind.RESUMED, Kind.ABORTED, Kind.RETRIED, Kind.RESTARTED),
    Phase.ABORTED: (NO, NO, Kind.RESUMED, DONE, NO, Kind.RESTARTED),
    Phase.COMPLETE: (DONE, NO, DONE, Kind.ABORTED, DONE, Kind.RESTARTED),
}
ROWS = [
    pytest.param(phase, verb, expected, id=f"{verb} while {phase}")
    for phase, row in TABLE.items()
    for verb, expected in zip(VERBS, row, strict=True)
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
        assert apply(rollout, event) != rollout


@pytest.mark.parametrize("phase", Phase)
def test_legal_verbs_are_those_with_an_event(phase: Phase) -> None:
    row = zip(VERBS, TABLE[phase], strict=True)
    assert set(legal(phase)) & set(VERBS) == {
        verb for verb, expected in row if isinstance(expected, Kind)
    }


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
    assert say(after, Verb.PROMOTE) == (), "twice is once"


def test_promote_between_steps_passes_what_holds_the_next_one_back(in_phase: Make) -> None:
    rollout = in_phase(Phase.PENDING, step=2)
    (event,) = say(rollout, Verb.PROMOTE)
    after = apply(rollout, event)
    assert (after.step, after.entered, after.chosen) == (2, 1, True)
    assert say(after, Verb.PROMOTE) == ()


def test_promote_after_the_last_step(in_phase: Make) -> None:
    assert say(in_phase(Phase.PENDING, step=3, entered=2), Verb.PROMOTE) == ()


def test_no_resume_while_a_service_is_off(in_phase: Make) -> None:
    rollout = in_phase(Phase.PAUSED, services_off=frozenset({"stock", "cart"}))
    with pytest.raises(IllegalVerb, match="cart-service is off") as refused:
        act(rollout, Verb.RESUME, by="alice", reason="", now=5.0)
    assert refused.value.hint == "run `migrator restore cart` first"


def say(rollout: Rollout, verb: Verb, **details: Any) -> tuple[Event, ...]:
    asked = Details(**details)
    return act(rollout, verb, by="alice", reason="", now=5.0, details=asked, steps=rollout.steps)


@pytest.mark.parametrize(
    ("phase", "changes", "to", "step"),
    [
        pytest.param(Phase.HOLDING, {}, "1", 0, id="by number"),
        pytest.param(Phase.WAITING, {}, "shadow", 0, id="by stage"),
        pytest.param(Phase.PAUSED, {}, "1", 0, id="paused"),
        pytest.param(Phase.COMPLETE, {"entered": 2}, "live", 2, id="the last step of a stage"),
        pytest.param(Phase.PENDING, {"step": 2}, "2", 1, id="before the next one is entered"),
        pytest.param(Phase.HOLDING, {}, "2", None, id="there already"),
    ],
)
def test_rollback(
    in_phase: Make, phase: Phase, changes: dict[str, Any], to: str, step: int | None
) -> None:
    rollout = in_phase(phase, **changes)
    events = say(rollout, Verb.ROLLBACK, to=to)
    assert [event.data.get("step") for event in events] == ([] if step is None else [step])
    for event in events:
        after = apply(rollout, event)
        assert (after.step, after.entered, after.window) == (step, step, None)
        assert after.phase is (Phase.PAUSED if phase is Phase.PAUSED else Phase.PENDING)
        assert say(after, Verb.ROLLBACK, to=to) == ()


@pytest.mark.parametrize(
    ("phase", "changes", "to", "told"),
    [
        pytest.param(Phase.HOLDING, {}, "3", r"to step 3 \(live 100%\): it is at step 2", id="on"),
        pytest.param(Phase.HOLDING, {}, "9", "'9', expected a step from 1 to 3", id="no such step"),
        pytest.param(Phase.HOLDING, {}, "off", "or one of shadow, live", id="no such stage"),
        pytest.param(Phase.ROLLED_BACK, {}, "1", "it is rolled back", id="rolled back"),
        pytest.param(Phase.PAUSED, {"hands_off": True}, "1", "not the controller's", id="theirs"),
        pytest.param(Phase.PENDING, {"entered": None}, "1", "not at a step yet", id="not begun"),
    ],
)
def test_no_rollback(
    in_phase: Make, phase: Phase, changes: dict[str, Any], to: str, told: str
) -> None:
    with pytest.raises(IllegalVerb, match=told):
        say(in_phase(phase, **changes), Verb.ROLLBACK, to=to)


@pytest.mark.parametrize("phase", [Phase.HOLDING, Phase.WAITING, Phase.PENDING])
def test_promote_to_the_last_step(in_phase: Make, phase: Phase) -> None:
    rollout = in_phase(phase)
    (event,) = say(rollout, Verb.PROMOTE, full=True)
    after = apply(rollout, event)
    assert (after.phase, after.step, after.entered) == (Phase.PENDING, 2, 1)
    assert say(after, Verb.PROMOTE, full=True) == ()


@pytest.mark.parametrize("phase", [Phase.PAUSED, Phase.ROLLED_BACK, Phase.ABORTED])
def test_no_promote_to_the_last_step(in_phase: Make, phase: Phase) -> None:
    with pytest.raises(IllegalVerb, match="cannot promote shop"):
        say(in_phase(phase), Verb.PROMOTE, full=True)


def test_retry_is_of_the_step_that_was_shown(in_phase: Make) -> None:
    """Also where the failure was seen between two steps, and after the last one."""
    for phase, step in ((Phase.HOLDING, 1), (Phase.PENDING, 2), (Phase.COMPLETE, 3)):
        failed = Event(at=1.0, capability="shop", kind=Kind.ROLLED_BACK, by="me", why="errors")
        rollout = apply(in_phase(phase, step=step, entered=1), failed)
        assert desired_flag(rollout) == OFF
        (event,) = say(rollout, Verb.RETRY)
        after = apply(rollout, event)
        assert (after.phase, after.step, after.begun) == (Phase.PENDING, 1, True)
        assert say(after, Verb.RETRY) == ()


def test_restart_is_from_the_first_step(in_phase: Make) -> None:
    rollout = in_phase(Phase.COMPLETE)
    (event,) = say(rollout, Verb.RESTART)
    after = apply(rollout, event)
    assert (after.phase, after.step, after.begun) == (Phase.PENDING, 0, False)
    assert say(after, Verb.RESTART) == ()


@pytest.mark.parametrize("phase", Phase)
def test_set_is_possible_always(in_phase: Make, phase: Phase) -> None:
    rollout = in_phase(phase)
    (event,) = say(rollout, Verb.SET, stage=Stage.LIVE, share=2_000)
    after = apply(rollout, event)
    desired = desired_flag(after)
    assert after.phase is Phase.PAUSED
    assert desired is not None
    assert desired.weights == ((Stage.SHADOW, 98_000), (Stage.LIVE, 2_000))
    assert say(after, Verb.SET, stage=Stage.LIVE, share=2_000) == ()


def test_set_before_the_schedule_began(short: tuple[Step, ...]) -> None:
    rollout = Rollout(capability="shop")
    details = Details(stage=Stage.SHADOW)
    (event,) = act(rollout, Verb.SET, by="alice", reason="", now=5.0, details=details, steps=short)
    after = apply(rollout, event)
    desired = desired_flag(after)
    assert desired is not None
    assert desired.weights == ((Stage.SHADOW, FULL_SHARE),)
    (event,) = say(after, Verb.RESUME)
    resumed = apply(after, event)
    assert (resumed.phase, resumed.begun, resumed.placed) == (Phase.PENDING, False, None)
    assert resumed.restart, "the flag is on by our doing: nobody is to be asked"


@pytest.mark.parametrize(
    ("details", "told"),
    [
        pytest.param({"stage": None}, "to nothing", id="nothing"),
        pytest.param({"stage": Stage.OFF}, "to off", id="off"),
        pytest.param({"stage": Stage.LIVE, "share": 0}, "to 0%: expected more", id="nobody"),
    ],
)
def test_no_set(in_phase: Make, details: dict[str, Any], told: str) -> None:
    with pytest.raises(IllegalVerb, match=told):
        say(in_phase(Phase.HOLDING), Verb.SET, **details)


@pytest.mark.parametrize("verb", [Verb.RETRY, Verb.RESTART, Verb.SET])
def test_a_kill_switch_stays(in_phase: Make, verb: Verb) -> None:
    rollout = in_phase(Phase.ROLLED_BACK, services_off=frozenset({"cart"}))
    with pytest.raises(IllegalVerb, match="cart-service is off"):
        say(rollout, verb, stage=Stage.LIVE)
