"""A person toggles flags in the middle of rollouts, through REST and in the dashboard: the person
wins."""

import re
from collections.abc import Callable
from typing import Any

import httpx

from demo.behaviours.checks import asked, obeyed
from demo.behaviours.plans import LOOSE, SCHEDULE
from demo.behaviours.trial import Scene, Trial
from demo.switches import measure
from demo.system import PATIENCE, System

CONTROLLER = "migrator-controller"
SEMANTIC_PATCH = "application/json; domain-model=launchdarkly.semanticpatch"
LONGER = 12.0
"""Seconds: several holds, in which a controller that did not obey would have moved on."""
WAYS: tuple[tuple[str, str, Callable[[System, str, bool], None]], ...]


def play(trial: Trial) -> None:
    chosen = {name: {"schedule": SCHEDULE, "analysis": LOOSE} for name, _, _ in WAYS}
    with trial.scene(chosen) as scene:
        for capability, via, toggle in WAYS:
            _one(trial, scene, capability, via, toggle)
        for capability, _, _ in WAYS:
            scene.wait(capability, "completed", after=scene.events[-1]["seq"])
        scene.finish()


def _one(
    trial: Trial,
    scene: Scene,
    capability: str,
    via: str,
    toggle: Callable[[System, str, bool], None],
) -> None:
    system, member = scene.system, person(scene.system)
    entered = scene.enters(capability, "live 25%")
    trial.say(f"a person turns {capability} off {via}")
    toggle(system, capability, False)
    seen = scene.wait(capability, "flag_changed_by_other", after=entered["seq"])
    trial.check(
        f"{capability}: paused, and the event says who did what and how",
        seen["by"] == member and seen["why"].endswith(f"turned {capability} off {via}"),
        seen["why"],
    )
    switch = measure(system, capability, capability, None)
    trial.checks.append(obeyed(switch))
    before = system.flag(capability), asked(system.cells(), capability)
    trial.say(f"{LONGER:g} s in which nobody may touch {capability}")
    scene.watch(LONGER)
    after = system.flag(capability), asked(system.cells(), capability)
    trial.check(
        f"{capability}: the controller left the flag alone and off",
        before == after and not after[0]["on"] and switch.who == member,
        f"version {after[0]['version']}, last changed by {switch.who}",
    )
    trial.say(f"the person turns {capability} on again {via}")
    toggle(system, capability, True)
    again = scene.wait(capability, "flag_changed_by_other", "on", after=seen["seq"])
    phase = next(c for c in system.run("status")["capabilities"] if c["name"] == capability)
    trial.check(
        f"{capability}: still paused, until the person says resume",
        phase["phase"] == "paused",
        again["why"],
    )
    system.run("resume", capability)
    scene.wait(capability, "resumed", after=again["seq"])


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


WAYS = (("search", "through the API", by_rest), ("accounts", "in the dashboard", in_dashboard))
