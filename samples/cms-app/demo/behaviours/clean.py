"""All capabilities, from the monolith to services, with every gate on."""

from demo.behaviours.checks import asked, planned
from demo.behaviours.trial import Trial

PARITY = {"min": "99%", "min_compared": 40}
"""Forty reads a step; one in a hundred may have met a write on its way to the other side."""


def play(trial: Trial) -> None:
    capabilities = trial.plan["spec"]["capabilities"]
    chosen = {
        name: {"analysis": {**each["analysis"], "parity": PARITY}}
        for name, each in capabilities.items()
    }
    with trial.scene(chosen) as scene:
        for name in capabilities:
            scene.wait(name, "completed")
        cells = scene.system.cells()
        pairs = {each["capability"]: each for each in scene.system.run("parity", "list")}
        scene.finish()
    for name, each in capabilities.items():
        steps = scene.steps(name)
        trial.check(
            f"{name} took every step of the plan, in its order, and was completed",
            steps == planned(each["schedule"]),
            ", ".join(steps),
        )
        trial.check(
            f"{name}: the services answered users",
            asked(cells, name) > 0,
            f"{asked(cells, name)} requests, {asked(cells, name, 'errors')} errors",
        )
        compared, different = (pairs[name][key] for key in ("compared", "different"))
        trial.check(
            f"{name}: both sides' answers were compared, and agree",
            compared > 0 and different <= compared / 100,
            f"{different} of {compared} differ",
        )
