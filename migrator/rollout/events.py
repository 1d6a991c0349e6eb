"""What can happen to a rollout, or to the switch of a service. Pure data; `transitions.py` and
`service.py` say what is legal when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

CONTROLLER: Final = "migrator-controller"
"""The member of the flag server that the controller is; who does what nobody asked for."""


class Kind(StrEnum):
    """An event. Its `data` is named after the dash; everything else is in every event."""

    STARTED = "started"
    """The schedule begins - steps, old (earlier figures of the old origin), version, on."""
    STEP_ENTERED = "step_entered"
    """The flag is to show step `step` - step, base (counters now), old (of the ended window)."""
    STEP_PASSED = "step_passed"
    """Every gate of the step is open - step."""
    HELD = "held"
    """The hold is over but a gate is closed; said once for each `topic` of a step - topic."""
    COMPLETED = "completed"
    """The last step was passed - base, old."""
    ROLLED_BACK = "rolled_back"
    """The analysis failed: the flag is to be off."""
    PROMOTED = "promoted"
    """A person opened the gates of the current step - step."""
    MOVED = "moved"
    """A person chose another step of the schedule - step."""
    PLACED = "placed"
    """A person chose a state outside of the schedule - stage, share, before (where the rest is)."""
    MEASURED = "measured"
    """A window begins at what the flag shows while paused, or after an interruption - base, old."""
    RETRIED = "retried"
    """A person wants the step again that was rolled back."""
    RESTARTED = "restarted"
    """A person wants the schedule from its first step."""
    COMMAND_ENDED = "command_ended"
    """The step's `before_leaving` ended - entry, problem (empty for success)."""
    PAUSED = "paused"
    RESUMED = "resumed"
    ABORTED = "aborted"
    FLAG_CHANGED_BY_OTHER = "flag_changed_by_other"
    """Someone else changed the flag; it is theirs until `resume` - version, on, audit_id."""
    FLAG_NOTED = "flag_noted"
    """Someone else changed a flag that is off anyway - version, on, audit_id."""
    FLAG_APPLIED = "flag_applied"
    """A change of the flag by the controller itself was seen - version, on."""
    KILLED = "killed"
    """A person switched a needed service off - service."""
    INTERRUPTED = "interrupted"
    """The controller switched a needed service off; goes on after `restored` - service."""
    RESTORED = "restored"
    """A needed service was switched on again - service."""
    PLAN_CHANGED = "plan_changed"
    """The plan's schedule is not the one that the rollout began with."""
    SWITCHED_OFF = "switched_off"
    """Of a service: it is plainly broken, its flag is to be off - version (of the flag, so far)."""
    SWITCHED_ON = "switched_on"
    """Of a service: its probe answers again, its flag is to be on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Who did what to which capability, when and why. `seq` is 0 until the log has numbered it."""

    at: float
    """Unix seconds."""
    capability: str
    """Its name, or `service/NAME`."""
    kind: Kind
    by: str
    why: str
    data: Mapping[str, Any] = field(default_factory=dict)
    seq: int = 0
