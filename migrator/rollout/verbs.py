"""What people may ask of a rollout: promote, pause, resume, abort, rollback, retry, restart, set.

Pure. Called by the controller's API. A verb that is already fulfilled gives no event; one that
makes no sense raises and says what would.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from migrator.errors import MigratorError
from migrator.plan.model import Stage, Step
from migrator.plan.units import FULL_SHARE, format_share
from migrator.rollout.events import Event, Kind
from migrator.rollout.state import Placed, Rollout
from migrator.rollout.targets import NoTarget, stage_before, step_named
from migrator.rollout.transitions import TRANSITIONS, Phase


class Verb(StrEnum):
    PROMOTE = "promote"
    """Open the gates of the current step, and of no other; `full`: go to the last step."""
    PAUSE = "pause"
    """Stay at this share; the analysis still protects it."""
    RESUME = "resume"
    """Measure the current step anew; after an abort or a rollback begin at the first step."""
    ABORT = "abort"
    """Everybody back to the monolith, now."""
    ROLLBACK = "rollback"
    """Back to an earlier step, and go on from there; a paused rollout stays paused."""
    RETRY = "retry"
    """After a rollback: the same step again."""
    RESTART = "restart"
    """The plan's schedule from its first step."""
    SET = "set"
    """A stage and share outside of the schedule, and pause there."""


class IllegalVerb(MigratorError):
    """The verb makes no sense now. The hint names the ones that do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What a verb needs to know besides its name."""

    full: bool = False
    """`promote`: to the last step."""
    to: str = ""
    """`rollback`: the number of a step, from 1, or a stage: the last step of that stage."""
    stage: Stage | None = None
    """`set`."""
    share: int = FULL_SHARE
    """`set`: in thousandths of a percent."""


PLAIN: Final = Details()
_KINDS: Final[Mapping[Verb, Kind]] = MappingProxyType(
    {
        Verb.PROMOTE: Kind.PROMOTED,
        Verb.PAUSE: Kind.PAUSED,
        Verb.RESUME: Kind.RESUMED,
        Verb.ABORT: Kind.ABORTED,
        Verb.ROLLBACK: Kind.MOVED,
        Verb.RETRY: Kind.RETRIED,
        Verb.RESTART: Kind.RESTARTED,
        Verb.SET: Kind.PLACED,
    }
)
_RUNNING: Final = frozenset({Phase.PENDING, Phase.HOLDING, Phase.WAITING})
_FULFILLED: Final[Mapping[Verb, frozenset[Phase]]] = MappingProxyType(
    {
        Verb.PROMOTE: frozenset({Phase.COMPLETE}),
        Verb.PAUSE: frozenset({Phase.PAUSED}),
        Verb.RESUME: _RUNNING | {Phase.COMPLETE},
        Verb.ABORT: frozenset({Phase.ABORTED}),
        Verb.ROLLBACK: frozenset(),
        Verb.RETRY: _RUNNING | {Phase.COMPLETE},
        Verb.RESTART: frozenset(),
        Verb.SET: frozenset(),
    }
)
_TURNS_ON: Final = frozenset({Verb.RESUME, Verb.RETRY, Verb.RESTART, Verb.SET})
"""Verbs that need the services: a kill switch is undone by `migrator restore` alone."""


def act(
    rollout: Rollout,
    verb: Verb,
    *,
    by: str,
    reason: str,
    now: float,
    details: Details = PLAIN,
    steps: tuple[Step, ...] = (),
    stages: tuple[Stage, ...] = tuple(Stage),
) -> tuple[Event, ...]:
    """The events of a person's `verb`; none if it is fulfilled. Raises IllegalVerb.

    `steps`: the plan's schedule now, for a rollout that has not begun. `stages`: of its flag.
    """
    if rollout.phase in _FULFILLED[verb]:
        return ()
    full = verb is Verb.PROMOTE and details.full
    between = verb is Verb.PROMOTE and not full and _is_between_steps(rollout)
    if between and (rollout.chosen or rollout.finished):
        return ()
    kind = Kind.MOVED if full or between else _KINDS[verb]
    if kind not in TRANSITIONS[rollout.phase] or (full and rollout.phase is Phase.PAUSED):
        raise _illegal(rollout, verb, f"it is {_said(rollout.phase)}")
    if verb in _TURNS_ON and rollout.services_off:
        service = min(rollout.services_off)
        raise IllegalVerb(
            f"cannot {verb} {rollout.capability}: {service}-service is off",
            hint=f"run `migrator restore {service}` first",
        )
    what = str(verb)
    data: dict[str, Any] = {}
    if full or verb in _PREPARE:
        prepare = _full if full else _PREPARE[verb]
        prepared = prepare(rollout, details, steps, stages)
        if prepared is None:
            return ()
        what, data = prepared
    elif verb is Verb.PROMOTE:
        data = {"step": rollout.step}  # Between steps: the one to come, past what holds it back.
    why = f"{by}: {reason}" if reason else f"{by} said {what}"
    return (Event(at=now, capability=rollout.capability, kind=kind, by=by, why=why, data=data),)


def legal(phase: Phase) -> tuple[Verb, ...]:
    """The verbs that can change something in `phase`."""
    return tuple(
        verb
        for verb in Verb
        if _KINDS[verb] in TRANSITIONS[phase] and phase not in _FULFILLED[verb]
    )


def _is_between_steps(rollout: Rollout) -> bool:
    """Whether a step was passed and the next one is not entered yet."""
    at_step = rollout.phase is not Phase.PENDING or rollout.entered is None
    return not at_step and rollout.step > (rollout.entered or 0)


_Prepared = tuple[str, dict[str, Any]] | None
"""What was said and the event's data; None: it is so already."""


def _full(
    rollout: Rollout, _details: Details, _steps: tuple[Step, ...], _stages: tuple[Stage, ...]
) -> _Prepared:
    last = len(rollout.steps) - 1
    if rollout.finished or (rollout.step == last and (rollout.chosen or rollout.entered == last)):
        return None
    if rollout.entered is None:
        raise _illegal(rollout, Verb.PROMOTE, "it is not at a step yet")
    return "promote --full", {"step": last}


def _rollback(
    rollout: Rollout, details: Details, _steps: tuple[Step, ...], _stages: tuple[Stage, ...]
) -> _Prepared:
    if rollout.hands_off:
        raise _illegal(rollout, Verb.ROLLBACK, "its flag is not the controller's now")
    if rollout.entered is None:
        raise _illegal(rollout, Verb.ROLLBACK, "it is not at a step yet")
    try:
        index = step_named(rollout.steps, details.to)
    except NoTarget as error:
        raise IllegalVerb(f"cannot roll back {rollout.capability}: {error}") from None
    step = rollout.steps[index]
    if index == rollout.step == rollout.entered and rollout.placed is None:
        return None
    if index > rollout.entered:
        raise IllegalVerb(
            f"cannot roll back {rollout.capability} to step {index + 1} ({step.stage} "
            f"{format_share(step.share)}): it is at step {rollout.entered + 1}",
            hint="`migrator promote` goes forward",
        )
    return f"rollback to step {index + 1}, {step.stage} {format_share(step.share)}", {"step": index}


def _retry(
    rollout: Rollout, _details: Details, _steps: tuple[Step, ...], _stages: tuple[Stage, ...]
) -> _Prepared:
    if not rollout.begun:
        raise _illegal(rollout, Verb.RETRY, "its schedule had not begun")
    return f"retry of step {rollout.step + 1}", {}


def _restart(
    rollout: Rollout, _details: Details, _steps: tuple[Step, ...], _stages: tuple[Stage, ...]
) -> _Prepared:
    if rollout.phase in _RUNNING and (not rollout.begun or rollout.step == 0):
        return None
    return "restart", {}


def _set(
    rollout: Rollout, details: Details, steps: tuple[Step, ...], stages: tuple[Stage, ...]
) -> _Prepared:
    stage, share = details.stage, details.share
    if stage is None or stage is Stage.OFF:
        raise IllegalVerb(
            f"cannot set {rollout.capability} to {stage or 'nothing'}",
            hint=f"`migrator abort {rollout.capability}` turns it off",
        )
    if stage not in stages:
        raise IllegalVerb(
            f"cannot set {rollout.capability} to {stage}: "
            f"its flag has the stages {', '.join(stages)}"
        )
    if not 0 < share <= FULL_SHARE:
        raise IllegalVerb(
            f"cannot set {rollout.capability} to {format_share(share)}: expected more than 0%, "
            "and at most 100%"
        )
    before = stage_before(rollout.steps if rollout.begun else steps, stage)
    wanted = Placed(stage=stage, share=share, before=before)
    if rollout.placed == wanted and not rollout.hands_off:
        return None
    return (
        f"set {stage} {format_share(share)}",
        {"stage": str(stage), "share": share, "before": str(before)},
    )


_PREPARE: Final[
    Mapping[Verb, Callable[[Rollout, Details, tuple[Step, ...], tuple[Stage, ...]], _Prepared]]
] = MappingProxyType(
    {
        Verb.ROLLBACK: _rollback,
        Verb.RETRY: _retry,
        Verb.RESTART: _restart,
        Verb.SET: _set,
    }
)


def _illegal(rollout: Rollout, verb: Verb, why: str) -> IllegalVerb:
    return IllegalVerb(
        f"cannot {verb} {rollout.capability}: {why}",
        hint=f"possible now: {', '.join(legal(rollout.phase))}",
    )


def _said(phase: Phase) -> str:
    return phase.replace("_", " ")
