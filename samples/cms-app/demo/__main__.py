"""`python -m demo`: the whole main job in about two minutes; exit code 0 if all promises held."""

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from demo.load import Load
from demo.summary import SwitchOff, findings, render
from demo.system import DemoFailed, System

WIDTH = 100
"""Columns where there is no terminal."""
RATE = 60.0
SEED = 1
LIMIT = 600.0
"""Seconds after which the load generator gives up by itself."""
READY, ROLLOUT, ROLLBACK = 90.0, 240.0, 60.0
"""Patience in seconds: a slow machine may take its time."""
SETTLE = 1.5
"""Seconds after a switch-off until the figures are read: wrong requests had time to come."""

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
    if state.exists():
        if not (state / "instance.json").exists():
            parser.error(f"--state: {state} is not a state folder of migrator")
        shutil.rmtree(state)
    began = time.monotonic()

    def show(event: Mapping[str, Any]) -> None:
        line = _line(event)
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
            cells = _stats(system)["cells"]
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
    _faults(system, {"error_rate": 0.2})
    _wait(system, ROLLBACK, {"publishing": "rolled_back"})
    switch = _measure(system, "publishing", "publishing", fault_at)
    _faults(system, None)
    return switch


def _kill(system: System, console: Console) -> SwitchOff:
    console.print("Now a person switches the comments service off: migrator kill service/comments")
    system.run("kill", "service/comments", "--reason", "demonstration")
    _wait(system, ROLLBACK, {"discussion": "killed"})
    return _measure(system, "comments-service", "discussion", None)


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


def _measure(system: System, flag: str, capability: str, fault_at: float | None) -> SwitchOff:
    """When the flag server stored the change, and when a proxy last chose the service."""
    entry = _last_change(system, flag)
    time.sleep(SETTLE)
    decided = [
        cell["last_decided_at"]
        for cell in _stats(system)["cells"]
        if cell["capability"] == capability and cell["origin"] == "new"
    ]
    return SwitchOff(
        what=flag,
        capability=capability,
        who=entry["member"]["email"],
        changed_at=entry["date"] / 1000,
        last_wrong_at=max(decided),
        fault_at=fault_at,
    )


def _last_change(system: System, flag: str) -> dict[str, Any]:
    """The newest entry of the flag's audit log."""
    answer = httpx.get(
        f"{system.address('flags')}/api/v2/auditlog",
        params={"spec": f"proj/cms:env/production:flag/{flag}", "limit": 1},
        headers={"Authorization": next(iter(system.secrets()["flags_tokens"].values()))},
        trust_env=False,
    )
    entry: dict[str, Any] = answer.raise_for_status().json()["items"][0]
    return entry


def _stats(system: System) -> dict[str, Any]:
    answer = httpx.get(f"{system.address('proxy_admin')}/stats", trust_env=False)
    stats: dict[str, Any] = answer.raise_for_status().json()
    return stats


def _faults(system: System, faults: dict[str, float] | None) -> None:
    httpx.request(
        "DELETE" if faults is None else "POST",
        f"{system.service('articles')}/internal/faults",
        json=faults,
        headers={"X-Internal-Token": system.secrets()["plan"]["CMS_INTERNAL_TOKEN"]},
        trust_env=False,
    ).raise_for_status()


def _line(event: Mapping[str, Any]) -> str:
    """What to print about an event; nothing for most."""
    if event["event"] in ("ended", "adopted"):
        return f"{event['process']} {event['event']}: {event['detail']}"
    if event["event"] != "rollout" or event["kind"] in ("flag_applied", "step_passed", "started"):
        return ""
    kind = str(event["kind"]).replace("_", " ")
    if event["kind"] == "step_entered":
        return f"{event['capability']}: {event['why']}"
    return f"{event['capability']} {kind}: {event['why']}"


if __name__ == "__main__":
    sys.exit(main())
