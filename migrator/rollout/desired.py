"""What a capability's flag should say, from the rollout's state alone.

Pure. The controller compares it with the flag at every tick and changes what differs, so it does
not matter at which point it was killed.
"""

from dataclasses import dataclass
from typing import Final

from migrator.plan.model import Stage, Step
from migrator.plan.units import FULL_SHARE
from migrator.rollout.state import Rollout

NEW_IS_ASKED: Final = frozenset({Stage.LIVE, Stage.RAMPDOWN, Stage.COMPLETE})
"""Stages whose authoritative origin, for reads and writes, is the new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredFlag:
    """`weights` by stage, in LaunchDarkly's order and unit; without meaning while not `on`."""

    on: bool
    weights: tuple[tuple[Stage, int], ...] = ()

    def matches(self, *, on: bool, weights: tuple[tuple[Stage, int], ...] | None) -> bool:
        """Whether a flag in that state already says this."""
        return on == self.on and (not self.on or weights == self.weights)


OFF: Final = DesiredFlag(on=False)


def desired_flag(rollout: Rollout) -> DesiredFlag | None:
    """What the flag should say; None: leave it alone."""
    if rollout.hands_off:
        return None
    if rollout.placed is not None:
        placed = rollout.placed
        return DesiredFlag(on=True, weights=split(placed.before, placed.stage, placed.share))
    if rollout.entered is None:
        # Not begun and never touched: whatever it says is not ours to change.
        return OFF if rollout.begun or rollout.restart else None
    return DesiredFlag(on=True, weights=weights(rollout.steps, rollout.entered))


def weights(steps: tuple[Step, ...], index: int) -> tuple[tuple[Stage, int], ...]:
    """The shares of step `index`: its stage gets its share, the rest stays at the stage before.

    The earlier stage comes first, so that a growing share only ever moves contexts forward.
    """
    step = steps[index]
    before = next(
        (earlier.stage for earlier in reversed(steps[:index]) if earlier.stage is not step.stage),
        Stage.OFF,
    )
    return split(before, step.stage, step.share)


def split(before: Stage, stage: Stage, share: int) -> tuple[tuple[Stage, int], ...]:
    """`share` at `stage`, the rest at `before`, an earlier one."""
    if share >= FULL_SHARE:
        return ((stage, FULL_SHARE),)
    return ((before, FULL_SHARE - share), (stage, share))
