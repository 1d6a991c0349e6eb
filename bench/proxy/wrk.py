"""`wrk`: what to send, how to run it, what it says."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.flags.errors import BenchError
from bench.flags.processes import end_with_parent

SCRIPT: Final = Path(__file__).with_name("load.lua")
LARGE: Final = 64 * 1024
"""Bytes of a large request or response."""
GRACE: Final = 20.0
"""Seconds beyond the given duration after which a run counts as failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One kind of request, sent by some connections at once."""

    name: str
    connections: int
    method: str = "GET"
    path: str = "/articles/1"
    body: int = 0
    """Bytes."""

    def command(self, port: int, seconds: int) -> tuple[str, ...]:
        return (
            *("wrk", "-t", "1", "-c", str(self.connections), "-d", f"{seconds}s"),
            *("--timeout", "10s", "-s", str(SCRIPT), f"http://127.0.0.1:{port}", "--"),
            *(self.method, self.path, str(self.body)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What `wrk` counted."""

    requests: int
    duration: float
    """Seconds."""
    p50: float
    """Microseconds, as is `p99`."""
    p99: float
    errors: int

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.duration


def parse(output: str) -> Answered:
    """What the script's last line says. Raises `BenchError`."""
    lines = [line for line in output.splitlines() if line.startswith("{")]
    try:
        said = json.loads(lines[-1])
        answered = Answered(
            requests=int(said["requests"]),
            duration=int(said["duration"]) / 1e6,
            p50=float(said["p50"]),
            p99=float(said["p99"]),
            errors=int(said["errors"]),
        )
    except (IndexError, KeyError, TypeError, ValueError):
        raise BenchError(f"wrk said nothing that can be read: {output[-300:]!r}") from None
    if not answered.requests or not answered.duration:
        raise BenchError("wrk got no answer")
    if answered.errors:
        raise BenchError(f"{answered.errors} of {answered.requests} requests failed")
    return answered


def run(load: Load, port: int, seconds: int) -> Answered:
    """Send `load` to a port of this machine. Raises `BenchError`."""
    output = _output(load.command(port, seconds), seconds + GRACE)
    return parse(output)


def _output(command: Sequence[str], patience: float) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=patience, check=False,
            stdin=subprocess.DEVNULL, preexec_fn=end_with_parent,
        )  # fmt: skip
    except FileNotFoundError:
        raise BenchError("wrk is not installed") from None
    except subprocess.TimeoutExpired:
        raise BenchError(f"wrk did not end within {patience:.0f} s") from None
    if done.returncode:
        raise BenchError(f"wrk ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout
