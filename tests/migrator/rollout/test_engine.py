"""What the engine says to one observation: gates one by one, people first, then the analysis."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from migrator.analysis.proportion import MIN_JUDGED
from migrator.analysis.sample import NOTHING, Sample
from migrator.analysis.stats import Counters, Key
from migrator.analysis.verdict import Outcome, Verdict
from migrator.plan.model import Stage, Step
from migrator.plan.units import FULL_SHARE
from migrator.rollout.desired import OFF, DesiredFlag, desired_flag
from migrator.rollout.engine import advance
from migrator.rollout.events import CONTROLLER, Event, Kind
from migrator.rollout.gate import closed_gate, needed
from migrator.rollout.observation import Change, Figures, Observation, Off, SeenFlag
from migrator.rollout.state import Rollout, Window, apply
from migrator.rollout.transitions import Phase

Make = Callable[..., Rollout]
Steps = tuple[Step, ...]
LIVE_5 = ((Stage.SHADOW, 95_000), (Stage.LIVE, 5_000))
COUNTERS = Counters(instance="a", cells={Key(Stage.OFF, "old"): Sample(requests=70)})
WINDOW = Window(seq=1, since=0.0, base=COUNTERS)
PASS = Verdict(outcome=Outcome.PASSED, evidence="new 0/100, old 0/100")
FAIL = Verdict(outcome=Outcome.FAILED, evidence="new 60/100, old 0/100")
OFF_BY_ALICE = Off(why="cart-service is off (alice)")
OPEN = Verdict(outcome=Outcome.NOT_ENOUGH_DATA, evidence="3 of 20")


def figures(**changes: Any) -> Figures:
    known: dict[str, Any] = {
        "counters": COUNTERS,
        "asked": {Key(Stage.LIVE, "new"): 100},
        "old": NOTHING,
        "verdict": PASS,
    }
    return Figures(**{**known, **changes})


def seen(**changes: Any) -> Observation:
    """The flag shows step 2 of `short`, and all is well."""
    known: dict[str, Any] = {
        "flag": SeenFlag(version=3, on=True, weights=LIVE_5),
        "figures": figures(),
        "services_off": {},
    }
    return Observation(**{**known, **changes})


def kinds(events: tuple[Event, ...]) -> list[Kind]:
    return [event.kind for event in events]


@pytest.fixture
def at_step(in_phase: Make) -> Rollout:
    """At the second step of `short` for 10 seconds, at time 100."""
    return in_phase(Phase.HOLDING, hold_since=90.0, applied=True, window=WINDOW)


@pytest.mark.parametrize(
    ("changes", "rollout_changes", "topic"),
    [
        pytest.param({}, {}, None, id="all open"),
        pytest.param({"flag": None}, {}, "flag", id="no flag server"),
        pytest.param(
            {"flag": SeenFlag(version=3, on=False, weights=LIVE_5)}, {}, "flag", id="flag off"
        ),
        pytest.param(
            {"flag": SeenFlag(version=3, on=True, weights=None)}, {}, "flag", id="no shares"
        ),
        pytest.param(
            {"flag": SeenFlag(version=3, on=True, weights=((Stage.LIVE, FULL_SHARE),))},
            {},
            "flag",
            id="other shares",
        ),
        pytest.param({}, {"hands_off": True}, "flag", id="hands off"),
        pytest.param({}, {"hold_since": 90.1}, "hold", id="hold runs"),
        pytest.param({}, {"hold_since": None}, "hold", id="hold not begun"),
        pytest.param({"services_off": None}, {}, "service", id="services unknown"),
        pytest.param(
            {"services_off": {"cart": Off(why="off")}}, {}, "service", id="a service is off"
        ),
        pytest.param({"figures": None}, {}, "figures", id="no figures"),
        pytest.param({"figures": figures(verdict=None)}, {}, "figures", id="no verdict"),
        pytest.param(
            {"figures": figures(asked={Key(Stage.LIVE, "new"): 99})}, {}, "data", id="too few"
        ),
        pytest.param(
            {"figures": figures(asked={Key(Stage.LIVE, "old"): 1000})}, {}, "data", id="not there"
        ),
        pytest.param({"figures": figures(verdict=OPEN)}, {}, "data", id="verdict open"),
        pytest.param({"figures": figures(verdict=FAIL)}, {}, "data", id="verdict failed"),
    ],
)
def test_gates(
    at_step: Rollout, changes: dict[str, Any], rollout_changes: dict[str, Any], topic: str | None
) -> None:
    rollout = replace(at_step, **rollout_changes)
    gate = closed_gate(rollout, rollout.steps[1], seen(**changes), 100.0)
    assert (gate.topic if gate else None) == topic
    passed = Kind.STEP_PASSED in kinds(advance(rollout, rollout.steps, seen(**changes), 100.0))
    assert passed is (topic is None)


def test_approval_is_the_last_gate(in_phase: Make) -> None:
    rollout = in_phase(Phase.HOLDING, hold_since=0.0, step=2, entered=2, window=WINDOW)
    flag = SeenFlag(version=3, on=True, weights=((Stage.LIVE, FULL_SHARE),))
    events = advance(rollout, rollout.steps, seen(flag=flag), 100.0)
    assert kinds(events) == [Kind.HELD]
    assert "migrator promote shop" in events[0].why
    waiting = apply(rollout, events[0])
    assert waiting.phase is Phase.WAITING
    assert advance(waiting, waiting.steps, seen(flag=flag), 101.0) == (), "said once"


def test_the_next_step_is_entered_in_the_same_look(at_step: Rollout) -> None:
    events = advance(at_step, at_step.steps, seen(), 100.0)
    assert kinds(events) == [Kind.STEP_PASSED, Kind.STEP_ENTERED]
    assert {event.by for event in events} == {CONTROLLER}
    after = apply(apply(at_step, events[0]), events[1])
    assert after.step == after.entered == 2
    assert desired_flag(after) == DesiredFlag(on=True, weights=((Stage.LIVE, FULL_SHARE),))


def test_a_rollout_begins(short: Steps) -> None:
    flag = SeenFlag(version=1, on=False, weights=None)
    rollout = Rollout(capability="shop")
    events = advance(rollout, short, seen(flag=flag, figures=figures(verdict=None)), 100.0)
    assert kinds(events) == [Kind.STARTED, Kind.STEP_ENTERED]
    assert events[1].why == "shadow 100%"
    for event in events:
        rollout = apply(rollout, event)
    assert rollout.history.requests == 70, "what the old origin did before is a baseline"
    assert rollout.steps == short


@pytest.mark.parametrize(
    "missing",
    [
        pytest.param({"flag": None}, id="flag"),
        pytest.param({"figures": None}, id="figures"),
        pytest.param({"services_off": None}, id="services"),
    ],
)
def test_nothing_begins_in_the_dark(short: Steps, missing: dict[str, Any]) -> None:
    assert advance(Rollout(capability="shop"), short, seen(**missing), 100.0) == ()


def test_a_flag_that_is_on_already_is_not_taken_over(short: Steps) -> None:
    rollout = Rollout(capability="shop")
    events = advance(rollout, short, seen(), 100.0)
    assert kinds(events) == [Kind.FLAG_CHANGED_BY_OTHER]
    paused = apply(rollout, events[0])
    assert (paused.phase, desired_flag(paused)) == (Phase.PAUSED, None)
    assert "migrator resume shop" in paused.reason


@pytest.mark.parametrize(
    ("change", "on", "why"),
    [
        pytest.param(("alice", "in the dashboard", ""), False,
                     "alice turned shop off in the dashboard", id="off in the dashboard"),
        pytest.param(("bob", "through the API", "it burns"), False,
                     'bob turned shop off through the API ("it burns")', id="off with a comment"),
        pytest.param(("bob", "", ""), True, "bob changed shop", id="shares"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "phase", [Phase.PENDING, Phase.HOLDING, Phase.WAITING, Phase.PAUSED, Phase.COMPLETE]
)
def test_a_persons_change_pauses_with_name_way_and_comment(
    in_phase: Make, phase: Phase, change: tuple[str, str, str], on: bool, why: str
) -> None:
    by, via, comment = change
    flag = SeenFlag(
        version=4, on=on, weights=LIVE_5,
        change=Change(by=by, via=via, comment=comment, audit_id="9"),
    )  # fmt: skip
    rollout = in_phase(phase, hold_since=0.0)
    events = advance(rollout, rollout.steps, seen(flag=flag), 100.0)
    assert (kinds(events), events[0].by) == ([Kind.FLAG_CHANGED_BY_OTHER], by)
    after = apply(rollout, events[0])
    assert (after.phase, after.reason, after.audit_id) == (Phase.PAUSED, why, "9")
    assert desired_flag(after) is None, "their flag is left alone"


@pytest.mark.parametrize("phase", [Phase.ROLLED_BACK, Phase.ABORTED])
@pytest.mark.parametrize(
    ("on", "expected"),
    [
        pytest.param(False, (Kind.FLAG_NOTED, OFF), id="off stays ours"),
        pytest.param(True, (Kind.FLAG_CHANGED_BY_OTHER, None), id="on is theirs"),
    ],
)
def test_changes_of_a_flag_that_is_off(
    in_phase: Make, phase: Phase, on: bool, expected: tuple[Kind, DesiredFlag | None]
) -> None:
    change = Change(by="alice", via="", comment="", audit_id=None)
    flag = SeenFlag(version=4, on=on, weights=None, change=change)
    rollout = in_phase(phase, entered=None, restart=True, flag_on=False, reason="it failed")
    (event,) = advance(rollout, rollout.steps, seen(flag=flag), 100.0)
    after = apply(rollout, event)
    assert (event.kind, desired_flag(after)) == expected
    if not on:
        assert after.reason == "it failed"


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_older_version_is_old_news(at_step: Rollout, version: int) -> None:
    change = Change(by="alice", via="", comment="", audit_id=None)
    flag = SeenFlag(version=version, on=False, weights=None, change=change)
    rollout = replace(at_step, hold_since=100.0)
    assert advance(rollout, rollout.steps, seen(flag=flag), 100.0) == ()


def test_an_own_change_begins_the_hold(in_phase: Make) -> None:
    rollout = in_phase(Phase.HOLDING, hold_since=50.0, applied=False)
    flag = SeenFlag(version=4, on=True, weights=LIVE_5)
    (event,) = advance(rollout, rollout.steps, seen(flag=flag), 58.0)
    after = apply(rollout, event)
    assert (event.kind, after.hold_since, after.applied) == (Kind.FLAG_APPLIED, 58.0, True)


@pytest.mark.parametrize(
    ("phase", "hands_off"),
    [
        pytest.param(Phase.HOLDING, True, id="holding"),
        pytest.param(Phase.COMPLETE, True, id="complete"),
        pytest.param(Phase.PENDING, True, id="pending"),
        pytest.param(Phase.ROLLED_BACK, False, id="rolled back"),
        pytest.param(Phase.ABORTED, False, id="aborted"),
    ],
)
def test_a_service_that_is_switched_off(in_phase: Make, phase: Phase, hands_off: bool) -> None:
    back = phase in (Phase.ROLLED_BACK, Phase.ABORTED)
    rollout = in_phase(phase, restart=back, entered=None if back else 1, reason="before")
    off = seen(services_off={"cart": OFF_BY_ALICE})
    events = advance(rollout, rollout.steps, off, 100.0)
    assert kinds(events) == [Kind.KILLED]
    after = apply(rollout, events[0])
    assert after.phase is (phase if back else Phase.PAUSED)
    assert after.reason == ("before" if back else "cart-service is off (alice)")
    assert after.hands_off is hands_off
    assert advance(after, after.steps, off, 101.0) == (), "said once"
    (restored,) = advance(after, after.steps, seen(), 102.0)
    assert restored.kind is Kind.RESTORED
    assert apply(after, restored).phase is after.phase, "that it is back does not go on"


@pytest.mark.parametrize(
    "phase", [Phase.PENDING, Phase.HOLDING, Phase.WAITING, Phase.PAUSED, Phase.COMPLETE]
)
def test_a_failed_analysis_goes_back_from_everywhere(in_phase: Make, phase: Phase) -> None:
    """`pending` too: somebody promoted, or resumed, in the moment in which it began to fail."""
    rollout = in_phase(phase, window=WINDOW, hold_since=100.0)
    (event,) = advance(rollout, rollout.steps, seen(figures=figures(verdict=FAIL)), 100.0)
    after = apply(rollout, event)
    assert (after.phase, after.reason) == (Phase.ROLLED_BACK, FAIL.evidence)
    assert desired_flag(after) == OFF


def test_what_belongs_to_others_is_not_judged(in_phase: Make) -> None:
    rollout = in_phase(Phase.PAUSED, window=WINDOW, hands_off=True)
    assert advance(rollout, rollout.steps, seen(figures=figures(verdict=FAIL)), 100.0) == ()


BROKEN = Off(why="cart-service is off: 31/40 requests failed in 0.5 s", broken=True)


@pytest.mark.parametrize(
    ("phase", "then"),
    [
        pytest.param(Phase.HOLDING, Phase.HOLDING, id="holding"),
        pytest.param(Phase.WAITING, Phase.HOLDING, id="waiting"),
        pytest.param(Phase.PAUSED, Phase.PAUSED, id="paused"),
        pytest.param(Phase.COMPLETE, Phase.COMPLETE, id="complete"),
    ],
)
def test_a_broken_service_interrupts_and_the_step_is_measured_anew(
    in_phase: Make, phase: Phase, then: Phase
) -> None:
    """Whatever the figures say meanwhile, and however long it takes."""
    rollout = in_phase(phase, window=WINDOW, hold_since=0.0, applied=True)
    broken = seen(services_off={"cart": BROKEN}, figures=figures(verdict=FAIL))
    (event,) = advance(rollout, rollout.steps, broken, 100.0)
    away = apply(rollout, event)
    assert (event.kind, away.reason) == (Kind.INTERRUPTED, BROKEN.why)
    assert away.phase is (Phase.WAITING if phase is Phase.HOLDING else phase)
    assert desired_flag(away) == desired_flag(rollout), "its prerequisite is enough"
    unmeasured = replace(broken, figures=figures(verdict=None))
    assert advance(away, away.steps, unmeasured, 9_000.0) == ()
    gate = closed_gate(away, away.steps[1], unmeasured, 9_000.0)
    assert gate is not None
    assert gate.why == BROKEN.why
    events = advance(away, away.steps, seen(figures=figures(verdict=None)), 9_001.0)
    assert kinds(events) == [Kind.RESTORED, Kind.MEASURED]
    back = apply(apply(away, events[0]), events[1])
    assert (back.phase, back.step, back.hold_since) == (then, rollout.step, 9_001.0)
    assert back.window is not None


def test_a_step_is_not_entered_without_its_services(in_phase: Make) -> None:
    rollout = in_phase(Phase.PENDING, step=2, chosen=True)
    broken = seen(services_off={"cart": BROKEN})
    (event,) = advance(rollout, rollout.steps, broken, 100.0)
    away = apply(rollout, event)
    assert (away.phase, away.chosen) == (Phase.PENDING, True)
    assert advance(away, away.steps, broken, 101.0) == ()
    events = advance(away, away.steps, seen(), 102.0)
    assert kinds(events) == [Kind.RESTORED, Kind.STEP_ENTERED]


def test_a_person_takes_a_broken_service_over(at_step: Rollout) -> None:
    """What the controller switched off is off by a person's word now: no rollout goes on."""
    (event,) = advance(at_step, at_step.steps, seen(services_off={"cart": BROKEN}), 100.0)
    away = apply(at_step, event)
    theirs = seen(services_off={"cart": OFF_BY_ALICE})
    (event,) = advance(away, away.steps, theirs, 101.0)
    killed = apply(away, event)
    assert (event.kind, killed.phase) == (Kind.KILLED, Phase.PAUSED)
    assert advance(killed, killed.steps, theirs, 102.0) == ()
    (restored,) = advance(killed, killed.steps, seen(), 103.0)
    assert apply(killed, restored).phase is Phase.PAUSED


def test_a_changed_plan_pauses(at_step: Rollout, short: Steps) -> None:
    events = advance(at_step, short[:1], seen(), 100.0)
    assert kinds(events) == [Kind.PLAN_CHANGED]
    after = apply(at_step, events[0])
    assert (after.phase, desired_flag(after)) == (Phase.PAUSED, None)
    assert advance(after, short[:1], seen(), 101.0) == (), "said once"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        pytest.param(
            {
                "flag": SeenFlag(
                    version=4,
                    on=False,
                    weights=LIVE_5,
                    change=Change(by="bob", via="", comment="", audit_id="a"),
                )
            },
            Kind.FLAG_CHANGED_BY_OTHER,
            id="flag",
        ),
        pytest.param({"services_off": {"cart": OFF_BY_ALICE}}, Kind.KILLED, id="service"),
    ],
)
def test_a_plan_that_changed_after_completion_matters_once_it_pauses(
    in_phase: Make, short: Steps, changes: dict[str, Any], kind: Kind
) -> None:
    rollout = in_phase(Phase.COMPLETE, window=WINDOW)
    assert advance(rollout, short[:1], seen(), 100.0) == ()
    events = advance(rollout, short[:1], seen(**changes), 100.0)
    assert kinds(events) == [kind, Kind.PLAN_CHANGED]


def test_completed_is_still_watched(in_phase: Make, short: Steps) -> None:
    rollout = in_phase(Phase.PENDING, step=len(short), entered=2)
    events = advance(rollout, short, seen(), 100.0)
    assert kinds(events) == [Kind.COMPLETED]
    after = apply(rollout, events[0])
    assert (after.phase, after.window) != (Phase.COMPLETE, None)
    assert desired_flag(after) == DesiredFlag(on=True, weights=((Stage.LIVE, FULL_SHARE),))


@pytest.mark.parametrize(
    ("stage", "asks", "least"),
    [
        pytest.param(Stage.DUALWRITE, 0, 0, id="nobody gets its answer"),
        pytest.param(Stage.SHADOW, 500, 0, id="shadow"),
        pytest.param(Stage.LIVE, 0, MIN_JUDGED, id="live"),
        pytest.param(Stage.LIVE, 5, 5, id="live, the plan asks for fewer"),
        pytest.param(Stage.COMPLETE, 500, 500, id="complete"),
    ],
)
def test_needed(make_step: Callable[..., Step], stage: Stage, asks: int, least: int) -> None:
    assert needed(make_step(stage, min_requests=asks)) == least
