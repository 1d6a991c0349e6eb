"""One supervised program: start or take over, wait until ready, restart with back-off, stop."""

import asyncio
import contextlib
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import httpx

from migrator.errors import Unavailable
from migrator.runtimes.local import record
from migrator.runtimes.local.backoff import Backoff
from migrator.runtimes.local.exitwatch import wait_exit
from migrator.runtimes.local.logfile import open_log, tail
from migrator.runtimes.local.spec import ProcessSpec

PROBE_EVERY = 0.1
"""Seconds between two looks at readiness."""
LOOK_EVERY = 0.05
"""Seconds between two looks whether a process group is gone."""
KEEP_PROBING_EVERY = 1.0
MISSES = 3
"""Probes in vain after which a program that was ready is not; the next good one makes it ready."""


class State(StrEnum):
    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    UNREADY = "unready"
    BACKOFF = "backoff"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessEvent:
    """What happened to one program: started, adopted, ready, unready, ended or stopped."""

    process: str
    event: str
    detail: str = ""
    seconds: float = 0.0
    """Since the program was started."""


@dataclass(slots=True)
class _Run:
    """One life of the program, from start to end."""

    pid: int
    since: float
    child: subprocess.Popen[bytes] | None
    """None: started by an earlier supervisor."""
    ended: asyncio.Task[None] = field(repr=False)


class Program:
    """`run()` is its whole life; `ready` and `failure` tell others how it goes."""

    def __init__(
        self,
        spec: ProcessSpec,
        log: Path,
        http: httpx.AsyncClient,
        emit: Callable[[ProcessEvent], None],
        changed: Callable[[], None],
    ) -> None:
        self.spec = spec
        self.log = log
        self.state = State.WAITING
        self.restarts = 0
        self.ready = asyncio.Event()
        self.first_start: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.first_start.add_done_callback(lambda f: f.cancelled() or f.exception())
        self._http = http
        self._emit = emit
        self._changed = changed
        self._run: _Run | None = None
        self._groups: set[int] = set()
        self._stop = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._run.pid if self._run else None

    def start(self, adopt: int | None = None) -> None:
        """Begin; `adopt` is the pid of a process to take over instead of a new one."""
        self._life = asyncio.create_task(self._live(adopt))

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL after the stop timeout; returns when nothing is left of it."""
        self._stop.set()
        if self._run is not None:
            self._become(State.STOPPING)
            deadline = time.monotonic() + self.spec.stop_timeout
            self._signal(signal.SIGTERM)
            while self._alive() and time.monotonic() < deadline:
                await asyncio.sleep(LOOK_EVERY)
        self.kill()
        while self._alive():
            await asyncio.sleep(LOOK_EVERY)
        if self._life is not None:
            await self._life
        self._run = None
        if self.state is not State.WAITING:
            self._become(State.STOPPED)
            self._emit(ProcessEvent(process=self.spec.name, event="stopped"))

    def kill(self) -> None:
        """SIGKILL to whatever is left, at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        for group in self._groups:
            record.signal_group(group, number)

    def _alive(self) -> bool:
        if self._run is not None and self._run.child is not None:
            self._run.child.poll()
        return any(record.group_members(group) for group in self._groups)

    async def _live(self, adopt: int | None) -> None:
        backoff = Backoff()
        while not self._stop.is_set():
            since = time.monotonic()
            try:
                run: _Run | None = self._begin(adopt)
            except OSError as error:
                run, why = None, f"cannot be started: {error.strerror}"
            if run is not None:
                self._run = run
                self._become(State.STARTING)
                why = await self._until_end(run)
            adopt = None
            self.ready.clear()
            if run is None or run.ended.done():
                self._run = None
            if self._stop.is_set():
                break
            if not self.first_start.done():
                self.first_start.set_exception(self._never_ready(why))
                break
            if run is not None and not self.spec.workers_linger:
                record.signal_group(run.pid, signal.SIGKILL)
            backoff = backoff.ended(time.monotonic() - since)
            self.restarts += 1
            self._become(State.BACKOFF)
            self._emit(
                ProcessEvent(
                    process=self.spec.name,
                    event="ended",
                    detail=f"{why}; starting again in {backoff.delay:.1f} s",
                    seconds=time.monotonic() - since,
                )
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), backoff.delay)

    def _begin(self, adopt: int | None) -> _Run:
        self._groups = {g for g in self._groups if record.group_members(g)}
        if adopt is not None:
            pid, child = adopt, None
        else:
            with open_log(self.log) as log:
                child = subprocess.Popen(
                    self.spec.command,
                    cwd=self.spec.cwd,
                    env=dict(self.spec.env),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            pid = child.pid
        self._groups.add(pid)
        self._emit(
            ProcessEvent(
                process=self.spec.name,
                event="started" if child else "adopted",
                detail=f"process {pid}",
            )
        )
        return _Run(pid, time.monotonic(), child, asyncio.create_task(wait_exit(pid)))

    async def _until_end(self, run: _Run) -> str:
        """Probe until ready, then wait for the end; how it ended."""
        probing: asyncio.Task[Any] = asyncio.create_task(self._probe(run))
        try:
            await asyncio.wait({run.ended, probing}, return_when=asyncio.FIRST_COMPLETED)
            if not run.ended.done() and not probing.result():
                return f"not ready within {self.spec.ready_timeout:g} s ({self.spec.ready})"
            if self.spec.keep_probing:
                probing = asyncio.create_task(self._keep_probing(run))
            await run.ended
        finally:
            probing.cancel()
        code = run.child.wait() if run.child else None
        if code is None:
            return "it ended"
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    async def _probe(self, run: _Run) -> bool:
        """True once ready; False when the first start took too long."""
        while not await self._answers():
            late = time.monotonic() - run.since > self.spec.ready_timeout
            if late and not self.first_start.done():
                return False
            await asyncio.sleep(PROBE_EVERY)
        self.ready.set()
        self._turn(State.READY, run)
        if not self.first_start.done():
            self.first_start.set_result(None)
        return True

    async def _keep_probing(self, run: _Run) -> None:
        """Tell ready from not ready until cancelled, but not while it is being stopped."""
        misses = 0
        while True:
            await asyncio.sleep(KEEP_PROBING_EVERY)
            misses = 0 if await self._answers() else misses + 1
            if self.state is State.READY and misses >= MISSES:
                self._turn(State.UNREADY, run, f"{misses} probes in vain ({self.spec.ready})")
            elif self.state is State.UNREADY and not misses:
                self._turn(State.READY, run)

    async def _answers(self) -> bool:
        """Whether it says that it is ready."""
        try:
            return (await self._http.get(self.spec.ready)).is_success
        except httpx.HTTPError:
            return False

    def _turn(self, state: State, run: _Run, detail: str = "") -> None:
        """Be ready, or not any more."""
        self._become(state)
        seconds = time.monotonic() - run.since
        self._emit(
            ProcessEvent(process=self.spec.name, event=state, detail=detail, seconds=seconds)
        )

    def _never_ready(self, why: str) -> Unavailable:
        said = "".join(f"\n  | {line}" for line in tail(self.log, 8)) or "\n  | (nothing)"
        place = f" ({self.spec.place})" if self.spec.place else ""
        return Unavailable(
            f"{self.spec.name}{place}: {why}; command: {' '.join(self.spec.command)}\n"
            f"its last output, in {self.log}:{said}",
            hint="mend it and start again; everything that was started has been stopped",
        )

    def _become(self, state: State) -> None:
        self.state = state
        self._changed()
