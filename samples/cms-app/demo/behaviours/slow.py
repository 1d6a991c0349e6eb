"""A service whose p99 doubles.

A p99 of a busy machine is its noise. So both sides have the same slow answers from the beginning:
one in ten takes `WAIT` longer, as if it had to ask somebody far away. That is their p99. Then the
service's take twice as long. Medians do not move.
"""

from demo.behaviours.checks import numbers, obeyed
from demo.behaviours.plans import LOOSE, SCHEDULE
from demo.behaviours.trial import Trial
from demo.switches import measure

WAIT = 600.0
"""Milliseconds; well above what a busy machine adds by itself."""
SLOW = 0.1
"""Share of slow answers."""
KNOWN = 300
"""Requests at the monolith before `dualwrite` and `shadow` are left: to say that one answer in a
hundred is slower than something, some 900 must be known, whatever the service does."""
ENOUGH = 200
"""Requests at the service before the step may be left: twenty of them are slow."""
STEPS = [
    {"stage": "dualwrite", "hold": "2s", "min_requests": KNOWN},
    {"stage": "shadow", "hold": "2s", "min_requests": KNOWN},
    {"stage": "live", "share": "25%", "hold": "4s", "min_requests": ENOUGH},
    *SCHEDULE[4:],
]
LIMITS = {
    "error_rate": LOOSE["error_rate"],
    "latency": {
        "p50": LOOSE["latency"]["p99"],
        "p95": LOOSE["latency"]["p99"],
        "p99": {"max_ratio": 1.25, "min_increase": "100ms"},
    },
}


def play(trial: Trial) -> None:
    slow = {"latency_ms": WAIT, "slow_share": SLOW}
    with trial.scene({"search": {"schedule": STEPS, "analysis": LIMITS}}) as scene:
        for program in ("monolith", "search"):
            scene.faults(program, slow)
        entered = scene.enters("search", "live 25%")
        fault_at = scene.faults("search", {**slow, "latency_ms": 2 * WAIT})
        back = scene.wait("search", "rolled_back", after=entered["seq"])
        switch = measure(scene.system, "search", "search", fault_at)
        for program in ("monolith", "search"):
            scene.faults(program, None)
        on = scene.system.flag("search")["on"]
        scene.finish([switch])
    trial.check(
        "it never got beyond live 25%",
        scene.steps("search")[-1] == "live 25%",
        f"found {back['at'] - fault_at:.0f} s after it began",
    )
    figures = numbers(r"p99 new (\d+) ms, old (\d+) ms; limit ×1\.25", back["why"])
    trial.check(
        "rolled back, with the p99 of both sides as evidence",
        len(figures) == 2 and figures[0] > 1.5 * figures[1],
        back["why"],
    )
    trial.check("the flag is off", on is False, f"turned off by {switch.who}")
    trial.checks.append(obeyed(switch))
