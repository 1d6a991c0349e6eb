"""Places in a schedule as people name them. Pure."""

from typing import Final

from migrator.plan.model import Stage, Step

ORDER: Final = {stage: index for index, stage in enumerate(Stage)}


class NoTarget(ValueError):
    """The schedule has no such place; the message says which it has."""


def step_named(steps: tuple[Step, ...], name: str) -> int:
    """Index of the step `name`: its number from 1, or a stage, of which it is the last step.

    Raises NoTarget.
    """
    if name.isdecimal() and len(name) <= 4 and 1 <= int(name) <= len(steps):
        return int(name) - 1
    found = [index for index, step in enumerate(steps) if step.stage == name]
    if found:
        return found[-1]
    stages = dict.fromkeys(str(step.stage) for step in steps)
    raise NoTarget(
        f"found {name!r}, expected a step from 1 to {len(steps)} or one of {', '.join(stages)}"
    )


def stage_before(steps: tuple[Step, ...], stage: Stage) -> Stage:
    """Where the contexts are that are not at `stage` yet: the schedule's latest earlier stage."""
    earlier = [step.stage for step in steps if ORDER[step.stage] < ORDER[stage]]
    return earlier[-1] if earlier else Stage.OFF
