"""Traffic drops to nothing in the middle of a step: the rollout holds, says so, and goes on when
traffic returns."""

import re

from demo.behaviours.checks import planned
from demo.behaviours.plans import LOOSE, SCHEDULE
from demo.behaviours.trial import Trial

ENOUGH = 60
"""Requests at the service before the step may be left; a second of load brings a few."""
STEPS = [
    {**step, "min_requests": ENOUGH} if step.get("share") == "25%" else step for step in SCHEDULE
]
QUIET = 15.0
"""Seconds without anybody: several times the hold."""


def play(trial: Trial) -> None:
    with trial.scene({"search": {"schedule": STEPS, "analysis": LOOSE}}) as scene:
        entered = scene.enters("search", "live 25%")
        trial.say("everybody leaves")
        scene.load.pause()
        held = scene.wait("search", "held", after=entered["seq"])
        scene.watch(QUIET)
        meanwhile = [e["kind"] for e in scene.since(held["seq"], "search")]
        status = scene.system.run("status")["capabilities"][0]
        trial.say("everybody comes back")
        scene.load.resume()
        passed = scene.wait("search", "step_passed", after=held["seq"])
        scene.wait("search", "completed", after=held["seq"])
        scene.finish()
    said = re.search(rf"not enough data: (\d+) of {ENOUGH} requests", held["why"])
    trial.check("held, and said why", said is not None, held["why"])
    trial.check(
        f"nothing moved for {QUIET:g} s without traffic",
        meanwhile == [] and status["phase"] == "waiting" and status["stage"] == "live",
        f"{status['phase']} at {status['stage']}: {status['reason']}",
    )
    trial.check(
        "went on when traffic returned",
        passed["at"] > held["at"] + QUIET,
        f"{passed['at'] - held['at']:.0f} s after it was held: {passed['why']}",
    )
    trial.check(
        "took every step of the plan",
        scene.steps("search") == planned(STEPS),
        ", ".join(scene.steps("search")),
    )
