"""The load generator as a child process, and its report."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

PATIENCE = 180.0
"""Seconds for reading every write again."""


class Load:
    """Realistic readers, editors and API clients at `rate` requests a second."""

    def __init__(self, target: str, report: Path, *, rate: float, seed: int, limit: float) -> None:
        self._report = report
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "cms.load"),
                *("--target", target),
                *("--seed", str(seed)),
                *("--rate", str(rate)),
                *("--duration", str(limit)),
                *("--report", str(report)),
                "--verify",
            ],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def pause(self) -> None:
        """Nobody begins anything more."""
        self._process.send_signal(signal.SIGUSR1)

    def resume(self) -> None:
        """Everybody goes on."""
        self._process.send_signal(signal.SIGUSR2)

    def finish(self) -> dict[str, Any]:
        """Stop, re-read every acknowledged write, and return the report (see `cms.load`)."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(timeout=PATIENCE)
        report: dict[str, Any] = json.loads(self._report.read_text())
        return report

    def kill(self) -> None:
        """End it without a report, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
