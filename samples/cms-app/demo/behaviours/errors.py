"""A service that answers 5 % errors, found while it has 5 % of the users."""

from demo.behaviours.checks import numbers, obeyed
from demo.behaviours.plans import LOOSE, SCHEDULE
from demo.behaviours.trial import Trial
from demo.switches import measure

ENOUGH = 120
"""Requests at the service before the step may be left. A service with 5 % errors shows none in 120
requests once in 470 times; with a single one it is above the limit of 0.5 %, and held."""
STEPS = [
    {**step, "min_requests": ENOUGH} if step.get("share") == "5%" else step for step in SCHEDULE
]
LIMITS = {**LOOSE, "error_rate": {"max_increase": "0.5%"}}
EVIDENCE = r"new (\d+)/(\d+) = .* errors, old (\d+)/(\d+) = .*; limit \+0\.5%"


def play(trial: Trial) -> None:
    with trial.scene({"publishing": {"schedule": STEPS, "analysis": LIMITS}}) as scene:
        entered = scene.enters("publishing", "live 5%")
        fault_at = scene.faults("articles", {"error_rate": 0.05})
        held = scene.wait("publishing", "held", "not enough data", after=entered["seq"])
        back = scene.wait("publishing", "rolled_back", after=entered["seq"])
        switch = measure(scene.system, "publishing", "publishing", fault_at)
        scene.faults("articles", None)
        on = scene.system.flag("publishing")["on"]
        scene.finish([switch])
    waited = back["at"] - held["at"]
    trial.check(
        "the step was held until there was evidence",
        waited > 0,
        f"{waited:.0f} s, with: {held['why']}",
    )
    trial.check(
        "it never got beyond live 5%",
        scene.steps("publishing")[-1] == "live 5%",
        ", ".join(scene.steps("publishing")),
    )
    figures = numbers(EVIDENCE, back["why"])
    trial.check(
        "rolled back, with the errors of both sides as evidence",
        len(figures) == 4 and figures[0] / figures[1] > figures[2] / figures[3] + 0.005,
        back["why"],
    )
    trial.check("the flag is off", on is False, f"turned off by {switch.who}")
    trial.checks.append(obeyed(switch))
