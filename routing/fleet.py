"""The parent's side of its workers: start, restart, order, and add up what they report.

Each worker has listening sockets of its own on the shared addresses (SO_REUSEPORT), and the parent
keeps them open: connections that wait in a dead worker's queue are served by its successor. Other
addresses, or another number of workers, take a new generation of workers; the one before it drains.
"""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Final

from routing import endpoint_stats
from routing.config import REVEAL, Located, ProxyConfig
from routing.copy_stats import merge_copies
from routing.errors import CannotStart
from routing.generation import next_generation
from routing.listeners import Listeners, close, let_go, open_listeners
from routing.outcomes import Outcomes, merge_outcomes
from routing.parity.report import merge_parity
from routing.stats import merge
from routing.takeover import Offer, Predecessor
from routing.worker import MAX_LINE

SOON: Final = 0.05
LATEST: Final = 5.0
"""Seconds before a dead worker is replaced: the first and the longest pause."""
STUCK: Final = 10.0
"""Seconds beyond the time to drain after which a worker is killed."""
READY_WITHIN: Final = 30.0
"""Seconds for a new generation to accept connections and to know flags."""
LOOK_EVERY: Final = 0.02

logger = logging.getLogger("routing.server")


@dataclass(slots=True)
class Member:
    """One place in the fleet. The process in it may change."""

    id: int
    generation: int
    config: ProxyConfig
    located: Located
    listeners: tuple[socket.socket, socket.socket]
    """Edge and gateway."""
    flags_first: bool
    """Accept nothing without flags: others, who know them, still serve."""
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    pid: int | None = None
    orders: asyncio.StreamWriter | None = None
    report: dict[str, Any] = field(default_factory=dict)
    """The last one of the process that runs now."""

    def hear(self, report: dict[str, Any]) -> None:
        """Parity is reported only when it has changed."""
        if report.get("parity") is None:
            report["parity"] = self.report.get("parity", ())
        self.report = report

    @property
    def accepting(self) -> bool:
        return self.pid is not None and bool(self.report.get("accepting"))

    @property
    def requests(self) -> int:
        """Taken by the process that runs now."""
        return sum(cell["requests"] for cell in self.report.get("cells", ()))

    @property
    def flags(self) -> str:
        """`streaming`, `cached` (from disk or from before the stream broke) or `none`."""
        return str(self.report.get("flags", "none"))


class Fleet:
    """All workers of one proxy."""

    def __init__(
        self,
        config: ProxyConfig,
        state: Path,
        former: Predecessor | None,
        *,
        located: Located,
        outcomes: Outcomes,
    ) -> None:
        """Opens the listeners that `former`, the proxy to take over from, does not have.

        `located`: endpoints other than the configured ones; `outcomes`: what the parent itself
        counts. Raises CannotStart.
        """
        self.instance = secrets.token_hex(8) if former is None else former.instance
        """Names the life of the counters."""
        self._former = former
        self._config = config
        self._located = located
        self._outcomes = outcomes
        self._state = state
        self._retired: list[dict[str, Any]] = []
        self._retired_endpoints: endpoint_stats.Document = []
        self._retired_outcomes: dict[str, dict[str, int]] = {}
        self._retired_copies: list[dict[str, Any]] = []
        self._retired_parity: list[dict[str, Any]] = []
        self._lives: dict[asyncio.Task[None], Member] = {}
        """All workers, also those of former generations that still drain."""
        before = Listeners() if former is None else former.listeners
        self._listeners = open_listeners(config, before)
        self._surplus = before.without(self._listeners)
        self.members = self._enlist(config, self._listeners, flags_first=former is not None)

    @property
    def edge(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self._listeners.edge[0].getsockname()[:2]
        return host, port

    @property
    def gateway(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self._listeners.gateway[0].getsockname()[:2]
        return host, port

    @property
    def in_force(self) -> ProxyConfig:
        """The configuration with the endpoints of the moment."""
        return self._config.located(self._located)

    @property
    def waiting(self) -> list[str]:
        """Why it is not ready, for each worker that is not."""
        return _waiting(self.members)

    def start(self) -> None:
        self._launch(self.members)

    async def established(self) -> None:
        """Wait until `former` is no longer needed. Raises CannotStart if that does not come."""
        await _ready(self.members)
        await let_go(self._surplus)
        close(self._surplus)

    def apply(self, config: ProxyConfig) -> None:
        """Route by `config` in all workers, those in flight end as they began."""
        self._config = config
        for member in self._lives.values():
            member.config = config
            _order(member, {"config": config.model_dump(mode="json", context=REVEAL)})

    def locate(self, located: Located) -> None:
        """Send requests to these endpoints in all workers; those in flight end where they are."""
        self._located = located
        for member in self._lives.values():
            member.located = located
            _order(member, {"endpoints": dict(located)})

    async def change(self, config: ProxyConfig) -> None:
        """Serve by `config`, whose addresses or number of workers are others, with new workers.

        Raises CannotStart, and then the old ones serve on.
        """
        before, listeners = self.members, open_listeners(config, self._listeners)
        members: Sequence[Member] = ()
        try:
            members = self._enlist(config, listeners, flags_first=True)
            self._launch(members)
            await _ready(members)
        except BaseException:
            # They may have taken connections from the queues that all share.
            _dismiss(members, "retire")
            close(listeners.without(self._listeners))
            raise
        surplus = self._listeners.without(listeners)
        self.members, self._listeners = members, listeners
        await let_go(surplus)
        close(surplus)
        self.apply(config)
        _dismiss(before, "retire")

    async def retire(self) -> None:
        """Take no more connections, and give each client one more answer, as long as the time to
        drain allows; returns when all workers are gone."""
        await self._end("retire")

    async def stop(self) -> None:
        """Drain all workers; returns when they are gone."""
        await self._end("stop")

    def offer(self, admin: socket.socket) -> Offer:
        """For a successor."""
        return Offer(self._listeners, admin, self.instance)

    def figures(self) -> dict[str, Any]:
        """All counters, for a successor."""
        return {
            "cells": self.cells(),
            "endpoints": self._all_endpoints(),
            "outcomes": self.outcomes(),
            "copies": self.copies(),
            "parity": self.parity(),
        }

    def cells(self) -> list[dict[str, Any]]:
        """The counters of all workers since the start of `instance`, dead ones included."""
        return merge((*self._retired, *chain.from_iterable(self._reported("cells", ()))))

    def endpoints(self) -> endpoint_stats.Document:
        """What all workers say of the endpoints, with the counters of dead ones."""
        return endpoint_stats.configured(self._all_endpoints(), self.in_force)

    def outcomes(self) -> dict[str, dict[str, int]]:
        """The same for what is counted without latency."""
        here = (self._outcomes.document(), self._retired_outcomes)
        return merge_outcomes((*here, *self._reported("outcomes", {})))

    def copies(self) -> list[dict[str, Any]]:
        """The same for mirrored reads and second writes."""
        reported = chain.from_iterable(self._reported("copies", ()))
        return merge_copies((*self._retired_copies, *reported))

    def parity(self) -> list[dict[str, Any]]:
        """The same for how the answers of both sides agree."""
        reported = chain.from_iterable(self._reported("parity", ()))
        return merge_parity((*self._retired_parity, *reported))

    def _all_endpoints(self) -> endpoint_stats.Document:
        return endpoint_stats.merge((*self._reported("endpoints", ()), self._retired_endpoints))

    def _reported(self, what: str, nothing: Any) -> Iterator[Any]:
        """Of each worker that lives, also of those that drain, and of the process before."""
        for member in self._lives.values():
            yield member.report.get(what, nothing)
        if self._former is not None:
            yield self._former.figures.get(what, nothing)

    def _enlist(
        self, config: ProxyConfig, listeners: Listeners, *, flags_first: bool
    ) -> tuple[Member, ...]:
        """Workers of a new generation. Raises CannotStart."""
        try:
            generation = next_generation(self._state)
        except OSError as error:
            raise CannotStart(
                f"cannot write to the state folder {self._state}: {error.strerror}",
                hint="it must be writable for the proxy's user",
            ) from None
        pairs = zip(listeners.edge, listeners.gateway, strict=True)
        return tuple(
            Member(number, generation, config, self._located, pair, flags_first)
            for number, pair in enumerate(pairs)
        )

    def _launch(self, members: Iterable[Member]) -> None:
        for member in members:
            life = asyncio.create_task(self._live(member))
            self._lives[life] = member
            life.add_done_callback(self._lives.pop)

    async def _end(self, how: str) -> None:
        lives = dict(self._lives)
        _dismiss(lives.values(), how)
        close(self._listeners)
        drain = max((member.config.timeouts.drain for member in lives.values()), default=0.0)
        if lives:
            _, stuck = await asyncio.wait(lives, timeout=drain + STUCK)
            for life in stuck:
                _kill(lives[life])
            await asyncio.gather(*lives)

    async def _live(self, member: Member) -> None:
        pause = SOON
        while not member.leaving.is_set():
            since = time.monotonic()
            code = await self._one_life(member)
            if member.leaving.is_set():
                return
            pause = SOON if time.monotonic() - since > LATEST else min(pause * 2, LATEST)
            logger.warning(
                "worker.ended id=%d code=%s starting again in %.1f s", member.id, code, pause
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(member.leaving.wait(), pause)

    async def _one_life(self, member: Member) -> int:
        ours, theirs = socket.socketpair()
        edge, gateway = (each.fileno() for each in member.listeners)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "routing", str(theirs.fileno())),
                pass_fds=(theirs.fileno(), edge, gateway),
                stdin=asyncio.subprocess.DEVNULL,
            )
        reports, member.orders = await asyncio.open_unix_connection(sock=ours, limit=MAX_LINE)
        member.pid = process.pid
        _order(
            member,
            {
                "id": member.id,
                "generation": member.generation,
                "flags_first": member.flags_first,
                "edge": edge,
                "gateway": gateway,
                "state": os.fspath(self._state),
                "config": member.config.model_dump(mode="json", context=REVEAL),
                "endpoints": dict(member.located),
            },
        )
        if member.leaving.is_set():
            _order(member, {"stop": True})
        try:
            while line := await reports.readline():
                member.hear(json.loads(line))
        except (OSError, ValueError):
            logger.warning("worker.report.unreadable id=%d", member.id)
        reaping = asyncio.create_task(process.wait())
        await asyncio.wait((reaping,), timeout=member.config.timeouts.drain + 2)
        if not reaping.done():
            process.kill()
        code = await reaping
        member.orders.close()
        self._retired = merge((*self._retired, *member.report.get("cells", ())))
        ended = endpoint_stats.retired(member.report.get("endpoints", ()))
        self._retired_endpoints = endpoint_stats.merge((self._retired_endpoints, ended))
        self._retired_outcomes = merge_outcomes(
            (self._retired_outcomes, member.report.get("outcomes", {}))
        )
        self._retired_copies = merge_copies(
            (*self._retired_copies, *member.report.get("copies", ()))
        )
        self._retired_parity = merge_parity(
            (*self._retired_parity, *member.report.get("parity", ()))
        )
        member.pid, member.orders, member.report = None, None, {}
        return code


def _order(member: Member, order: dict[str, Any]) -> None:
    if member.orders is not None and not member.orders.is_closing():
        member.orders.write(json.dumps(order).encode() + b"\n")


def _dismiss(members: Iterable[Member], how: str) -> None:
    """`how`: `stop`, or `retire` with patience for clients that are idle."""
    for member in members:
        member.leaving.set()
        _order(member, {how: True})


def _waiting(members: Iterable[Member]) -> list[str]:
    return [
        f"worker {member.id}: {'no flags yet' if member.accepting else 'not accepting'}"
        for member in members
        if not member.accepting or member.flags == "none"
    ]


async def _ready(members: Iterable[Member]) -> None:
    """Raises CannotStart after `READY_WITHIN`."""
    deadline = time.monotonic() + READY_WITHIN
    while waiting := _waiting(members):
        if time.monotonic() > deadline:
            raise CannotStart(
                f"new workers were not ready within {READY_WITHIN:g} s: {'; '.join(waiting)}",
                hint="is the flag server reachable? Look at the log; the old workers serve on",
            )
        await asyncio.sleep(LOOK_EVERY)
    for member in members:
        member.flags_first = False


def _kill(member: Member) -> None:
    if member.pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(member.pid, signal.SIGKILL)
