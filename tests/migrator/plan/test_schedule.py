"""The named schedules obey the rules that a plan's own schedule must obey."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flags.model import STAGES_BY_COUNT
from migrator.plan.model import Capability, Route, Stage, Step
from migrator.plan.schedule import SCHEDULES, stages_of, steps, trimmed
from migrator.plan.units import FULL_SHARE

ORDER = list(Stage)
ROUTES = [{"path": "/a", "service": "a"}]
named = pytest.mark.parametrize("name", SCHEDULES)


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Step, ...]:
    """As the plan's check wants them."""
    chosen = draw(st.sets(st.sampled_from(ORDER[1:]), min_size=1))
    return tuple(
        Step.model_construct(stage=stage, share=share)
        for stage in sorted(chosen, key=ORDER.index)
        for share in (
            *sorted(draw(st.sets(st.integers(1, FULL_SHARE - 1), max_size=3))),
            FULL_SHARE,
        )
    )


@named
def test_stages_never_go_back(name: str) -> None:
    stages = [ORDER.index(step.stage) for step in SCHEDULES[name]]
    assert stages == sorted(stages)
    assert Stage.OFF not in [step.stage for step in SCHEDULES[name]]


@named
def test_shares_grow_and_a_stage_is_full_before_the_next(name: str) -> None:
    for stage, group in itertools.groupby(SCHEDULES[name], key=lambda step: step.stage):
        shares = [step.share for step in group]
        assert shares == sorted(set(shares)), stage
        assert shares[-1] == FULL_SHARE, stage


@named
def test_last_step_is_all_of_complete(name: str) -> None:
    last = SCHEDULES[name][-1]
    assert (last.stage, last.share, last.approval) == (Stage.COMPLETE, FULL_SHARE, False)


@named
def test_every_stage_is_visited(name: str) -> None:
    assert {step.stage for step in SCHEDULES[name]} == set(Stage) - {Stage.OFF}


@named
def test_steps_are_as_if_validated(name: str) -> None:
    """They are made without validation, which keeps the module free of work at import."""
    for step in SCHEDULES[name]:
        assert Step.model_validate(step.model_dump(mode="json")) == step


@pytest.mark.parametrize("name", ["standard", "careful", "fast"])
def test_live_steps_need_evidence(name: str) -> None:
    assert all(s.min_requests > 0 and s.hold > 0 for s in SCHEDULES[name] if s.stage is Stage.LIVE)


def test_careful_takes_longer_than_standard_than_fast() -> None:
    hold = {name: sum(step.hold for step in SCHEDULES[name]) for name in SCHEDULES}
    assert hold["careful"] > hold["standard"] > hold["fast"] > hold["manual"] == 0


def test_manual_waits_before_every_step_but_the_last() -> None:
    assert [step.approval for step in SCHEDULES["manual"]] == [True] * 7 + [False]


def test_own_steps_are_taken_as_they_are() -> None:
    own = (Step(stage=Stage.COMPLETE),)
    routes = (Route(path="/", service="s"),)
    assert steps(Capability(routes=routes, schedule=own)) == own
    assert steps(Capability(routes=routes, schedule="fast")) == SCHEDULES["fast"]
    assert steps(Capability(routes=routes)) == SCHEDULES["standard"]


COUNTS = [pytest.param(count, id=f"{count} stages") for count in STAGES_BY_COUNT]


@pytest.mark.parametrize("count", COUNTS)
@named
def test_fewer_stages(name: str, count: int) -> None:
    capability = Capability.model_validate({"routes": ROUTES, "schedule": name, "stages": count})
    fitted = steps(capability)
    assert {step.stage for step in fitted} == set(stages_of(capability)) - {Stage.OFF}
    assert fitted[-1].stage is Stage.COMPLETE
    assert fitted[-1].share == FULL_SHARE


@given(st.sampled_from(sorted(STAGES_BY_COUNT)), schedules())
def test_a_trimmed_schedule_is_a_schedule(count: int, schedule: tuple[Step, ...]) -> None:
    """Whatever was left out, stages never go back, shares grow, and nobody is moved all at once
    where the schedule moved a few to the service."""
    stages = tuple(map(Stage, STAGES_BY_COUNT[count]))
    fitted = trimmed(schedule, stages)
    places = [(ORDER.index(step.stage), step.share) for step in fitted]
    assert places == sorted(set(places))
    assert {step.stage for step in fitted} <= set(stages)
    for stage, group in itertools.groupby(fitted, key=lambda step: step.stage):
        assert [step.share for step in group][-1] == FULL_SHARE, stage
    to_service = {s.share for s in schedule if s.stage is Stage.LIVE}
    assert to_service <= {s.share for s in fitted if s.stage in (Stage.LIVE, Stage.COMPLETE)}
    assert trimmed(fitted, stages) == fitted


def test_all_stages_change_nothing() -> None:
    for schedule in SCHEDULES.values():
        assert trimmed(schedule, tuple(Stage)) == schedule
