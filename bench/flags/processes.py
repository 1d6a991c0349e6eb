"""Forked processes that end with the block that started them; limits and use of resources."""

import ctypes
import multiprocessing
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psutil

from bench.flags.errors import BenchError

FORK: Final = multiprocessing.get_context("fork")
_LIBC: Final = ctypes.CDLL(None)
_PR_SET_PDEATHSIG: Final = 1


class Usage:
    """What a process and its children use."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def private_memory(self) -> int:
        """Bytes that no other process shares; the kernel's buffers are not in it."""
        return sum(each.memory_full_info().uss for each in self._all())

    def resident_memory(self) -> int:
        """Bytes in memory, what others share included."""
        return sum(each.memory_info().rss for each in self._all())

    def cpu_time(self) -> float:
        """Seconds of user and system time so far, counted in ticks of 10 ms."""
        times = [each.cpu_times() for each in self._all()]
        return sum(each.user + each.system for each in times)

    def _all(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]


@contextmanager
def forked(count: int, target: Callable[..., None], *arguments: Any) -> Iterator[list[Usage]]:
    """Run `target(number, *arguments)` in `count` processes. The caller must have one thread."""
    processes = [
        FORK.Process(target=_run, args=(target, number, *arguments), daemon=True)
        for number in range(count)
    ]
    try:
        for process in processes:
            process.start()
        yield [Usage(process.pid) for process in processes if process.pid is not None]
    finally:
        for process in processes:
            if process.pid is not None:
                process.kill()
        for process in processes:
            if process.pid is not None:
                process.join()


def _run(target: Callable[..., None], number: int, *arguments: Any) -> None:
    """The parent hears Ctrl-C and the like, and ends this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)
    end_with_parent()
    target(number, *arguments)


def end_with_parent() -> None:
    """Have the kernel send this process SIGTERM when its parent ends, even if that was killed."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def allow_open_files(needed: int) -> None:
    """Raise this process's limit, which children inherit. Raises `BenchError`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise BenchError(f"{needed} open files are needed, this user may have {hard} (ulimit -Hn)")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
