"""A rollout's state: the fold of its events, and nothing that they do not say.

Pure. Called by the controller when it starts (replay) and for every new event, so that a replay
gives the same state by construction.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError

from migrator.analysis.proportion import Counts
from migrator.analysis.sample import NOTHING, Sample
from migrator.analysis.stats import Counters
from migrator.plan.model import Stage, Step
from migrator.plan.units import FULL_SHARE
from migrator.rollout.events import Event, Kind
from migrator.rollout.transitions import IllegalEvent, Phase, next_phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Where a measurement begins: `base` are the proxy's counters at `since`; `seq` names it."""

    seq: int
    since: float
    base: Counters


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What a person set outside of the schedule: `share` at `stage`, the rest at `before`."""

    stage: Stage
    share: int
    before: Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One capability's rollout."""

    capability: str
    phase: Phase = Phase.PENDING
    reason: str = ""
    """Why it is in this phase, for people."""
    since: float | None = None
    """When it came into this phase."""
    steps: tuple[Step, ...] = ()
    """The schedule in force, copied when it began: a later change of the plan is seen."""
    begun: bool = False
    """False: the schedule is to begin at its first step."""
    restart: bool = False
    """`resume` begins the schedule again."""
    step: int = 0
    """Index of the current step, between steps of the next one; len(steps) when all passed."""
    entered: int | None = None
    """Index of the step that the flag is to show; None: off, or what `placed` says."""
    placed: Placed | None = None
    chosen: bool = False
    """A person chose the step that is to be entered: its predecessor's gates are skipped."""
    entry: int = 0
    """The event with which the current step was entered; it names the entry."""
    command: str | None = None
    """What came of `before_leaving` at this entry: empty for success; None: it has not ended."""
    hold_since: float | None = None
    """Since when the step counts: entered, flag changed, and not interrupted after that."""
    applied: bool = False
    """The flag was changed to the current step."""
    said: frozenset[str] = frozenset()
    """Topics that HELD named at this step."""
    window: Window | None = None
    history: Sample = NOTHING
    """The old origin's figures in this rollout's earlier windows."""
    metrics: Mapping[str, Counts] = field(default_factory=dict)
    """The same, for metrics of users' own."""
    hands_off: bool = False
    """The flag is somebody else's, or it is unclear what it should be: leave it alone."""
    services_off: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()
    """Those of them that the controller switched off."""
    flag_version: int | None = None
    """The newest version that is accounted for."""
    flag_on: bool = False
    audit_id: str | None = None
    """The newest entry of the audit log that is accounted for."""

    @property
    def finished(self) -> bool:
        return self.begun and self.step >= len(self.steps)

    @property
    def shown(self) -> Step | None:
        """What the flag is to show, as a step; None: off."""
        if self.placed is not None:
            return Step.model_construct(stage=self.placed.stage, share=self.placed.share, hold=0.0)
        return None if self.entered is None else self.steps[self.entered]


def fold(events: Iterable[Event], capability: str) -> Rollout:
    """The state after `events`, all of one capability, oldest first.

    Raises IllegalEvent (a StateError) when they cannot have happened in this order.
    """
    rollout = Rollout(capability=capability)
    for event in events:
        rollout = apply(rollout, event)
    return rollout


def apply(rollout: Rollout, event: Event) -> Rollout:
    """The state after one more event. Raises IllegalEvent."""
    phase = next_phase(rollout.phase, event.kind)
    moved = rollout
    if phase is not rollout.phase:
        moved = replace(rollout, phase=phase, since=event.at)
    told = phase is not rollout.phase or phase not in (Phase.ROLLED_BACK, Phase.ABORTED)
    if told and event.kind not in _SILENT:
        moved = replace(moved, reason=event.why)
    try:
        return _EFFECTS.get(event.kind, _unchanged)(moved, event, event.data)
    except (KeyError, TypeError, ValidationError) as error:
        raise IllegalEvent(f"event {event.seq} ({event.kind}) lacks or spoils {error}") from error


_SILENT: Final = frozenset(
    {Kind.FLAG_APPLIED, Kind.STEP_PASSED, Kind.STARTED, Kind.MEASURED, Kind.COMMAND_ENDED}
)
_Data = Mapping[str, Any]
_Effect = Callable[[Rollout, Event, _Data], Rollout]


def _unchanged(rollout: Rollout, _event: Event, _data: _Data) -> Rollout:
    return rollout


def _started(rollout: Rollout, _event: Event, data: _Data) -> Rollout:
    return replace(
        rollout,
        steps=tuple(Step.model_validate(step) for step in data["steps"]),
        begun=True,
        restart=False,
        step=0,
        entered=None,
        placed=None,
        history=Sample.from_json(data["old"]),
        metrics={},
        flag_version=data["version"],
        flag_on=data["on"],
    )


def _window(rollout: Rollout, event: Event, data: _Data) -> Rollout:
    return replace(
        rollout,
        window=Window(seq=event.seq, since=event.at, base=Counters.from_json(data["base"])),
        history=rollout.history + Sample.from_json(data["old"]),
        # Logs of former versions have none.
        metrics=_with_counts(rollout.metrics, data.get("metrics", {})),
        hold_since=event.at,
    )


def _with_counts(known: Mapping[str, Counts], data: _Data) -> Mapping[str, Counts]:
    """`known` and what an event's `metrics` has."""
    more = {name: Counts(each["count"], each["total"]) for name, each in dict(data).items()}
    return {
        name: known.get(name, Counts()) + more.get(name, Counts()) for name in {**known, **more}
    }


def _step_entered(rollout: Rollout, event: Event, data: _Data) -> Rollout:
    if data["step"] != rollout.step or rollout.step >= len(rollout.steps):
        raise IllegalEvent(f"step {data['step']} entered, step {rollout.step} was due")
    return replace(
        _window(rollout, event, data),
        entered=rollout.step,
        chosen=False,
        entry=event.seq,
        command=None,
        applied=False,
        said=frozenset(),
    )


def _completed(rollout: Rollout, event: Event, data: _Data) -> Rollout:
    if not rollout.finished:
        raise IllegalEvent(f"completed at step {rollout.step} of {len(rollout.steps)}")
    return replace(_window(rollout, event, data), entered=len(rollout.steps) - 1)


def _passed(rollout: Rollout, _event: Event, data: _Data) -> Rollout:
    if data["step"] != rollout.step or rollout.entered != rollout.step:
        raise IllegalEvent(f"step {data['step']} passed at step {rollout.step}")
    return replace(rollout, step=rollout.step + 1)


def _promoted(rollout: Rollout, event: Event, data: _Data) -> Rollout:
    return replace(_passed(rollout, event, data), chosen=True)


def _moved(rollout: Rollout, _event: Event, data: _Data) -> Rollout:
    """Back: the flag follows at once, whether or not there are figures to begin a window with."""
    step = data["step"]
    if not 0 <= step < len(rollout.steps) or rollout.entered is None:
        raise IllegalEvent(f"moved to step {step} of {len(rollout.steps)}")
    moved = replace(rollout, step=step, chosen=True, placed=None, said=frozenset())
    if step > rollout.entered:
        return moved
    return replace(moved, entered=step, window=None)


def _placed(rollout: Rollout, _event: Event, data: _Data) -> Rollout:
    share = data["share"]
    if not 0 < share <= FULL_SHARE:
        raise IllegalEvent(f"placed at a share of {share}")
    try:
        stage, before = Stage(data["stage"]), Stage(data["before"])
    except ValueError as error:
        raise IllegalEvent(f"placed at an unknown stage: {error}") from error
    return replace(
        rollout,
        placed=Placed(stage=stage, share=share, before=before),
        restart=rollout.restart or not rollout.begun,
        hands_off=False,
        window=None,
    )


def _retried(rollout: Rollout, _event: Event, _data: _Data) -> Rollout:
    if not rollout.begun:
        raise IllegalEvent("retried before it began")
    return replace(rollout, restart=False)


def _restarted(rollout: Rollout, _event: Event, _data: _Data) -> Rollout:
    return replace(
        rollout,
        begun=False,
        restart=True,
        step=0,
        entered=None,
        placed=None,
        chosen=False,
        hands_off=False,
        window=None,
    )


def _held(rollout: Rollout, _event: Event, data: _Data) -> Rollout:
    return replace(rollout, said=rollout.said | {data["topic"]})


def _command_ended(rollout: Rollout, _event: Event, data: _Data) -> Rollout:
    if data["entry"] != rollout.entry:
        raise IllegalEvent(f"a command of entry {data['entry']} ended in entry {rollout.entry}")
    return replace(rollout, command=str(data["problem"]))


def _measured(rollout: Rollout, event: Event, data: _Data) -> Rollout:
    return replace(_window(rollout, event, data), said=frozenset())


def _off(rollout: Rollout, _event: Event, _data: _Data) -> Rollout:
    """`step` becomes the one that was shown, so that it can be tried again."""
    return replace(
        rollout,
        step=rollout.step if rollout.entered is None else rollout.entered,
        entered=None,
        placed=None,
        chosen=False,
        restart=True,
        hands_off=False,
        window=None,
    )


def _resumed(rollout: Rollout, _event: Event, _data: _Data) -> Rollout:
    resumed = replace(rollout, hands_off=False, placed=None, chosen=False)
    if not rollout.restart:
        return resumed
    return replace(resumed, begun=False, step=0, entered=None, window=None)


def _flag_changed(rollout: Rollout, event: Event, data: _Data) -> Rollout:
    return replace(
        _flag_noted(rollout, event, data),
        hands_off=True,
        placed=None,
        restart=rollout.restart or not rollout.begun,
        window=None,
    )


def _flag_noted(rollout: Rollout, _event: Event, data: _Data) -> Rollout:
    return replace(
        rollout, flag_version=data["version"], flag_on=data["on"], audit_id=data["audit_id"]
    )


def _flag_applied(rollout: Rollout, event: Event, data: _Data) -> Rollout:
    seen = replace(rollout, flag_version=data["version"], flag_on=data["on"])
    if rollout.phase in (Phase.HOLDING, Phase.WAITING) and not rollout.applied:
        return replace(seen, applied=True, hold_since=event.at)
    return seen


def _killed(rollout: Rollout, _event: Event, data: _Data) -> Rollout:
    service = data["service"]
    off = replace(
        rollout,
        services_off=rollout.services_off | {service},
        broken=rollout.broken - {service},
    )
    if off.phase is not Phase.PAUSED:
        return off
    return replace(off, hands_off=True, window=None)


def _interrupted(rollout: Rollout, _event: Event, data: _Data) -> Rollout:
    """The flag stays what it is: its prerequisite keeps everybody at the monolith."""
    service = data["service"]
    return replace(
        rollout,
        services_off=rollout.services_off | {service},
        broken=rollout.broken | {service},
        hold_since=None,
        window=None,
    )


def _restored(rollout: Rollout, _event: Event, data: _Data) -> Rollout:
    service = data["service"]
    return replace(
        rollout,
        services_off=rollout.services_off - {service},
        broken=rollout.broken - {service},
    )


def _plan_changed(rollout: Rollout, _event: Event, _data: _Data) -> Rollout:
    return replace(rollout, hands_off=True, restart=True, window=None)


_EFFECTS: Final[Mapping[Kind, _Effect]] = MappingProxyType(
    {
        Kind.STARTED: _started,
        Kind.STEP_ENTERED: _step_entered,
        Kind.STEP_PASSED: _passed,
        Kind.PROMOTED: _promoted,
        Kind.MOVED: _moved,
        Kind.PLACED: _placed,
        Kind.MEASURED: _measured,
        Kind.RETRIED: _retried,
        Kind.RESTARTED: _restarted,
        Kind.HELD: _held,
        Kind.COMMAND_ENDED: _command_ended,
        Kind.COMPLETED: _completed,
        Kind.ROLLED_BACK: _off,
        Kind.ABORTED: _off,
        Kind.RESUMED: _resumed,
        Kind.FLAG_CHANGED_BY_OTHER: _flag_changed,
        Kind.FLAG_NOTED: _flag_noted,
        Kind.FLAG_APPLIED: _flag_applied,
        Kind.KILLED: _killed,
        Kind.INTERRUPTED: _interrupted,
        Kind.RESTORED: _restored,
        Kind.PLAN_CHANGED: _plan_changed,
    }
)
