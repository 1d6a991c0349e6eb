"""`python -m demo`: the whole main job in about two minutes; exit code 0 if all promises held."""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from demo.load import Load
from demo.narration import event_line
from demo.summary import SwitchOff, findings, render
from demo.switches import measure
from demo.system import DemoFailed, System, clear

WIDTH = 100
"""Columns where there is no terminal."""
RATE = 60.0
SEED = 1
LIMIT = 600.0
"""Seconds after which the load generator gives up by itself."""
READY, ROLLOUT, ROLLBACK = 90.0, 240.0, 60.0
"""Patience in seconds: a slow machine may take its time."""

Show = Callable[[Mapping[str, Any]], None]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--plan", type=Path, default=Path("migration.yaml"))
    parser.add_argument("--state", type=Path, default=Path(".migrator/demo"), help="made anew")
    options = parser.parse_args()
    state: Path = options.state.absolute()
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    if not console.is_terminal:
        console.width = WIDTH
    try:
        clear(state)
    except DemoFailed as error:
        parser.error(f"--state: {error}")
    began = time.monotonic()

    def show(event: Mapping[str, Any]) -> None:
        line = event_line(event)
        if line:
            console.print(f"[dim]{time.monotonic() - began:5.1f} s[/dim]  {line}")

    try:
        found = _demonstrate(console, options.plan, state, show)
    except DemoFailed as error:
        console.print(f"[red]The demonstration failed:[/red] {error}")
        console.print(f"Logs of all programs: {state / 'logs'}")
        return 1
    except KeyboardInterrupt:
        console.print("stopped")
        return 130
    for finding in found:
        console.print(f"[red]broken promise:[/red] {finding}")
    console.print(f"{'failed' if found else 'done'} after {time.monotonic() - began:.0f} s")
    return 1 if found else 0


def _demonstrate(console: Console, plan: Path, state: Path, show: Show) -> list[str]:
    console.print("Starting the monolith, its services, the flag server, proxy and controller")
    with System(plan, state, show) as system:
        for event in system.events(READY):
            if event["event"] == "all_ready":
                break
        capabilities = [each["name"] for each in system.run("status")["capabilities"]]
        console.print(f"The site: {system.address('proxy')}")
        console.print(f"Flag dashboard: {system.address('flags')} (until this ends)")
        console.print(f"{RATE:.0f} actions a second by readers, editors and API clients from here")
        load = Load(system.address("proxy"), state / "load.json", rate=RATE, seed=SEED, limit=LIMIT)
        try:
            _wait(system, ROLLOUT, dict.fromkeys(capabilities, "completed"))
            console.print("All capabilities are complete. Now the articles service breaks.")
            switches = [_break(system), _kill(system, console)]
            cells = system.cells()
            console.print("Reading every acknowledged write again")
            report = load.finish()
        finally:
            load.kill()
        console.print(render(cells, report, switches))
        console.print(
            f"The flag dashboard was at {system.address('flags')}, "
            f"the site at {system.address('proxy')}."
        )
    return findings(report, switches)


def _break(system: System) -> SwitchOff:
    """Two in ten of the articles service's answers become errors; the controller finds out."""
    fault_at = time.time()
    system.faults("articles", {"error_rate": 0.2})
    _wait(system, ROLLBACK, {"publishing": "rolled_back"})
    switch = measure(system, "publishing", "publishing", fault_at)
    system.faults("articles", None)
    return switch


def _kill(system: System, console: Console) -> SwitchOff:
    console.print("Now a person switches the comments service off: migrator kill service/comments")
    system.run("kill", "service/comments", "--reason", "demonstration")
    _wait(system, ROLLBACK, {"discussion": "killed"})
    return measure(system, "comments-service", "discussion", None)


def _wait(system: System, patience: float, wanted: dict[str, str]) -> None:
    """Until each capability has had its event. Raises DemoFailed."""
    wanted = dict(wanted)
    for event in system.events(patience):
        if event["event"] != "rollout":
            continue
        name, kind = event["capability"], event["kind"]
        if wanted.get(name) == kind:
            del wanted[name]
        elif kind in ("rolled_back", "paused", "aborted"):
            raise DemoFailed(f"{name} was {kind.replace('_', ' ')}: {event['why']}")
        if not wanted:
            return


if __name__ == "__main__":
    sys.exit(main())
