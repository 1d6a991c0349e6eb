"""What closes the way forward from outside of a rollout: other rollouts, freezes, second writes.

Pure. Called by the controller for each look, before the engine. A person's `promote` passes these
gates, and nothing else does; they are never in the way of going back.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from migrator.plan.dependencies import befores
from migrator.plan.freeze import frozen_until
from migrator.plan.model import Capability, Freeze, Stage, Step
from migrator.rollout.desired import NEW_IS_ASKED, desired_flag
from migrator.rollout.observation import Closed
from migrator.rollout.state import Rollout
from migrator.rollout.targets import ORDER
from migrator.rollout.transitions import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Second writes that a capability's service has not got: how many, and for how long (s)."""

    entries: int = 0
    oldest: float = 0.0


def closed_ahead(
    rollout: Rollout,
    steps: tuple[Step, ...],
    capability: Capability,
    *,
    others: Mapping[str, Rollout],
    freezes: Iterable[Freeze],
    backlog: Backlog,
    now: float,
) -> tuple[Closed, ...]:
    """Every such gate that is closed. `steps`: the plan's schedule, `others`: by capability."""
    return (
        *_dependencies(capability, others),
        *_freeze(freezes, now),
        *_second_writes(next_step(rollout, steps), capability, backlog),
    )


def next_step(rollout: Rollout, steps: tuple[Step, ...]) -> Step | None:
    """The step that would be entered next; None: all were."""
    if not rollout.begun:
        return steps[0]
    here = rollout.phase is not Phase.PENDING and rollout.entered is not None
    index = rollout.step + 1 if here else rollout.step
    return rollout.steps[index] if index < len(rollout.steps) else None


def reached(other: Rollout, stage: Stage | None) -> bool:
    """Whether everybody is at `stage` of that rollout, or beyond it. None: it is complete."""
    if other.phase is Phase.COMPLETE or stage is None:
        return other.phase is Phase.COMPLETE
    shown = desired_flag(other)
    return shown is not None and shown.on and ORDER[shown.weights[0][0]] >= ORDER[stage]


def _dependencies(capability: Capability, others: Mapping[str, Rollout]) -> Iterator[Closed]:
    for after in befores(capability):
        if not reached(others[after.capability], after.stage):
            place = f"everybody is at {after.stage}" if after.stage else "it is complete"
            yield Closed(topic="after", why=f"waits for {after.capability}, until {place}")


def _freeze(freezes: Iterable[Freeze], now: float) -> Iterator[Closed]:
    until = frozen_until(freezes, now)
    if until is not None:
        yield Closed(topic="freeze", why=f"frozen until {until:%a %H:%M} {until.tzinfo}")


def _second_writes(step: Step | None, capability: Capability, backlog: Backlog) -> Iterator[Closed]:
    """The service must not answer before it has what the monolith took."""
    if step is None or step.stage not in NEW_IS_ASKED:
        return
    if backlog.entries and backlog.oldest > capability.max_write_age:
        number = (
            "1 second write waits"
            if backlog.entries == 1
            else (f"{backlog.entries} second writes wait")
        )
        yield Closed(topic="journal", why=f"{number}, the oldest for {backlog.oldest:.0f} s")
