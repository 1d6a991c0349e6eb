"""What to say next about a rollout: state and observation in, events out.

Pure. Called by the controller at each tick, which writes the events to the log, folds them into
the state and then makes the flag what `desired_flag` says. Rules run in a fixed order, each on the
state that the former ones left: people first (flag, services, plan), then the analysis, then the
schedule. The plan comes after the two that can pause a complete rollout, because a changed plan
matters to a paused one.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from migrator.analysis.sample import NOTHING, Sample, total
from migrator.analysis.verdict import Outcome
from migrator.plan.dependencies import service_flag
from migrator.plan.model import Step
from migrator.plan.units import format_share
from migrator.rollout.events import CONTROLLER, Event, Kind
from migrator.rollout.gate import closed_gate
from migrator.rollout.observation import Figures, Observation, SeenFlag
from migrator.rollout.state import Rollout, apply
from migrator.rollout.transitions import Phase
from routing.config import REVEAL

_AT_STEP: Final = frozenset({Phase.HOLDING, Phase.WAITING})
_WATCHED: Final = frozenset({Phase.WAITING, Phase.PAUSED, Phase.COMPLETE})
"""Phases in which a window may have ended and another one must begin."""
_BACK: Final = frozenset({Phase.ROLLED_BACK, Phase.ABORTED})


def advance(
    rollout: Rollout, steps: tuple[Step, ...], seen: Observation, now: float
) -> tuple[Event, ...]:
    """The events that `seen` causes, oldest first; usually none.

    `steps`: the plan's schedule now. After they are folded into `rollout` the same
    observation causes nothing more, but for the passing of time.
    """
    events: list[Event] = []
    for rule in _RULES:
        for event in rule(rollout, steps, seen, now):
            events.append(event)
            rollout = apply(rollout, event)
    return tuple(events)


def _event(rollout: Rollout, kind: Kind, now: float, why: str, **data: Any) -> Event:
    return Event(
        at=now, capability=rollout.capability, kind=kind, by=CONTROLLER, why=why, data=data
    )


def _plan(
    rollout: Rollout, steps: tuple[Step, ...], _seen: Observation, now: float
) -> Iterator[Event]:
    """A schedule that changed under a running rollout is not guessed at: a person decides."""
    if not rollout.begun or rollout.restart or rollout.steps == steps:
        return
    if rollout.phase in _AT_STEP | {Phase.PENDING, Phase.PAUSED}:
        yield _event(
            rollout,
            Kind.PLAN_CHANGED,
            now,
            f"the plan's schedule changed under this rollout; `migrator resume "
            f"{rollout.capability}` begins the new one, `migrator abort` turns it off",
        )


def _flag(
    rollout: Rollout, _steps: tuple[Step, ...], seen: Observation, now: float
) -> Iterator[Event]:
    """A version that is not ours pauses the rollout. An older one than known is old news."""
    flag = seen.flag
    if flag is None or rollout.flag_version is None or flag.version <= rollout.flag_version:
        return
    if flag.change is None:
        yield _event(rollout, Kind.FLAG_APPLIED, now, "", version=flag.version, on=flag.on)
        return
    harmless = rollout.phase in _BACK and not flag.on
    yield Event(
        at=now,
        capability=rollout.capability,
        kind=Kind.FLAG_NOTED if harmless else Kind.FLAG_CHANGED_BY_OTHER,
        by=flag.change.by,
        why=_told(rollout, flag),
        data={"version": flag.version, "on": flag.on, "audit_id": flag.change.audit_id},
    )


def _told(rollout: Rollout, flag: SeenFlag) -> str:
    verb = "changed {}"
    if flag.on != rollout.flag_on:
        verb = "turned {} on" if flag.on else "turned {} off"
    change = flag.change
    if change is None:
        return verb.format(rollout.capability)
    told = f"{change.by} {verb.format(rollout.capability)}"
    if change.via:
        told += f" {change.via}"
    return f'{told} ("{change.comment}")' if change.comment else told


def _services(
    rollout: Rollout, _steps: tuple[Step, ...], seen: Observation, now: float
) -> Iterator[Event]:
    """A needed service that a person switched off pauses the rollout; that it came back does not
    go on. One that the controller switched off only interrupts it."""
    if seen.services_off is None:
        return
    for service, off in sorted(seen.services_off.items()):
        if off.broken and service not in rollout.services_off:
            yield _event(rollout, Kind.INTERRUPTED, now, off.why, service=service)
        elif not off.broken and service not in rollout.services_off - rollout.broken:
            yield _event(rollout, Kind.KILLED, now, off.why, service=service)
    for service in sorted(rollout.services_off - seen.services_off.keys()):
        why = f"{service_flag(service)} is on again"
        if rollout.phase is Phase.PAUSED:
            why += f"; `migrator resume {rollout.capability}` goes on"
        yield _event(rollout, Kind.RESTORED, now, why, service=service)


def _judge(
    rollout: Rollout, _steps: tuple[Step, ...], seen: Observation, now: float
) -> Iterator[Event]:
    """What the analysis says about the share that is out there, complete or paused included."""
    figures = seen.figures
    if rollout.window is None or rollout.hands_off or figures is None:
        return
    if figures.verdict is not None and figures.verdict.outcome is Outcome.FAILED:
        yield _event(rollout, Kind.ROLLED_BACK, now, figures.verdict.evidence)


def _command(
    rollout: Rollout, _steps: tuple[Step, ...], seen: Observation, now: float
) -> Iterator[Event]:
    """The step's command ended. One of an earlier entry is old news."""
    ended = seen.ended
    if ended is None or rollout.phase not in _AT_STEP or rollout.command is not None:
        return
    if ended.entry == rollout.entry:
        why = f"before_leaving {ended.problem or 'succeeded'}"
        data = {"entry": ended.entry, "problem": ended.problem}
        yield _event(rollout, Kind.COMMAND_ENDED, now, why, **data)


def _gates(
    rollout: Rollout, _steps: tuple[Step, ...], seen: Observation, now: float
) -> Iterator[Event]:
    """Leave the step when all of its gates are open; say once what keeps them closed."""
    if rollout.phase not in _AT_STEP:
        return
    gate = closed_gate(rollout, rollout.steps[rollout.step], seen, now)
    if gate is None:
        evidence = seen.figures.verdict.evidence if seen.figures and seen.figures.verdict else ""
        yield _event(rollout, Kind.STEP_PASSED, now, evidence, step=rollout.step)
    elif gate.topic not in rollout.said | {"hold"} and _hold_is_over(rollout, now):
        yield _event(rollout, Kind.HELD, now, gate.why, topic=gate.topic)


def _measure(
    rollout: Rollout, _steps: tuple[Step, ...], seen: Observation, now: float
) -> Iterator[Event]:
    """After an interruption the step is measured anew; and what a person set or went back to while
    paused is protected by the analysis, too."""
    if rollout.phase not in _WATCHED or rollout.hands_off or rollout.window is not None:
        return
    if rollout.shown is not None and not rollout.services_off and seen.figures is not None:
        yield _event(rollout, Kind.MEASURED, now, "", **_new_window(seen.figures))


def _hold_is_over(rollout: Rollout, now: float) -> bool:
    hold = rollout.steps[rollout.step].hold
    return rollout.hold_since is not None and now - rollout.hold_since >= hold


def _schedule(
    rollout: Rollout, steps: tuple[Step, ...], seen: Observation, now: float
) -> Iterator[Event]:
    """Begin, enter the next step, or finish: only with flag, services and figures in sight."""
    flag, figures = seen.flag, seen.figures
    if rollout.phase is not Phase.PENDING or flag is None or figures is None:
        return
    if seen.services_off is None or seen.services_off:
        return
    first = not rollout.begun
    if first and flag.on and not rollout.restart:
        why = f"{rollout.capability} is already on; `migrator resume {rollout.capability}`"
        yield Event(
            at=now,
            capability=rollout.capability,
            kind=Kind.FLAG_CHANGED_BY_OTHER,
            by="someone",
            why=f"{why} takes it over and begins at the first step",
            data={"version": flag.version, "on": flag.on, "audit_id": None},
        )
        return
    if not rollout.finished and _held_back(rollout, seen):
        return
    if first:
        yield _event(
            rollout,
            Kind.STARTED,
            now,
            f"{len(steps)} steps",
            steps=[step.model_dump(mode="json", context=REVEAL) for step in steps],
            old=_all_old(figures).to_json(),
            version=flag.version,
            on=flag.on,
        )
    if rollout.finished:
        why = "all steps passed; still watched"
        yield _event(rollout, Kind.COMPLETED, now, why, **_new_window(figures))
        return
    index = 0 if first else rollout.step
    step = steps[index] if first else rollout.steps[index]
    yield _event(
        rollout,
        Kind.STEP_ENTERED,
        now,
        f"{step.stage} {format_share(step.share)}",
        step=index,
        **_new_window(figures, keep_old=not first),
    )


def _held_back(rollout: Rollout, seen: Observation) -> bool:
    """Whether the step to come is a move forward that nobody chose and that a gate forbids.

    Entering the step that the flag shows already, as after `resume`, is none.
    """
    forward = rollout.entered is None or rollout.step > rollout.entered
    return forward and not rollout.chosen and bool(seen.ahead)


def _new_window(figures: Figures, *, keep_old: bool = True) -> dict[str, Any]:
    data: dict[str, Any] = {"base": figures.counters.to_json()}
    data["old"] = (figures.old if keep_old else NOTHING).to_json()
    if keep_old and figures.metrics:
        data["metrics"] = {
            name: {"count": counts.count, "total": counts.total}
            for name, counts in figures.metrics.items()
        }
    return data


def _all_old(figures: Figures) -> Sample:
    return total(s for key, s in figures.counters.cells.items() if key.origin == "old")


_Rule = Callable[[Rollout, tuple[Step, ...], Observation, float], Iterator[Event]]
_RULES: Final[tuple[_Rule, ...]] = (
    _flag,
    _services,
    _plan,
    _judge,
    _command,
    _gates,
    _measure,
    _schedule,
)
