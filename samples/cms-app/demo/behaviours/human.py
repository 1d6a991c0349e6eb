"""A person toggles flags in the middle of rollouts, through REST and in the dashboard: the person
wins."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from demo.behaviours.checks import asked, obeyed, planned
from demo.behaviours.plans import LOOSE, SCHEDULE
from demo.behaviours.trial import Scene, Trial
from demo.switches import measure
from demo.system import PATIENCE, System

CONTROLLER = "migrator-controller"
SEMANTIC_PATCH = "application/json; domain-model=launchdarkly.semanticpatch"
STEPS = [{**step, "hold": "10s"} if step.get("share") == "25%" else step for step in SCHEDULE]
"""Long enough for both toggles to come in the middle of `live 25%`."""
SERVED = 3.0
"""Seconds in which the services answer users, before they must not any more."""
LONGER = 12.0
"""Seconds: several holds, in which a controller that did not obey would have moved on."""

Toggle = Callable[[System, str, bool], None]


def play(trial: Trial) -> None:
    settings = {"schedule": STEPS, "analysis": LOOSE}
    with trial.scene(dict.fromkeys(WAYS, settings)) as scene:
        for name in WAYS:
            scene.enters(name, "live 25%")
        scene.watch(SERVED)
        _toggle(trial, scene, on=False)
        for name in WAYS:
            trial.checks.append(obeyed(measure(scene.system, name, name, None)))
        _check_left_alone(trial, scene)
        _toggle(trial, scene, on=True)
        now = {each["name"]: each for each in scene.system.run("status")["capabilities"]}
        for name in WAYS:
            trial.check(
                f"{name}: on again, and still paused until the person says resume",
                now[name]["phase"] == "paused",
                now[name]["reason"],
            )
        on = scene.events[-1]["seq"]
        for name in WAYS:
            scene.system.run("resume", name)
        for name in WAYS:
            scene.wait(name, "completed", after=on)
        scene.finish()
    for name in WAYS:
        again = [*planned(STEPS)[:4], *planned(STEPS)[3:]]
        trial.check(
            f"{name}: went on with the step at which it was paused, to the end",
            scene.steps(name) == again,
            ", ".join(scene.steps(name)),
        )


def _toggle(trial: Trial, scene: Scene, *, on: bool) -> None:
    """The person turns each flag, in its way; the events must say who did what and how."""
    last, member = scene.events[-1]["seq"], person(scene.system)
    to = "on" if on else "off"
    for name, (via, toggle) in WAYS.items():
        trial.say(f"a person turns {name} {to} {via}")
        toggle(scene.system, name, on)
    for name, (via, _) in WAYS.items():
        seen = scene.wait(name, "flag_changed_by_other", after=last)
        trial.check(
            f"{name}: the event says who turned it {to}, and how",
            (seen["by"], seen["why"]) == (member, f"{member} turned {name} {to} {via}"),
            seen["why"],
        )


def _check_left_alone(trial: Trial, scene: Scene) -> None:
    """Nobody touches what the person has switched off, and no request comes there."""

    def look() -> dict[str, tuple[int, bool, int]]:
        flags, cells = {name: scene.system.flag(name) for name in WAYS}, scene.system.cells()
        return {name: (f["version"], f["on"], asked(cells, name)) for name, f in flags.items()}

    before = look()
    trial.say(f"{LONGER:g} s in which the controller must not touch the flags")
    scene.watch(LONGER)
    after = look()
    for name, (version, on, requests) in after.items():
        who = scene.system.last_change(name)["member"]["email"]
        trial.check(
            f"{name}: left off for {LONGER:g} s, and without a request",
            before[name] == after[name] and requests > 0 and not on and who == person(scene.system),
            f"version {version}, last changed by {who}; {requests} requests before",
        )


def person(system: System) -> str:
    """The name under which this user changes flags."""
    members: dict[str, Any] = system.secrets()["flags_tokens"]
    return next(name for name in members if name != CONTROLLER)


def by_rest(system: System, flag: str, on: bool) -> None:
    httpx.patch(
        f"{system.address('flags')}/api/v2/flags/cms/{flag}",
        headers={"Authorization": _token(system), "Content-Type": SEMANTIC_PATCH},
        json={
            "environmentKey": "production",
            "instructions": [{"kind": "turnFlagOn" if on else "turnFlagOff"}],
        },
        trust_env=False,
        timeout=PATIENCE,
    ).raise_for_status()


def in_dashboard(system: System, flag: str, on: bool) -> None:
    """What a browser sends when somebody signs in and clicks the switch."""
    with httpx.Client(
        base_url=system.address("flags"), follow_redirects=True, trust_env=False, timeout=PATIENCE
    ) as browser:
        page = browser.post("/login", data={"token": _token(system)}).raise_for_status()
        csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
        form = {"csrf": csrf[1] if csrf else "", "to": "on" if on else "off"}
        path = f"/p/cms/production/flags/{flag}/change/switch"
        browser.post(path, data=form).raise_for_status()


def _token(system: System) -> str:
    return str(system.secrets()["flags_tokens"][person(system)])


WAYS: Mapping[str, tuple[str, Toggle]] = {
    "search": ("through the API", by_rest),
    "accounts": ("in the dashboard", in_dashboard),
}
"""How the person toggles each capability's flag, in the event's words."""
