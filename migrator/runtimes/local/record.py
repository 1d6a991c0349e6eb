"""processes.json: which programs run, so that another supervisor can take them over."""

import contextlib
import os
import signal
from collections.abc import Iterable

import psutil
from pydantic import BaseModel, ConfigDict

from migrator.state import StateDir, read_json, write_atomically


class Process(BaseModel):
    """One program as it was last seen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    service: str | None = None
    """Of the plan, that it is an endpoint of."""
    state: str
    pid: int | None
    started: float | None
    """Start time of `pid`, as the kernel tells it; with the pid it names one process for ever."""
    digest: str
    port: int
    restarts: int


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    processes: tuple[Process, ...] = ()


def load(state: StateDir) -> Record:
    """Raises `StateError` if it is corrupt; empty if there is none."""
    return read_json(state.processes, Record) if state.processes.exists() else Record()


def save(state: StateDir, processes: Iterable[Process]) -> None:
    write_atomically(state.processes, Record(processes=tuple(processes)).model_dump_json(indent=1))


def start_time(pid: int) -> float | None:
    """None if there is no such process, or only its zombie."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def is_alive(process: Process) -> bool:
    """Whether this very process still runs; never a stranger that got its pid."""
    if process.pid is None or process.started is None:
        return False
    return start_time(process.pid) == process.started


def group_members(group: int) -> list[psutil.Process]:
    """Living processes of process group `group`."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return []
    members = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return members


def signal_group(group: int, number: signal.Signals) -> None:
    """Send to a whole group, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)
