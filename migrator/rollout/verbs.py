"""What people may ask of a rollout: promote, pause, resume, abort.

Pure. Called by the controller's API. A verb that is already fulfilled gives no event; one that
makes no sense raises and says what would.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from migrator.errors import MigratorError
from migrator.rollout.events import Event, Kind
from migrator.rollout.state import Rollout
from migrator.rollout.transitions import TRANSITIONS, Phase


class Verb(StrEnum):
    PROMOTE = "promote"
    """Open the gates of the current step, and of no other."""
    PAUSE = "pause"
    """Stay at this share; the analysis still protects it."""
    RESUME = "resume"
    """Measure the current step anew; after an abort or a rollback begin at the first step."""
    ABORT = "abort"
    """Everybody back to the monolith, now."""


class IllegalVerb(MigratorError):
    """The verb makes no sense now. The hint names the ones that do."""


_KINDS: Final[Mapping[Verb, Kind]] = MappingProxyType(
    {
        Verb.PROMOTE: Kind.PROMOTED,
        Verb.PAUSE: Kind.PAUSED,
        Verb.RESUME: Kind.RESUMED,
        Verb.ABORT: Kind.ABORTED,
    }
)
_RUNNING: Final = frozenset({Phase.PENDING, Phase.HOLDING, Phase.WAITING})
_FULFILLED: Final[Mapping[Verb, frozenset[Phase]]] = MappingProxyType(
    {
        Verb.PROMOTE: frozenset(),
        Verb.PAUSE: frozenset({Phase.PAUSED}),
        Verb.RESUME: _RUNNING | {Phase.COMPLETE},
        Verb.ABORT: frozenset({Phase.ABORTED}),
    }
)


def act(rollout: Rollout, verb: Verb, *, by: str, reason: str, now: float) -> tuple[Event, ...]:
    """The events of a person's `verb`; none if it is fulfilled. Raises IllegalVerb."""
    if rollout.phase in _FULFILLED[verb]:
        return ()
    kind = _KINDS[verb]
    if kind not in TRANSITIONS[rollout.phase]:
        raise IllegalVerb(
            f"cannot {verb} {rollout.capability}: it is {_said(rollout.phase)}",
            hint=f"possible now: {', '.join(legal(rollout.phase))}",
        )
    if verb is Verb.RESUME and rollout.services_off:
        service = min(rollout.services_off)
        raise IllegalVerb(
            f"cannot resume {rollout.capability}: {service}-service is off",
            hint=f"run `migrator restore {service}` first",
        )
    data: dict[str, Any] = {"step": rollout.step} if verb is Verb.PROMOTE else {}
    why = f"{by}: {reason}" if reason else f"{by} said {verb}"
    return (Event(at=now, capability=rollout.capability, kind=kind, by=by, why=why, data=data),)


def legal(phase: Phase) -> tuple[Verb, ...]:
    """The verbs that would change something in `phase`."""
    return tuple(
        verb
        for verb in Verb
        if _KINDS[verb] in TRANSITIONS[phase] and phase not in _FULFILLED[verb]
    )


def _said(phase: Phase) -> str:
    return phase.replace("_", " ")
