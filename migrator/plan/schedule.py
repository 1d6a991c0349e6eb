"""The named schedules, as tables, and what they are for flags with fewer stages. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from flags.model import STAGES_BY_COUNT
from migrator.plan.model import Capability, Stage, Step

MINUTE: Final = 60.0
HOUR: Final = 60 * MINUTE


def _steps(*rows: tuple[Stage, int, float, int], approval: bool = False) -> tuple[Step, ...]:
    """Rows of stage, share in percent, hold in seconds, least requests."""
    return tuple(
        Step.model_construct(
            stage=stage, share=percent * 1000, hold=hold, min_requests=least, approval=approval
        )
        for stage, percent, hold, least in rows
    )


_MANUAL_ROWS: Final = (
    (Stage.DUALWRITE, 100, 0.0, 0),
    (Stage.SHADOW, 100, 0.0, 0),
    (Stage.LIVE, 1, 0.0, 0),
    (Stage.LIVE, 10, 0.0, 0),
    (Stage.LIVE, 50, 0.0, 0),
    (Stage.LIVE, 100, 0.0, 0),
    (Stage.RAMPDOWN, 100, 0.0, 0),
    (Stage.COMPLETE, 100, 0.0, 0),
)

SCHEDULES: Final[Mapping[str, tuple[Step, ...]]] = MappingProxyType(
    {
        "standard": _steps(
            (Stage.DUALWRITE, 100, HOUR, 0),
            (Stage.SHADOW, 100, HOUR, 0),
            (Stage.LIVE, 1, HOUR, 500),
            (Stage.LIVE, 5, HOUR, 1000),
            (Stage.LIVE, 25, HOUR, 1000),
            (Stage.LIVE, 50, HOUR, 1000),
            (Stage.LIVE, 100, 4 * HOUR, 1000),
            (Stage.RAMPDOWN, 100, 4 * HOUR, 0),
            (Stage.COMPLETE, 100, 0.0, 0),
        ),
        "careful": _steps(
            (Stage.DUALWRITE, 10, 4 * HOUR, 0),
            (Stage.DUALWRITE, 100, 24 * HOUR, 0),
            (Stage.SHADOW, 10, 4 * HOUR, 0),
            (Stage.SHADOW, 100, 24 * HOUR, 0),
            (Stage.LIVE, 1, 12 * HOUR, 1000),
            (Stage.LIVE, 5, 12 * HOUR, 2000),
            (Stage.LIVE, 10, 12 * HOUR, 2000),
            (Stage.LIVE, 25, 12 * HOUR, 2000),
            (Stage.LIVE, 50, 24 * HOUR, 2000),
            (Stage.LIVE, 100, 48 * HOUR, 2000),
            (Stage.RAMPDOWN, 100, 48 * HOUR, 0),
            (Stage.COMPLETE, 100, 0.0, 0),
        ),
        "fast": _steps(
            (Stage.DUALWRITE, 100, MINUTE, 0),
            (Stage.SHADOW, 100, MINUTE, 0),
            (Stage.LIVE, 5, 2 * MINUTE, 200),
            (Stage.LIVE, 25, 2 * MINUTE, 200),
            (Stage.LIVE, 100, 5 * MINUTE, 200),
            (Stage.RAMPDOWN, 100, MINUTE, 0),
            (Stage.COMPLETE, 100, 0.0, 0),
        ),
        "manual": _steps(*_MANUAL_ROWS[:-1], approval=True) + _steps(_MANUAL_ROWS[-1]),
    }
)


def steps(capability: Capability) -> tuple[Step, ...]:
    """The steps of `capability`, its named schedule looked up and fitted to its stages."""
    if isinstance(capability.schedule, str):
        return trimmed(SCHEDULES[capability.schedule], stages_of(capability))
    return capability.schedule


def stages_of(capability: Capability) -> tuple[Stage, ...]:
    """The variations of its flag, in LaunchDarkly's order."""
    return tuple(map(Stage, STAGES_BY_COUNT[capability.stages]))


def trimmed(schedule: tuple[Step, ...], stages: tuple[Stage, ...]) -> tuple[Step, ...]:
    """`schedule` without the steps whose stage a flag lacks.

    Without `live` its steps are of `complete`: users must still move a few at a time. A step that
    then moves nobody is left out, too.
    """
    steps: list[Step] = []
    for step in schedule:
        stage = step.stage
        if stage is Stage.LIVE and stage not in stages:
            stage = Stage.COMPLETE
        moves = not steps or stage is not steps[-1].stage or step.share > steps[-1].share
        if stage in stages and moves:
            steps.append(step.model_copy(update={"stage": stage}))
    return tuple(steps)
