"""The named schedules, as tables. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

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
    """The steps of `capability`, its named schedule looked up."""
    if isinstance(capability.schedule, str):
        return SCHEDULES[capability.schedule]
    return capability.schedule
