"""The state of a rollout at any past moment: the fold of what had happened by then. Pure."""

from collections.abc import Sequence

from migrator.rollout.events import Event
from migrator.rollout.state import Rollout, fold


def at_moment(events: Sequence[Event], capability: str, moment: float) -> Rollout:
    """The state at `moment` (Unix seconds). `events`: all of `capability`, oldest first.

    A clock that was set back does not tear the log apart: what precedes an event had happened.
    Raises IllegalEvent.
    """
    known = max((n for n, event in enumerate(events, 1) if event.at <= moment), default=0)
    return fold(events[:known], capability)
