"""Folding events: what is illegal raises, what is spoilt raises, nothing else ever does."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.analysis.proportion import Counts
from migrator.analysis.sample import NOTHING
from migrator.errors import StateError
from migrator.plan.model import Stage, Step
from migrator.rollout.desired import OFF, desired_flag
from migrator.rollout.events import Event, Kind
from migrator.rollout.state import Rollout, apply, fold
from migrator.rollout.transitions import TRANSITIONS, IllegalEvent, Phase

Make = Callable[..., Rollout]
WINDOW = {"base": {"instance": "a", "cells": []}, "old": NOTHING.to_json()}
CHANGE = {"version": 9, "on": True, "audit_id": "7"}
DATA: Mapping[Kind, dict[str, Any]] = {
    Kind.STARTED: {
        "steps": [{"stage": "live", "share": "5%", "hold": "10s"}],
        "old": NOTHING.to_json(),
        "version": 2,
        "on": False,
    },
    Kind.STEP_ENTERED: {"step": 1, **WINDOW},
    Kind.STEP_PASSED: {"step": 1},
    Kind.PROMOTED: {"step": 1},
    Kind.COMMAND_ENDED: {"entry": 0, "problem": ""},
    Kind.MOVED: {"step": 1},
    Kind.PLACED: {"stage": "live", "share": 5_000, "before": "off"},
    Kind.MEASURED: WINDOW,
    Kind.HELD: {"topic": "data"},
    Kind.COMPLETED: WINDOW,
    Kind.FLAG_CHANGED_BY_OTHER: CHANGE,
    Kind.FLAG_NOTED: CHANGE,
    Kind.FLAG_APPLIED: {"version": 9, "on": True},
    Kind.KILLED: {"service": "cart"},
    Kind.INTERRUPTED: {"service": "cart"},
    Kind.RESTORED: {"service": "cart"},
}
EVERY = [pytest.param(phase, kind, id=f"{phase}-{kind}") for phase in Phase for kind in Kind]
SPOILT = [pytest.param(kind, field, id=f"{kind}-{field}") for kind in DATA for field in DATA[kind]]


def event(kind: Kind, data: Mapping[str, Any] | None = None, *, at: float = 50.0) -> Event:
    known = DATA.get(kind, {}) if data is None else data
    return Event(at=at, capability="shop", kind=kind, by="me", why=f"because {kind}", data=known)


def ready_for(in_phase: Make, phase: Phase, kind: Kind) -> Rollout:
    at_end = kind is Kind.COMPLETED or phase is Phase.COMPLETE
    return in_phase(phase, step=3 if at_end else 1)


@pytest.mark.parametrize(("phase", "kind"), EVERY)
def test_every_event_in_every_phase(in_phase: Make, phase: Phase, kind: Kind) -> None:
    rollout = ready_for(in_phase, phase, kind)
    if kind in TRANSITIONS[phase]:
        after = apply(rollout, event(kind))
        assert after.phase is TRANSITIONS[phase][kind]
        assert after.since == (50.0 if after.phase is not phase else rollout.since)
    else:
        with pytest.raises(IllegalEvent, match=f"{kind} cannot happen while {phase}"):
            apply(rollout, event(kind))


def test_an_illegal_event_is_a_fault_of_the_state() -> None:
    assert issubclass(IllegalEvent, StateError)


@pytest.mark.parametrize(("kind", "field"), SPOILT)
def test_missing_data_is_illegal(in_phase: Make, kind: Kind, field: str) -> None:
    phase = next(phase for phase in Phase if kind in TRANSITIONS[phase])
    data = {name: value for name, value in DATA[kind].items() if name != field}
    with pytest.raises(IllegalEvent, match=rf"{kind}.*{field}|step"):
        apply(ready_for(in_phase, phase, kind), event(kind, data))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        pytest.param(Kind.STARTED, {"steps": [{"stage": "nowhere"}]}, id="no such stage"),
        pytest.param(Kind.STARTED, {"steps": 5}, id="no list"),
        pytest.param(Kind.STARTED, {"old": None}, id="no sample"),
        pytest.param(Kind.STEP_ENTERED, {"base": None}, id="no counters"),
        pytest.param(Kind.STEP_ENTERED, {"base": {"instance": "a", "cells": [1]}}, id="no cell"),
        pytest.param(Kind.STEP_ENTERED, {"step": 0}, id="a step again"),
        pytest.param(Kind.STEP_ENTERED, {"step": 2}, id="a step left out"),
    ],
)
def test_spoilt_data_is_illegal(in_phase: Make, kind: Kind, data: dict[str, Any]) -> None:
    with pytest.raises(IllegalEvent):
        apply(in_phase(Phase.PENDING), event(kind, {**DATA[kind], **data}))


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        pytest.param(Kind.STEP_PASSED, {"entered": 0}, id="passed before it was entered"),
        pytest.param(Kind.PROMOTED, {"step": 2}, id="promoted another step"),
    ],
)
def test_only_the_current_step_is_passed(
    in_phase: Make, kind: Kind, changes: dict[str, Any]
) -> None:
    with pytest.raises(IllegalEvent, match="step 1 passed at step"):
        apply(in_phase(Phase.HOLDING, **changes), event(kind))


def test_complete_only_after_the_last_step(in_phase: Make) -> None:
    with pytest.raises(IllegalEvent, match="step 1 of 3"):
        apply(in_phase(Phase.PENDING), event(Kind.COMPLETED))


@given(st.lists(st.sampled_from(Kind), max_size=12))
def test_any_history_is_folded_or_refused(history: list[Kind]) -> None:
    """Nothing but IllegalEvent comes out, and what was accepted is the same when folded again."""
    rollout, taken = Rollout(capability="shop"), list[Event]()
    for number, kind in enumerate(history, 1):
        data = dict(DATA.get(kind, {}))
        if "step" in data:
            data["step"] = rollout.step
        happened = replace(event(kind, data, at=float(number)), seq=number)
        try:
            rollout = apply(rollout, happened)
        except IllegalEvent:
            continue
        taken.append(happened)
    assert fold(taken, "shop") == rollout


def test_counts_of_metrics_add_up_within_a_rollout(in_phase: Make) -> None:
    first, second = ({"a": {"count": n, "total": 10 * n}} for n in (1, 2))
    rollout = in_phase(Phase.PAUSED)
    for metrics in (first, {}, second, {"b": {"count": 0, "total": 5}}):
        rollout = apply(rollout, event(Kind.MEASURED, {**WINDOW, "metrics": metrics}))
    assert rollout.metrics == {"a": Counts(3, 30), "b": Counts(0, 5)}
    begun = replace(in_phase(Phase.PENDING, begun=False), metrics=rollout.metrics)
    assert apply(begun, event(Kind.STARTED)).metrics == {}


@pytest.mark.parametrize("metrics", [None, 3, {"a": None}, {"a": {"count": 1}}], ids=repr)
def test_spoilt_counts_of_metrics(in_phase: Make, metrics: Any) -> None:
    with pytest.raises(IllegalEvent, match="lacks or spoils"):
        apply(in_phase(Phase.PAUSED), event(Kind.MEASURED, {**WINDOW, "metrics": metrics}))


OFFS = [
    pytest.param([Kind.ROLLED_BACK], id="rolled back"),
    pytest.param([Kind.ABORTED], id="aborted"),
    pytest.param([Kind.PAUSED, Kind.ABORTED], id="paused, then aborted"),
]


@pytest.mark.parametrize("offs", OFFS)
def test_after_an_off_only_resume_begins_again_at_the_first_step(
    in_phase: Make, offs: list[Kind]
) -> None:
    rollout = in_phase(Phase.HOLDING)
    for kind in offs:
        rollout = apply(rollout, event(kind))
    assert desired_flag(rollout) == OFF
    rollout = apply(rollout, event(Kind.RESUMED))
    assert (rollout.phase, rollout.begun, rollout.step) == (Phase.PENDING, False, 0)
    assert desired_flag(rollout) == OFF, "off until the first step is entered"


def test_a_pause_goes_on_where_it_was(in_phase: Make) -> None:
    rollout = in_phase(Phase.HOLDING)
    for kind in (Kind.PAUSED, Kind.RESUMED):
        rollout = apply(rollout, event(kind))
    assert (rollout.phase, rollout.begun, rollout.step) == (Phase.PENDING, True, 1)


def test_a_flag_that_was_never_touched_is_left_alone() -> None:
    assert desired_flag(Rollout(capability="shop")) is None


def test_steps_survive_the_log(short: tuple[Step, ...]) -> None:
    data = {**DATA[Kind.STARTED], "steps": [step.model_dump(mode="json") for step in short]}
    assert apply(Rollout(capability="shop"), event(Kind.STARTED, data)).steps == short
    assert short[0].stage is Stage.SHADOW
