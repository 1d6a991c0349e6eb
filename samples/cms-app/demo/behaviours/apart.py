"""Two capabilities at once, one of which fails: the other one goes on."""

from demo.behaviours.checks import asked, obeyed, planned
from demo.behaviours.plans import LOOSE, SCHEDULE
from demo.behaviours.trial import Trial
from demo.switches import measure


def play(trial: Trial) -> None:
    settings = {"schedule": SCHEDULE, "analysis": LOOSE}
    with trial.scene(dict.fromkeys(("publishing", "search"), settings)) as scene:
        entered = scene.enters("publishing", "live 25%")
        fault_at = scene.faults("articles", {"error_rate": 0.2})
        back = scene.wait("publishing", "rolled_back", after=entered["seq"])
        switch = measure(scene.system, "publishing", "publishing", fault_at)
        scene.faults("articles", None)
        done = scene.wait("search", "completed")
        cells = scene.system.cells()
        flags = {name: scene.system.flag(name)["on"] for name in ("publishing", "search")}
        scene.finish([switch])
    trial.check("publishing was rolled back", "errors" in back["why"], back["why"])
    trial.check(
        "search took every step of the plan",
        scene.steps("search") == planned(SCHEDULE),
        ", ".join(scene.steps("search")),
    )
    trial.check(
        "search was completed after that",
        done["at"] > back["at"],
        f"{done['at'] - back['at']:.1f} s after the rollback",
    )
    trial.check(
        "search had no errors",
        asked(cells, "search") > 0 and asked(cells, "search", "errors") == 0,
        f"{asked(cells, 'search')} requests",
    )
    trial.check(
        "one flag is off, the other one on",
        flags == {"publishing": False, "search": True},
        f"publishing {flags['publishing']}, search {flags['search']}",
    )
    trial.checks.append(obeyed(switch))
