"""Processes that get a share of a core each, by control groups of Linux (version 1 or 2)."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from bench.flags.errors import BenchError

PERIOD: Final = 100_000
"""Microseconds in which a share is used up. In shorter ones a worker is stopped so often that it
does its work with cold caches."""
ROOTS: Final = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))
"""Of version 1, else of version 2."""


@contextmanager
def held(pids: Sequence[int], share: float, roots: Sequence[Path] = ROOTS) -> Iterator[None]:
    """Each of `pids` gets `share` of a core until the block ends. Raises `BenchError` where this
    machine, or this user, cannot have that."""
    with ExitStack() as stack:
        for pid in pids:
            stack.enter_context(_group(pid, share, roots))
        yield


def pin(pid: int, core: int) -> None:
    """Have all threads of a process run on `core`: its share is dealt out by cores."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {core})


@contextmanager
def _group(pid: int, share: float, roots: Sequence[Path]) -> Iterator[None]:
    root = next((each for each in roots if (each / "cgroup.procs").exists()), None)
    if root is None:
        raise BenchError("a worker cannot be held to a share of a core: no control groups here")
    group = root / f"migrator-bench-{os.getpid()}-{pid}"
    quota = int(share * PERIOD)
    try:
        group.mkdir()
    except OSError as error:
        raise BenchError(f"a worker cannot be held to a share of a core: {error}") from None
    try:
        try:
            if (root / "cgroup.controllers").exists():
                (group / "cpu.max").write_text(f"{quota} {PERIOD}")
            else:
                (group / "cpu.cfs_period_us").write_text(str(PERIOD))
                (group / "cpu.cfs_quota_us").write_text(str(quota))
            (group / "cgroup.procs").write_text(str(pid))
        except OSError as error:
            raise BenchError(f"a worker cannot be held to a share of a core: {error}") from None
        yield
    finally:
        with suppress(OSError):  # it has ended
            (root / "cgroup.procs").write_text(str(pid))
        with suppress(OSError):
            group.rmdir()
