"""`migrator up` as a child process: start, follow its events, take over when it dies, stop; and
what a user reads from it and does with it.

Called by `demo.__main__` and the behaviours. Touches the processes that `migrator up` runs only in
`kill`.
"""

import ctypes
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

MIGRATOR = (sys.executable, "-m", "migrator")
ENVIRONMENT = "production"
PATIENCE = 30.0
"""Seconds for one answer."""
COMMAND_TIMEOUT = 120.0
"""Seconds for one command; a busy machine may take long to start a program."""
_PR_SET_PDEATHSIG = 1


class DemoFailed(Exception):
    """The demonstration did not show what it promises; the message says what was seen."""


class System:
    """One running migration. Use as a context manager: leaving it stops everything."""

    def __init__(self, plan: Path, state: Path, on_event: Callable[[Mapping[str, Any]], None]):
        self.plan = plan
        self.state = state
        self._on_event = on_event
        self._events: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._process = self._spawn()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    def __enter__(self) -> "System":
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._process.send_signal(signal.SIGINT)
        self._keeper.join(timeout=COMMAND_TIMEOUT)
        subprocess.run([*MIGRATOR, "down", "--state", str(self.state)], capture_output=True)

    def events(self, timeout: float) -> Iterator[Mapping[str, Any]]:
        """Events as they come, for `timeout` seconds at most in all; then `DemoFailed`."""
        deadline = time.monotonic() + timeout
        while (event := self.next_event(deadline - time.monotonic())) is not None:
            yield event
        raise DemoFailed(f"nothing more happened within {timeout:.0f} s")

    def next_event(self, timeout: float) -> Mapping[str, Any] | None:
        """The next event; None if there is none within `timeout` seconds. Raises DemoFailed when
        `migrator up` has ended."""
        try:
            event = self._events.get(timeout=max(0.0, timeout))
        except queue.Empty:
            return None
        self._on_event(event)
        if event["event"] == "exit":
            raise DemoFailed(f"migrator up ended with exit code {event['code']}")
        return event

    def run(self, *arguments: str) -> Any:
        """The parsed `--json` output of one `migrator` command on this migration."""
        return json.loads(self._command(*arguments))

    def history(self) -> list[dict[str, Any]]:
        """All events of the rollouts, as `migrator history` has them."""
        return [json.loads(line) for line in self._command("history").splitlines()]

    def _command(self, *arguments: str) -> str:
        done = subprocess.run(
            [*MIGRATOR, *arguments, "--json", "--state", str(self.state)],
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT,
        )
        if done.returncode != 0:
            raise DemoFailed(f"migrator {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def address(self, name: str) -> str:
        """Origin of one part, as `migrator up` recorded it."""
        return str(self._addresses()[name])

    def service(self, name: str) -> str:
        """Origin of one service."""
        return str(self._addresses()["services"][name])

    def secrets(self) -> dict[str, Any]:
        """Keys and tokens of this run."""
        secrets: dict[str, Any] = json.loads((self.state / "secrets.json").read_text())
        return secrets

    def cells(self) -> list[dict[str, Any]]:
        """The proxy's counters, by capability, stage and origin."""
        cells: list[dict[str, Any]] = _get(f"{self.address('proxy_admin')}/stats")["cells"]
        return cells

    def faults(self, program: str, faults: Mapping[str, float] | None) -> None:
        """Have a service, or the monolith, misbehave; None: no more."""
        origin = self.address("monolith") if program == "monolith" else self.service(program)
        httpx.request(
            "DELETE" if faults is None else "POST",
            f"{origin}/internal/faults",
            json=faults,
            headers={"X-Internal-Token": self.secrets()["plan"]["CMS_INTERNAL_TOKEN"]},
            trust_env=False,
            timeout=PATIENCE,
        ).raise_for_status()

    def flag(self, key: str) -> dict[str, Any]:
        """A flag in the plan's environment, as LaunchDarkly's REST API tells it."""
        found = self._flags(f"/flags/cms/{key}", env=ENVIRONMENT)["environments"][ENVIRONMENT]
        return dict(found)

    def last_change(self, key: str) -> dict[str, Any]:
        """The newest entry of the flag's audit log."""
        spec = f"proj/cms:env/{ENVIRONMENT}:flag/{key}"
        return dict(self._flags("/auditlog", spec=spec, limit="1")["items"][0])

    def kill(self, program: str) -> int:
        """SIGKILL; the pid. `migrator up` starts it again."""
        processes = json.loads((self.state / "processes.json").read_text())["processes"]
        pid: int = next(each["pid"] for each in processes if each["name"] == program)
        os.kill(pid, signal.SIGKILL)
        return pid

    def _flags(self, path: str, **query: str) -> Any:
        token = next(iter(self.secrets()["flags_tokens"].values()))
        return _get(f"{self.address('flags')}/api/v2{path}", query, {"Authorization": token})

    def _addresses(self) -> dict[str, Any]:
        instance = json.loads((self.state / "instance.json").read_text())
        addresses: dict[str, Any] = instance["addresses"]
        return addresses

    def _spawn(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*MIGRATOR, "up", str(self.plan), "--json", "--state", str(self.state)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )

    def _keep(self) -> None:
        """Read events; when `migrator up` was killed, run it again: it takes over what runs."""
        while True:
            if self._process.stdout is not None:
                for line in self._process.stdout:
                    self._events.put(json.loads(line))
            code = self._process.wait()
            if self._stopping.is_set():
                return
            if code != -signal.SIGKILL:
                self._events.put({"event": "exit", "code": code})
                return
            self._process = self._spawn()


def clear(state: Path) -> None:
    """Remove a former state folder. Raises DemoFailed if it is something else."""
    if state.exists():
        if not (state / "instance.json").exists():
            raise DemoFailed(f"{state} is no state folder of migrator: remove it or choose another")
        shutil.rmtree(state)


def _get(
    url: str, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> Any:
    answer = httpx.get(url, params=query, headers=headers, trust_env=False, timeout=PATIENCE)
    return answer.raise_for_status().json()


def _die_with_parent() -> None:
    """A killed demonstration must not leave the system running: Linux sends SIGTERM, prctl(2)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == 1:
        os.kill(os.getpid(), signal.SIGTERM)
