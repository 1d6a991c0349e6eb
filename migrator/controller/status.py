"""What people are shown about every rollout: one JSON document. Pure.

Called by the API. Decides nothing; every figure comes from the controller's last tick.
"""

from collections.abc import Mapping
from typing import Any, Final

from migrator.analysis.sample import NOTHING, Sample
from migrator.analysis.stats import Counters, Key, Stats
from migrator.analysis.watch import Watch
from migrator.controller.loop import Controller
from migrator.plan.dependencies import all_needed, needed, service_flag
from migrator.plan.model import Stage, Step
from migrator.plan.units import FULL_SHARE
from migrator.rollout.state import Rollout
from migrator.rollout.transitions import Phase

_STAGES: Final = tuple(map(str, Stage))
_QUANTILES: Final = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}


def status(controller: Controller, now: float) -> dict[str, Any]:
    """`{migration, at, problems, capabilities[], services[]}`; times are Unix seconds, shares
    thousandths of a percent, rates 0 to 1, latencies milliseconds (None: no request)."""
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
            | _measured(rollout, controller.world.stats)
            | {"metrics": controller.metrics.shown(name)}
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


def _measured(rollout: Rollout, stats: Stats | None) -> dict[str, Any]:
    """Cohorts, that is contexts by the stage that they got and the origin that was asked, and how
    often both origins agreed: at the present step, or since the proxy began. None: not known."""
    if stats is None:
        return {"cohorts": None, "consistency": None}
    counters = stats.counters(rollout.capability)
    base = rollout.window.base if rollout.window else Counters(instance="", cells={})
    pairs = counters.pairs_since(base)
    return {
        "cohorts": [
            {"stage": key.stage, "origin": key.origin} | _cohort(sample)
            for key, sample in sorted(counters.since(base).items(), key=_place)
            if sample.requests
        ],
        "consistency": {
            "compared": pairs.compared,
            "different": pairs.different,
            "rate": 1 - pairs.different / pairs.compared if pairs.compared else None,
        },
    }


def _place(cell: tuple[Key, Sample]) -> tuple[int, bool]:
    """Stages in their order, the monolith first."""
    key, _ = cell
    return _STAGES.index(key.stage), key.origin == "new"


def _cohort(sample: Sample) -> dict[str, Any]:
    figures = {"requests": sample.requests, "errors": sample.errors}
    quantiles = sample.latency.quantiles(_QUANTILES.values()) if sample.latency.total else None
    return {
        **figures,
        "error_rate": sample.error_rate,
        **dict(zip(_QUANTILES, quantiles or (None,) * len(_QUANTILES), strict=True)),
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
