"""All capabilities, from the monolith to services, with every gate on."""

from demo.behaviours.checks import asked, planned
from demo.behaviours.trial import Trial

AGREE = 99
"""Least percentage of reads to which both sides must give the same answer."""
COMPARED = 40
"""Least reads to be compared at each step."""
PARITY = {"min": f"{AGREE}%", "min_compared": COMPARED}
"""`analysis.parity` of every capability."""


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
        told = scene.system.run("parity", "list")
        pairs = {each["capability"]: each for each in told if each["access"] == "read"}
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
            f"{name}: both sides' answers were compared, and agree at {AGREE} %",
            compared > COMPARED and different <= compared * (100 - AGREE) / 100,
            f"{different} of {compared} differ",
        )
