"""The whole sample on free ports, driven as a person would: the command line and HTTP."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
import yaml

SAMPLE = Path(__file__).parents[2] / "samples" / "cms-app"
MIGRATOR = (sys.executable, "-m", "migrator")
PATIENCE = 60.0
"""Seconds any awaited condition may take on a loaded machine before the test fails."""

T = TypeVar("T")


def wait_for(ask: Callable[[], T | None], what: str, patience: float = PATIENCE) -> T:
    """The first truthy answer of `ask`, asked again and again; fails after `patience` seconds."""
    pause = threading.Event()
    deadline = time.monotonic() + patience
    while True:
        if answer := ask():
            return answer
        assert time.monotonic() < deadline, f"waited {patience} s in vain for {what}"
        pause.wait(0.05)


@dataclass
class Running:
    """A `migrator up` of the sample, its events so far, and what a person does with it."""

    state: Path
    plan: Path
    process: subprocess.Popen[str]
    events: list[Mapping[str, Any]]

    def cli(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*MIGRATOR, *arguments, "--state", str(self.state)],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == code, f"{arguments}: {done.stdout}{done.stderr}"
        return done

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.cli("status", "--json").stdout)
        return status

    def capability(self, name: str) -> dict[str, Any]:
        return next(c for c in self.status()["capabilities"] if c["name"] == name)

    def address(self, part: str) -> str:
        instance = json.loads((self.state / "instance.json").read_text())
        return str(instance["addresses"][part])

    def secrets(self) -> dict[str, Any]:
        secrets: dict[str, Any] = json.loads((self.state / "secrets.json").read_text())
        return secrets

    def processes(self) -> dict[str, psutil.Process]:
        """Every supervised process that runs now, by name."""
        records = json.loads((self.state / "processes.json").read_text())["processes"]
        return {r["name"]: psutil.Process(r["pid"]) for r in records if r["pid"]}

    def wait_phase(self, capability: str, phase: str) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            now = self.capability(capability)
            return now if now["phase"] == phase else None

        return wait_for(reached, f"{capability} to be {phase}")


def sample_plan(folder: Path, change: Callable[[dict[str, Any]], None] = lambda _: None) -> Path:
    """The sample's plan on free ports, after `change`, in `folder`."""
    document = yaml.safe_load((SAMPLE / "migration.yaml").read_text())
    spec = document["spec"]
    spec["flags"]["port"] = spec["proxy"]["port"] = 0
    for workload in (spec["monolith"]["workload"], *spec["services"].values()):
        workload["cwd"] = str(SAMPLE)
        workload["port"] = 0
    change(document)
    plan = folder / "migration.yaml"
    plan.write_text(yaml.safe_dump(document))
    return plan


def start(plan: Path, state: Path) -> Running:
    """Run `migrator up` and read its events in the background; does not wait."""
    process = subprocess.Popen(
        [*MIGRATOR, "up", str(plan), "--state", str(state), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    running = Running(state, plan, process, [])

    def read() -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            running.events.extend(json.loads(line) for line in lines)

    threading.Thread(target=read, daemon=True).start()
    return running


def ready(running: Running) -> bool:
    assert running.process.poll() is None, "migrator up ended early"
    return any(event["event"] == "all_ready" for event in list(running.events))


@contextmanager
def running_sample(folder: Path, plan: Path | None = None) -> Iterator[Running]:
    running = start(plan or sample_plan(folder), folder / "state")
    try:
        wait_for(lambda: ready(running), "the sample to be ready")
        yield running
    finally:
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGINT)
            running.process.wait(timeout=PATIENCE)
        subprocess.run([*MIGRATOR, "down", "--state", str(running.state)], capture_output=True)
