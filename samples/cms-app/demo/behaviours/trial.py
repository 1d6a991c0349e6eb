"""One behaviour as it is played: running systems under load, what they say, what was checked."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from demo.behaviours import plans
from demo.behaviours.checks import Check, Event, steps_entered, users
from demo.load import Load
from demo.narration import event_line
from demo.summary import SwitchOff
from demo.system import DemoFailed, System, clear

RATE = 60.0
"""Actions a second; an action is one to five requests."""
SEED = 1
READY, PATIENCE = 180.0, 300.0
"""Seconds; what is waited for are conditions, and a slow machine may take its time."""
UNWANTED = ("rolled_back", "paused", "aborted", "killed", "flag_changed_by_other", "plan_changed")

Say = Callable[[str], None]


class Trial:
    """What one behaviour works with: a folder, a voice, and the checks so far."""

    def __init__(self, folder: Path, plan: plans.Document, say: Say) -> None:
        self.plan = plan
        self.checks: list[Check] = []
        self.events: list[Event] = []
        """Of all scenes."""
        self._folder = folder
        self._say = say
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._began

    def say(self, line: str) -> None:
        self._say(f"{self.seconds:6.1f} s  {line}")

    def check(self, what: str, seen: bool, detail: str = "") -> None:
        self.checks.append(Check(what=what, seen=seen, detail=detail))

    @contextmanager
    def scene(
        self, capabilities: Mapping[str, Mapping[str, Any]], *, name: str = ""
    ) -> Iterator["Scene"]:
        """A system that moves `capabilities` (see `plans.variant`) under load. `name`: where a
        behaviour has several."""
        state = self._folder / (name or "sample")
        clear(state)
        self._folder.mkdir(parents=True, exist_ok=True)
        plan = state.with_suffix(".yaml")
        plan.write_text(yaml.safe_dump(plans.variant(self.plan, capabilities), sort_keys=False))
        self.say(f"starting the sample; its plan is {plan}")
        with System(plan, state, self._show) as system:
            for event in system.events(READY):
                if event["event"] == "all_ready":
                    break
            report = state / "load.json"
            self.say(f"{RATE:.0f} actions a second by readers, editors and API clients from here")
            load = Load(system.address("proxy"), report, rate=RATE, seed=SEED, limit=3600)
            scene = Scene(self, name, system, load)
            try:
                yield scene
            finally:
                load.kill()
                self.events += scene.events

    def _show(self, event: Event) -> None:
        if line := event_line(event):
            self.say(line)


class Scene:
    """A running system, the events of its rollouts so far, and its users."""

    def __init__(self, trial: Trial, name: str, system: System, load: Load) -> None:
        self.system = system
        self.load = load
        self.events: list[Event] = []
        self._trial = trial
        self._name = name

    def wait(
        self,
        capability: str,
        kind: str,
        why: str = "",
        *,
        after: int = 0,
        patience: float = PATIENCE,
    ) -> Event:
        """The first event of this kind after event `after` whose reason has `why` in it.

        Raises DemoFailed if it does not come, or if the rollout stops before.
        """
        deadline = time.monotonic() + patience
        looked_at = 0
        while True:
            for event in self.events[looked_at:]:
                looked_at += 1
                if event["capability"] != capability or event["seq"] <= after:
                    continue
                if event["kind"] == kind and why in event["why"]:
                    return event
                if event["kind"] in UNWANTED:
                    raise DemoFailed(f"{capability} {event['kind']}: {event['why']}")
            left = deadline - time.monotonic()
            if left <= 0:
                raise DemoFailed(f"waited {patience:.0f} s in vain: {capability} {kind} {why}")
            self._take(left)

    def enters(self, capability: str, what: str) -> Event:
        """A step such as `live 5%`."""
        return self.wait(capability, "step_entered", what)

    def watch(self, seconds: float) -> None:
        """Let time pass."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._take(left)

    def faults(self, program: str, faults: Mapping[str, float] | None) -> float:
        """Have a program misbehave; Unix seconds at which it begins, at the earliest."""
        told = ", ".join(f"{name} {value:g}" for name, value in (faults or {}).items())
        self._trial.say(f"the fault of {program}: {told or 'none any more'}")
        at = time.time()
        self.system.faults(program, faults)
        return at

    def since(self, seq: int, capability: str) -> list[Event]:
        """Events of a rollout after event `seq`, so far."""
        return [e for e in self.events if e["capability"] == capability and e["seq"] > seq]

    def steps(self, capability: str) -> list[str]:
        """What its flag was told to show so far."""
        return steps_entered(self.events, capability)

    def finish(self, switches: Sequence[SwitchOff] = ()) -> None:
        """End the load, and check what its users saw."""
        self._trial.say("reading every acknowledged write again")
        self._trial.checks += [
            replace(check, what=f"{self._name}: {check.what}" if self._name else check.what)
            for check in users(self.load.finish(), switches)
        ]

    def _take(self, timeout: float) -> None:
        event = self.system.next_event(timeout)
        if event is not None and event["event"] == "rollout":
            self.events.append(event)
