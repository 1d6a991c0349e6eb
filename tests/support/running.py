"""The whole sample on free ports, driven as a person would: the command line and HTTP."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
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
    environment: Mapping[str, str] | None = None
    """Of every command; None: the test's own."""

    def cli(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return self.cli_at(self.state, *arguments, code=code)

    def cli_at(
        self, state: Path, *arguments: str, code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*MIGRATOR, *arguments, "--state", str(state)],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env=self.environment,
        )
        assert done.returncode == code, f"{arguments}: {done.stdout}{done.stderr}"
        return done

    def has(self, event: str, process: str | None = None) -> bool:
        """Whether that happened; fails if `migrator up` has ended."""
        if any(
            seen["event"] == event and (process is None or seen.get("process") == process)
            for seen in list(self.events)
        ):
            return True
        assert self.process.poll() is None, f"migrator up ended early: {self.said()}"
        return False

    def said(self) -> str:
        """What `migrator up` wrote to standard error."""
        return self.plan.with_suffix(".stderr").read_text()

    def end(self) -> None:
        """Stop everything, whatever state it is in."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=PATIENCE)
        subprocess.run([*MIGRATOR, "down", "--state", str(self.state)], capture_output=True)

    def instance(self) -> dict[str, Any]:
        instance: dict[str, Any] = json.loads((self.state / "instance.json").read_text())
        return instance

    def services(self) -> dict[str, str]:
        services: dict[str, str] = self.instance()["addresses"]["services"]
        return services

    def member(self) -> str:
        """The name under which this person changes flags."""
        members: list[str] = [*self.secrets()["flags_tokens"]]
        return next(name for name in members if name != "migrator-controller")

    def token(self) -> str:
        return str(self.secrets()["flags_tokens"][self.member()])

    def status(self) -> dict[str, Any]:
        """What `migrator status --json` shows, without a process for each look."""
        answer = httpx.get(
            f"{self.address('controller')}/v1/status",
            headers={"Authorization": f"Bearer {self.secrets()['controller_token']}"},
            trust_env=False,
            timeout=PATIENCE,
        )
        status: dict[str, Any] = answer.raise_for_status().json()
        return status

    def capability(self, name: str) -> dict[str, Any]:
        return next(c for c in self.status()["capabilities"] if c["name"] == name)

    def try_status(self) -> dict[str, Any] | None:
        """None while the controller does not answer."""
        with suppress(httpx.HTTPError):
            return self.status()
        return None

    def address(self, part: str) -> str:
        return str(self.instance()["addresses"][part])

    def worker_pids(self) -> list[int]:
        stats = httpx.get(f"{self.address('proxy_admin')}/stats", trust_env=False).json()
        return [worker["pid"] for worker in stats["workers"] if worker["pid"]]

    def serves_with_other_workers(self, dead: int) -> bool:
        ready = httpx.get(f"{self.address('proxy_admin')}/readyz", trust_env=False)
        return ready.is_success and dead not in self.worker_pids()

    def is_ready(self, name: str) -> bool:
        """Whether a program answers at its readiness address."""
        addresses = self.instance()["addresses"]
        parts = {"flag-server": "flags", "proxy": "proxy_admin"}
        origin = addresses["services"].get(name) or addresses[parts.get(name, name)]
        try:
            return httpx.get(f"{origin}/readyz", trust_env=False, timeout=1).is_success
        except httpx.HTTPError:
            return False

    def secrets(self) -> dict[str, Any]:
        secrets: dict[str, Any] = json.loads((self.state / "secrets.json").read_text())
        return secrets

    def record(self) -> list[dict[str, Any]]:
        """What the supervisor wrote down about each process."""
        record: list[dict[str, Any]] = json.loads((self.state / "processes.json").read_text())[
            "processes"
        ]
        return record

    def processes(self) -> dict[str, psutil.Process]:
        """Every supervised process that runs now, by name."""
        found = {}
        for each in self.record():
            with suppress(psutil.NoSuchProcess):
                found[each["name"]] = psutil.Process(each["pid"])
        return found

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


TINY = """
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def tiny_plan(folder: Path, change: Callable[[dict[str, Any]], None] = lambda _: None) -> Path:
    """A plan of two programs that start at once, on free ports, after `change`, in `folder`."""
    workload = {"command": ["python", "-c", TINY]}
    document: dict[str, Any] = {
        "apiVersion": "migrator.dev/v1alpha1",
        "kind": "Migration",
        "metadata": {"name": "tiny"},
        "spec": {
            "flags": {"project": "tiny", "port": 0},
            "proxy": {"port": 0},
            "monolith": {"workload": dict(workload)},
            "services": {"articles": dict(workload)},
            "capabilities": {
                "publishing": {
                    "routes": [{"path": "/articles/{id}", "service": "articles"}],
                    "schedule": "fast",
                }
            },
        },
    }
    change(document)
    plan = folder / "migration.yaml"
    plan.write_text(yaml.safe_dump(document))
    return plan


def start(plan: Path, state: Path, environment: Mapping[str, str] | None = None) -> Running:
    """Run `migrator up` and read its events in the background; does not wait."""
    with plan.with_suffix(".stderr").open("w") as stderr:
        process = subprocess.Popen(
            [*MIGRATOR, "up", str(plan), "--state", str(state), "--json"],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
            env=environment,
        )
    running = Running(state, plan, process, [], environment)

    def read() -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            running.events.extend(json.loads(line) for line in lines)

    threading.Thread(target=read, daemon=True).start()
    return running


@contextmanager
def running_sample(folder: Path, plan: Path | None = None) -> Iterator[Running]:
    running = start(plan or sample_plan(folder), folder / "state")
    try:
        wait_for(lambda: running.has("all_ready"), "the sample to be ready")
        yield running
    finally:
        running.end()
