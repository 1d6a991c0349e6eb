"""SIGKILL to the controller in the middle of every step: the same history as without."""

import random

from demo.behaviours.checks import course, planned
from demo.behaviours.plans import LOOSE
from demo.behaviours.trial import PATIENCE, Scene, Trial

HOLD = 4.0
"""Seconds of each step; the controller is killed somewhere in them."""
STAGES = (
    {"stage": "dualwrite"},
    {"stage": "shadow"},
    {"stage": "live", "share": "5%", "min_requests": 1},
    {"stage": "live", "share": "50%", "min_requests": 10},
    {"stage": "live", "min_requests": 10},
    {"stage": "rampdown", "min_requests": 10},
    {"stage": "complete", "min_requests": 10},
)
STEPS = [{**stage, "hold": f"{HOLD:g}s"} for stage in STAGES]
CAPABILITIES = ("publishing", "search")
KILLED_AT = "publishing"
"""Its steps are those in whose middle the controller dies; the others' it meets by chance."""


def play(trial: Trial) -> None:
    settings = {"schedule": STEPS, "analysis": LOOSE}
    chosen = dict.fromkeys(CAPABILITIES, settings)
    with trial.scene(chosen, name="undisturbed") as scene:
        _completed(scene)
        undisturbed = scene.system.history()
        scene.finish()
    with trial.scene(chosen, name="killed") as scene:
        pids = [_kill(trial, scene, number) for number in range(len(STEPS))]
        _completed(scene)
        killed = scene.system.history()
        scene.finish()
    trial.check(
        "the controller died in the middle of every step, each time another process",
        len(set(pids)) == len(STEPS),
        f"{len(set(pids))} processes, {len(STEPS)} steps",
    )
    for name in CAPABILITIES:
        expected, found = course(undisturbed, name), course(killed, name)
        trial.check(
            f"{name}: the same history (capability, kind, step) as without",
            expected == found and len(found) > 2 * len(STEPS),
            f"{len(found)} events" if expected == found else f"{found}, expected {expected}",
        )


def _kill(trial: Trial, scene: Scene, number: int) -> int:
    """Kill the controller somewhere in the hold of step `number`; its pid."""
    after = random.uniform(0, HOLD)  # noqa: S311 - another moment at each run
    entered = scene.enters(KILLED_AT, planned(STEPS)[number])
    scene.watch(after)
    pid = scene.system.kill("controller")
    trial.say(f"SIGKILL to the controller {after:.1f} s into {entered['why']}")
    return pid


def _completed(scene: Scene) -> None:
    for name in CAPABILITIES:
        scene.wait(name, "completed", patience=PATIENCE)
