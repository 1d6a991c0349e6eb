"""What people are shown about every rollout: one JSON document. Pure.

Called by the API. Decides nothing; every figure comes from the controller's last tick.
"""

from collections.abc import Mapping
from typing import Any

from migrator.analysis.sample import NOTHING, Sample
from migrator.analysis.watch import Watch
from migrator.controller.loop import Controller
from migrator.plan.check import service_flag
from migrator.plan.dependencies import all_needed, needed
from migrator.plan.model import Step
from migrator.plan.units import FULL_SHARE
from migrator.rollout.state import Rollout
from migrator.rollout.transitions import Phase


def status(controller: Controller, now: float) -> dict[str, Any]:
    """`{migration, at, problems, capabilities[], services[]}`; times are Unix seconds, shares
    thousandths of a percent, latencies milliseconds (None: no request)."""
    return {
        "migration": controller.plan.metadata.name,
        "at": now,
        "problems": list(controller.world.problems),
        "capabilities": [
            capability(
                rollout,
                controller.schedule(name),
                controller.watches.get(name),
                controller.waiting_for.get(name, ""),
                off=_is_off(controller, name),
            )
            for name, rollout in controller.rollouts.items()
        ],
        "services": _services(controller),
    }


def capability(
    rollout: Rollout,
    schedule: tuple[Step, ...],
    watch: Watch | None,
    waiting_for: str,
    *,
    off: bool,
) -> dict[str, Any]:
    """One rollout. `stage` and `share` are what its flag is to show; `off` and the whole if the
    flag, or that of a needed service, is `off`."""
    steps = rollout.steps if rollout.begun else schedule
    shown = None if off else rollout.shown
    hold_until = None
    if rollout.phase is Phase.HOLDING and shown is not None and rollout.hold_since is not None:
        hold_until = rollout.hold_since + shown.hold
    return {
        "name": rollout.capability,
        "phase": rollout.phase,
        "stage": shown.stage if shown else "off",
        "share": shown.share if shown else FULL_SHARE,
        "step": min(rollout.step + 1, len(steps)) if rollout.begun else 0,
        "steps": len(steps),
        "reason": waiting_for or rollout.reason,
        "since": rollout.since,
        "hold_until": hold_until,
        "origins": _origins(watch),
    }


def _is_off(controller: Controller, name: str) -> bool:
    """Whether the flag server says so now."""
    flags = controller.world.flags
    if flags is None:
        return False
    capabilities = controller.plan.spec.capabilities
    keys = (name, *(service_flag(service) for service in needed(capabilities, name)))
    return any(key in flags and not flags[key].on for key in keys)


def _origins(watch: Watch | None) -> Mapping[str, Any]:
    old, new = (watch.old, watch.new) if watch else (NOTHING, NOTHING)
    return {"old": _figures(old), "new": _figures(new)}


def _figures(sample: Sample) -> dict[str, Any]:
    return {"requests": sample.requests, "errors": sample.errors, "p99_ms": sample.p99_ms}


def _services(controller: Controller) -> list[dict[str, Any]]:
    flags = controller.world.flags
    shown = []
    for name in all_needed(controller.plan.spec.capabilities):
        flag = flags.get(service_flag(name)) if flags is not None else None
        shown.append({"name": name, "enabled": None if flag is None else flag.on})
    return shown
