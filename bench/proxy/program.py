"""A program of its own process group, bound to one core, that ends with the block it began in."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from bench.flags.errors import BenchError
from bench.flags.processes import end_with_parent

PATIENCE: Final = 20.0
"""Seconds until a start counts as failed."""
MERCY: Final = 5.0
"""Seconds until a program that was asked to end is killed."""


def cores() -> list[int]:
    """The proxy's core, that of all others, and those that are left. Raises `BenchError`."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise BenchError("two cores are needed, this process may use one")
    return allowed


def installed(name: str) -> str:
    """Path of a program, also beside the interpreter and among root's. Raises `BenchError`."""
    places = (str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin")
    if found := shutil.which(name, path=os.pathsep.join(places)):
        return found
    raise BenchError(f"{name} is not installed")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str],
    folder: Path,
    cores: Set[int] | None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Its output is in `folder/log`. `environment` is added to this process's. `cores` None: any
    that this process may use."""

    def prepare() -> None:
        end_with_parent()
        if cores is not None:
            os.sched_setaffinity(0, cores)

    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
            start_new_session=True,  # a Ctrl-C is for the measurement, which ends this one
            preexec_fn=prepare,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(MERCY)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # whoever is left of the group
        process.wait()


def wait_for_port(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    """Return when something listens on `port`. Raises `BenchError` with the log's end."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            log = (folder / "log").read_text(errors="replace").strip()
            raise BenchError(f"did not start: {log[-300:]}")
        time.sleep(0.02)  # another process's listener raises no event
