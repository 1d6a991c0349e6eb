"""Schedules of all shapes, and rollouts in any phase."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st

from migrator.plan.model import Stage, Step
from migrator.plan.units import FULL_SHARE, format_share
from migrator.rollout.state import Rollout
from migrator.rollout.transitions import Phase


def step(
    stage: Stage,
    share: int = FULL_SHARE,
    *,
    hold: float = 10.0,
    min_requests: int = 0,
    approval: bool = False,
) -> Step:
    return Step(
        stage=stage,
        share=format_share(share),  # type: ignore[arg-type] # as a plan has it
        hold=hold,
        min_requests=min_requests,
        approval=approval,
    )


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Step, ...]:
    """Stages in order, each brought to 100 % before the next one, as the plan's check demands."""
    stages = [stage for stage in Stage if stage is not Stage.OFF]
    steps: list[Step] = []
    for stage in sorted(draw(st.sets(st.sampled_from(stages), min_size=1)), key=stages.index):
        parts = sorted(draw(st.sets(st.integers(1, FULL_SHARE - 1), max_size=2)))
        steps += [
            step(
                stage,
                share,
                hold=draw(st.sampled_from([0.0, 5.0, 60.0])),
                min_requests=draw(st.sampled_from([0, 0, 50])),
                approval=draw(st.booleans()),
            )
            for share in (*parts, FULL_SHARE)
        ]
    return tuple(steps)


@pytest.fixture(scope="session")
def schedule_lists() -> st.SearchStrategy[tuple[Step, ...]]:
    return schedules()


@pytest.fixture(scope="session")
def make_step() -> Callable[..., Step]:
    return step


@pytest.fixture
def short() -> tuple[Step, ...]:
    return (
        step(Stage.SHADOW),
        step(Stage.LIVE, 5_000, min_requests=100),
        step(Stage.LIVE, approval=True),
    )


@pytest.fixture
def in_phase(short: tuple[Step, ...]) -> Callable[..., Rollout]:
    def make(phase: Phase, **changes: Any) -> Rollout:
        at_end = phase is Phase.COMPLETE
        known: dict[str, Any] = {
            "steps": short,
            "begun": True,
            "flag_version": 3,
            "flag_on": True,
            "step": len(short) if at_end else 1,
            "entered": 1,
        }
        return Rollout(capability="shop", phase=phase, **{**known, **changes})

    return make
