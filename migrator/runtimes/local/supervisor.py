"""Run programs in order, keep them running, stop them in reverse order."""

import asyncio
import contextlib
import shutil
import signal
from collections.abc import Callable, Sequence
from itertools import groupby

import httpx

from migrator.errors import InvalidInput
from migrator.runtimes.local import record
from migrator.runtimes.local.logfile import log_path, rotate
from migrator.runtimes.local.program import LOOK_EVERY, ProcessEvent, Program
from migrator.runtimes.local.spec import ProcessSpec
from migrator.state import StateDir

ROTATE_EVERY = 5.0
"""Seconds between two looks at the sizes of log files."""


def check_commands(specs: Sequence[ProcessSpec]) -> None:
    """Raises `InvalidInput` naming every program that cannot be found, before any is started."""
    problems = []
    for spec in specs:
        if not spec.cwd.is_dir():
            problems.append(f"{spec.place}.cwd: {spec.cwd} is not a folder")
        elif shutil.which(str(spec.cwd / spec.command[0]), path="") is None and not shutil.which(
            spec.command[0], path=spec.env.get("PATH")
        ):
            problems.append(f"{spec.place}.command: {spec.command[0]!r} cannot be found in PATH")
    if problems:
        raise InvalidInput(
            "\n".join(dict.fromkeys(problems)),
            hint="install the program or correct the plan; nothing was started",
        )


class Supervisor:
    """All programs of one migration. Use inside one event loop."""

    def __init__(
        self,
        state: StateDir,
        specs: Sequence[ProcessSpec],
        emit: Callable[[ProcessEvent], None],
    ) -> None:
        self._state = state
        self._http = httpx.AsyncClient(timeout=2.0, trust_env=False)
        self.programs = [
            Program(spec, log_path(state.logs, spec.name), self._http, emit, self._save)
            for spec in sorted(specs, key=lambda s: s.level)
        ]
        self._rotating: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start level by level, taking over what still runs; returns when all are ready.

        Raises `Unavailable` when a program ends or is not ready in time; call `stop` then too.
        """
        running = {p.name: p for p in record.load(self._state).processes if record.is_alive(p)}
        adopt = {
            program.spec.name: former.pid
            for program in self.programs
            if (former := running.get(program.spec.name)) and former.digest == program.spec.digest
        }
        await stop_recorded([p for p in running.values() if p.name not in adopt])
        self._rotating = asyncio.create_task(self._rotate())
        for _, level in groupby(self.programs, key=lambda p: p.spec.level):
            programs = list(level)
            for program in programs:
                program.start(adopt.get(program.spec.name))
            await asyncio.gather(*(p.first_start for p in programs))

    async def stop(self) -> None:
        """Stop everything, the last level first."""
        if self._rotating is not None:
            self._rotating.cancel()
        for _, level in groupby(reversed(self.programs), key=lambda p: p.spec.level):
            await asyncio.gather(*(program.stop() for program in level))
        await self._http.aclose()

    def kill(self) -> None:
        """SIGKILL to everything at once; `stop` still collects what is left."""
        for program in self.programs:
            program.kill()

    def _save(self) -> None:
        record.save(
            self._state,
            [
                record.Process(
                    name=p.spec.name,
                    service=p.spec.service,
                    state=p.state,
                    pid=p.pid,
                    started=record.start_time(p.pid) if p.pid else None,
                    digest=p.spec.digest,
                    port=p.spec.port,
                    restarts=p.restarts,
                )
                for p in self.programs
            ],
        )

    async def _rotate(self) -> None:
        while True:
            for program in self.programs:
                rotate(program.log)
            await asyncio.sleep(ROTATE_EVERY)


async def stop_recorded(processes: Sequence[record.Process], grace: float = 10.0) -> None:
    """Stop recorded processes with their groups: SIGTERM, and SIGKILL after `grace` seconds.

    A process that is not the recorded one any more is left alone.
    """
    groups = [p.pid for p in processes if p.pid is not None and record.is_alive(p)]
    for group in groups:
        record.signal_group(group, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(grace):
            while any(record.group_members(g) for g in groups):
                await asyncio.sleep(LOOK_EVERY)
    for group in groups:
        if record.group_members(group):
            record.signal_group(group, signal.SIGKILL)
