"""The rollout's state machine as one table: phase, event, next phase.

Pure data. A missing entry is the error.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from migrator.errors import StateError
from migrator.rollout.events import Kind


class Phase(StrEnum):
    PENDING = "pending"
    """Between steps: not begun, or about to enter the next step."""
    HOLDING = "holding"
    """At a step, its hold time runs."""
    WAITING = "waiting"
    """At a step; approval, data or a service is missing."""
    PAUSED = "paused"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"
    COMPLETE = "complete"
    """All steps passed; still watched."""


class IllegalEvent(StateError):
    """The event cannot follow what came before: the log was edited or is of another version."""


_AT_STEP: Final = {
    Kind.STEP_PASSED: Phase.PENDING,
    Kind.PROMOTED: Phase.PENDING,
    Kind.MOVED: Phase.PENDING,
    Kind.HELD: Phase.WAITING,
    Kind.ROLLED_BACK: Phase.ROLLED_BACK,
    Kind.PAUSED: Phase.PAUSED,
    Kind.PLACED: Phase.PAUSED,
    Kind.RESTARTED: Phase.PENDING,
    Kind.ABORTED: Phase.ABORTED,
    Kind.FLAG_CHANGED_BY_OTHER: Phase.PAUSED,
    Kind.KILLED: Phase.PAUSED,
    Kind.INTERRUPTED: Phase.WAITING,
    Kind.PLAN_CHANGED: Phase.PAUSED,
}

TRANSITIONS: Final[Mapping[Phase, Mapping[Kind, Phase]]] = MappingProxyType(
    {
        Phase.PENDING: {
            Kind.STARTED: Phase.PENDING,
            Kind.STEP_ENTERED: Phase.HOLDING,
            Kind.COMPLETED: Phase.COMPLETE,
            Kind.MOVED: Phase.PENDING,
            Kind.ROLLED_BACK: Phase.ROLLED_BACK,
            Kind.PAUSED: Phase.PAUSED,
            Kind.PLACED: Phase.PAUSED,
            Kind.RESTARTED: Phase.PENDING,
            Kind.ABORTED: Phase.ABORTED,
            Kind.FLAG_CHANGED_BY_OTHER: Phase.PAUSED,
            Kind.FLAG_APPLIED: Phase.PENDING,
            Kind.KILLED: Phase.PAUSED,
            Kind.INTERRUPTED: Phase.PENDING,
            Kind.RESTORED: Phase.PENDING,
            Kind.PLAN_CHANGED: Phase.PAUSED,
        },
        Phase.HOLDING: {
            **_AT_STEP,
            Kind.FLAG_APPLIED: Phase.HOLDING,
            Kind.COMMAND_ENDED: Phase.HOLDING,
        },
        Phase.WAITING: {
            **_AT_STEP,
            Kind.RESTORED: Phase.WAITING,
            Kind.MEASURED: Phase.HOLDING,
            Kind.FLAG_APPLIED: Phase.WAITING,
            Kind.COMMAND_ENDED: Phase.WAITING,
        },
        Phase.PAUSED: {
            Kind.RESUMED: Phase.PENDING,
            Kind.RESTARTED: Phase.PENDING,
            Kind.MOVED: Phase.PAUSED,
            Kind.PLACED: Phase.PAUSED,
            Kind.MEASURED: Phase.PAUSED,
            Kind.ABORTED: Phase.ABORTED,
            Kind.ROLLED_BACK: Phase.ROLLED_BACK,
            Kind.FLAG_CHANGED_BY_OTHER: Phase.PAUSED,
            Kind.FLAG_APPLIED: Phase.PAUSED,
            Kind.KILLED: Phase.PAUSED,
            Kind.INTERRUPTED: Phase.PAUSED,
            Kind.RESTORED: Phase.PAUSED,
            Kind.PLAN_CHANGED: Phase.PAUSED,
        },
        Phase.ROLLED_BACK: {
            Kind.RESUMED: Phase.PENDING,
            Kind.RETRIED: Phase.PENDING,
            Kind.RESTARTED: Phase.PENDING,
            Kind.PLACED: Phase.PAUSED,
            Kind.ABORTED: Phase.ABORTED,
            Kind.FLAG_CHANGED_BY_OTHER: Phase.PAUSED,
            Kind.FLAG_NOTED: Phase.ROLLED_BACK,
            Kind.FLAG_APPLIED: Phase.ROLLED_BACK,
            Kind.KILLED: Phase.ROLLED_BACK,
            Kind.INTERRUPTED: Phase.ROLLED_BACK,
            Kind.RESTORED: Phase.ROLLED_BACK,
        },
        Phase.ABORTED: {
            Kind.RESUMED: Phase.PENDING,
            Kind.RESTARTED: Phase.PENDING,
            Kind.PLACED: Phase.PAUSED,
            Kind.FLAG_CHANGED_BY_OTHER: Phase.PAUSED,
            Kind.FLAG_NOTED: Phase.ABORTED,
            Kind.FLAG_APPLIED: Phase.ABORTED,
            Kind.KILLED: Phase.ABORTED,
            Kind.INTERRUPTED: Phase.ABORTED,
            Kind.RESTORED: Phase.ABORTED,
        },
        Phase.COMPLETE: {
            Kind.MOVED: Phase.PENDING,
            Kind.PLACED: Phase.PAUSED,
            Kind.RESTARTED: Phase.PENDING,
            Kind.ROLLED_BACK: Phase.ROLLED_BACK,
            Kind.MEASURED: Phase.COMPLETE,
            Kind.ABORTED: Phase.ABORTED,
            Kind.FLAG_CHANGED_BY_OTHER: Phase.PAUSED,
            Kind.FLAG_APPLIED: Phase.COMPLETE,
            Kind.KILLED: Phase.PAUSED,
            Kind.INTERRUPTED: Phase.COMPLETE,
            Kind.RESTORED: Phase.COMPLETE,
        },
    }
)


def next_phase(phase: Phase, kind: Kind) -> Phase:
    """The phase after an event. Raises IllegalEvent when the table has no such entry."""
    try:
        return TRANSITIONS[phase][kind]
    except KeyError:
        raise IllegalEvent(f"{kind} cannot happen while {phase}") from None
