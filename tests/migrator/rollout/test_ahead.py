"""What keeps a rollout from moving forward from outside, and what it never keeps it from."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from migrator.analysis.sample import NOTHING
from migrator.analysis.stats import Counters, Key
from migrator.analysis.verdict import Outcome, Verdict
from migrator.plan.model import Capability, Freeze, Stage, Step
from migrator.rollout.ahead import Backlog, closed_ahead, next_step, reached
from migrator.rollout.engine import advance
from migrator.rollout.events import Event, Kind
from migrator.rollout.observation import Closed, Ended, Figures, Observation, SeenFlag
from migrator.rollout.state import Rollout, Window, apply
from migrator.rollout.transitions import Phase

Make = Callable[..., Rollout]
Steps = tuple[Step, ...]
LIVE_5 = ((Stage.SHADOW, 95_000), (Stage.LIVE, 5_000))
COUNTERS = Counters(instance="a", cells={})
WINDOW = Window(seq=1, since=0.0, base=COUNTERS)
FROZEN = Closed(topic="freeze", why="frozen until Mon 06:00 UTC")


def capability(**more: Any) -> Capability:
    return Capability.model_validate({"routes": [{"path": "/a", "service": "a"}], **more})


def ahead(rollout: Rollout, what: Capability | None = None, **more: Any) -> list[Closed]:
    known: dict[str, Any] = {"others": {}, "freezes": (), "backlog": Backlog(), "now": 0.0}
    return list(closed_ahead(rollout, rollout.steps, what or capability(), **{**known, **more}))


@pytest.mark.parametrize(
    ("phase", "changes", "stage", "expected"),
    [
        pytest.param(Phase.COMPLETE, {}, None, True, id="complete"),
        pytest.param(Phase.HOLDING, {"entered": 2, "step": 2}, None, False, id="at its last step"),
        pytest.param(Phase.COMPLETE, {}, Stage.LIVE, True, id="complete is at any stage"),
        pytest.param(Phase.HOLDING, {"entered": 2}, Stage.LIVE, True, id="there"),
        pytest.param(Phase.HOLDING, {"entered": 1}, Stage.LIVE, False, id="some are there"),
        pytest.param(Phase.HOLDING, {"entered": 1}, Stage.SHADOW, True, id="beyond"),
        pytest.param(Phase.ROLLED_BACK, {"entered": None}, Stage.SHADOW, False, id="rolled back"),
        pytest.param(Phase.PAUSED, {"hands_off": True}, Stage.SHADOW, False, id="not ours"),
    ],
)
def test_reached(
    in_phase: Make, phase: Phase, changes: dict[str, Any], stage: Stage | None, expected: bool
) -> None:
    assert reached(in_phase(phase, **changes), stage) is expected


def test_dependencies(in_phase: Make) -> None:
    what = capability(after=["users", {"capability": "media", "stage": "live"}])
    others = {"users": in_phase(Phase.HOLDING), "media": in_phase(Phase.HOLDING)}
    assert [each.why for each in ahead(in_phase(Phase.HOLDING), what, others=others)] == [
        "waits for users, until it is complete",
        "waits for media, until everybody is at live",
    ]


def test_a_freeze(in_phase: Make) -> None:
    freeze = Freeze.model_validate({"from": "00:00", "to": "06:00"})
    (closed,) = ahead(in_phase(Phase.HOLDING), freezes=(freeze,), now=3600.0)
    assert closed == Closed(topic="freeze", why="frozen until Thu 06:00 UTC")


AT_FIRST: dict[str, Any] = {"step": 0, "entered": 0}
AT_LAST: dict[str, Any] = {"step": 2, "entered": 2}
NOT_BEGUN: dict[str, Any] = {"step": 0, "entered": None}


@pytest.mark.parametrize(
    ("phase", "changes", "backlog", "why"),
    [
        pytest.param(Phase.HOLDING, AT_FIRST, (3, 61.0), "3 second writes wait", id="before live"),
        pytest.param(Phase.WAITING, {}, (1, 99.0), "1 second write waits", id="before more live"),
        pytest.param(Phase.WAITING, {}, (9, 60.0), None, id="young"),
        pytest.param(Phase.HOLDING, AT_LAST, (9, 99.0), None, id="no step to come"),
        pytest.param(Phase.PENDING, NOT_BEGUN, (9, 99.0), None, id="before shadow"),
    ],
)
def test_second_writes(
    in_phase: Make,
    phase: Phase,
    changes: dict[str, Any],
    backlog: tuple[int, float],
    why: str | None,
) -> None:
    entries, oldest = backlog
    found = ahead(in_phase(phase, **changes), backlog=Backlog(entries=entries, oldest=oldest))
    told = [] if why is None else [f"{why}, the oldest for {oldest:.0f} s"]
    assert [each.why for each in found] == told


def test_next_step(in_phase: Make, short: Steps) -> None:
    assert next_step(Rollout(capability="shop"), short) is short[0]
    assert next_step(in_phase(Phase.PENDING, step=2), short) is short[2]
    assert next_step(in_phase(Phase.HOLDING), short) is short[2]


def seen(rollout: Rollout, **changes: Any) -> Observation:
    """All is well, and the hold is over at time 100."""
    verdict = Verdict(outcome=Outcome.PASSED, evidence="well") if rollout.window else None
    asked = {Key(Stage.LIVE, "new"): 100}
    known: dict[str, Any] = {
        "flag": SeenFlag(version=3, on=True, weights=LIVE_5),
        "figures": Figures(counters=COUNTERS, asked=asked, old=NOTHING, verdict=verdict),
        "services_off": {},
    }
    return Observation(**{**known, **changes})


def kinds(rollout: Rollout, steps: Steps, **changes: Any) -> list[Kind]:
    return [event.kind for event in advance(rollout, steps, seen(rollout, **changes), 100.0)]


def test_a_step_is_not_left(in_phase: Make, short: Steps) -> None:
    steps = (short[0], short[1], short[2].model_copy(update={"approval": False}))
    rollout = in_phase(Phase.HOLDING, steps=steps, hold_since=90.0, applied=True, window=WINDOW)
    assert kinds(rollout, steps, ahead=(FROZEN,)) == [Kind.HELD]
    assert kinds(rollout, steps) == [Kind.STEP_PASSED, Kind.STEP_ENTERED]


@pytest.mark.parametrize(
    ("changes", "enters"),
    [
        pytest.param({"step": 2}, False, id="the next one"),
        pytest.param({"step": 2, "chosen": True}, True, id="the next one, as a person said"),
        pytest.param({}, True, id="the same one again, after resume"),
        pytest.param(AT_FIRST, True, id="an earlier one"),
        pytest.param({"entered": None}, False, id="from off"),
    ],
)
def test_a_step_is_not_entered(
    in_phase: Make, short: Steps, changes: dict[str, Any], enters: bool
) -> None:
    rollout = in_phase(Phase.PENDING, **changes)
    assert (Kind.STEP_ENTERED in kinds(rollout, short, ahead=(FROZEN,))) is enters
    assert Kind.STEP_ENTERED in kinds(rollout, short)


def test_a_schedule_does_not_begin(short: Steps) -> None:
    rollout = Rollout(capability="shop")
    off = SeenFlag(version=1, on=False, weights=None)
    assert kinds(rollout, short, flag=off, ahead=(FROZEN,)) == []
    assert kinds(rollout, short, flag=off) == [Kind.STARTED, Kind.STEP_ENTERED]


def test_a_failed_analysis_goes_back_whatever_is_closed(in_phase: Make, short: Steps) -> None:
    rollout = in_phase(Phase.HOLDING, hold_since=90.0, window=WINDOW)
    figures = seen(rollout).figures
    assert figures is not None
    failed = replace(figures, verdict=Verdict(outcome=Outcome.FAILED, evidence="errors"))
    assert kinds(rollout, short, figures=failed, ahead=(FROZEN,)) == [Kind.ROLLED_BACK]


def test_a_webhook_keeps_its_secret_in_the_log_alone(short: Steps) -> None:
    webhook = {"url": "http://127.0.0.1:1/may?token=abc"}
    step = Step.model_validate({**short[0].model_dump(mode="json"), "webhook": webhook})
    rollout = Rollout(capability="shop")
    off = SeenFlag(version=1, on=False, weights=None)
    started, _ = advance(rollout, (step, *short[1:]), seen(rollout, flag=off), 100.0)
    assert apply(rollout, replace(started, seq=1)).steps[0] == step
    assert step.model_dump(mode="json")["webhook"]["url"] == "http://127.0.0.1:1/may?token=REDACTED"


@pytest.fixture
def asking(in_phase: Make, short: Steps) -> Rollout:
    """At a step with a command and a webhook, everything else open."""
    more = {"before_leaving": {"command": ["fill"]}, "webhook": {"url": "http://127.0.0.1:1/may"}}
    step = Step.model_validate({**short[1].model_dump(mode="json"), **more})
    steps = (short[0], step, short[2])
    return in_phase(
        Phase.HOLDING, steps=steps, hold_since=90.0, applied=True, window=WINDOW, entry=7
    )


OLD, SUCCESS = Ended(entry=6, problem=""), Ended(entry=7, problem="")


@pytest.mark.parametrize(
    ("command", "changes", "expected", "why"),
    [
        pytest.param(None, {}, [Kind.HELD], "has not ended yet", id="the command runs"),
        pytest.param(
            None,
            {"ended": SUCCESS},
            [Kind.COMMAND_ENDED, Kind.HELD],
            "the webhook has not answered yet",
            id="the command succeeds",
        ),
        pytest.param(None, {"ended": OLD}, [Kind.HELD], "has not ended", id="of an earlier entry"),
        pytest.param("ended with code 3", {}, [Kind.HELD], "runs it again", id="it failed"),
        pytest.param("", {"webhook": "it said 503"}, [Kind.HELD], "it said 503", id="webhook"),
        pytest.param("", {"webhook": ""}, [Kind.STEP_PASSED, Kind.STEP_ENTERED], "", id="open"),
    ],
)
def test_command_and_webhook(
    asking: Rollout,
    command: str | None,
    changes: dict[str, Any],
    expected: list[Kind],
    why: str,
) -> None:
    rollout = replace(asking, command=command)
    events = advance(rollout, rollout.steps, seen(rollout, **changes), 100.0)
    assert [event.kind for event in events] == expected
    if events[-1].kind is Kind.HELD:
        assert why in events[-1].why


def test_each_entry_runs_its_command_anew(asking: Rollout) -> None:
    data = {"step": 1, "base": COUNTERS.to_json(), "old": NOTHING.to_json()}
    kind = Kind.STEP_ENTERED
    again = Event(at=1.0, capability="shop", kind=kind, by="me", why="", data=data, seq=9)
    rollout = apply(replace(asking, phase=Phase.PENDING, command=""), again)
    assert (rollout.entry, rollout.command) == (9, None)
