"""`migrator up` as a child process: start, follow its events, take over when it dies, stop.

Called by `demo.__main__`. Never touches the processes that `migrator up` runs.
"""

import ctypes
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

MIGRATOR = (sys.executable, "-m", "migrator")
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
        self._keeper.join(timeout=60)
        subprocess.run([*MIGRATOR, "down", "--state", str(self.state)], capture_output=True)

    def events(self, timeout: float) -> Iterator[Mapping[str, Any]]:
        """Events as they come, for `timeout` seconds at most in all; then `DemoFailed`."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                event = self._events.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise DemoFailed(f"nothing more happened within {timeout:.0f} s") from None
            self._on_event(event)
            if event["event"] == "exit":
                raise DemoFailed(f"migrator up ended with exit code {event['code']}")
            yield event

    def run(self, *arguments: str) -> Any:
        """The parsed `--json` output of one `migrator` command on this migration."""
        done = subprocess.run(
            [*MIGRATOR, *arguments, "--json", "--state", str(self.state)],
            capture_output=True,
            text=True,
            timeout=30,
        )
        if done.returncode != 0:
            raise DemoFailed(f"migrator {' '.join(arguments)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

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


def _die_with_parent() -> None:
    """A killed demonstration must not leave the system running: Linux sends SIGTERM, prctl(2)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == 1:
        os.kill(os.getpid(), signal.SIGTERM)
