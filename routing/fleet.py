"""The parent's side of its workers: start, restart, order, and add up what they report.

Each worker has listening sockets of its own on the shared addresses (SO_REUSEPORT), and the parent
keeps them open: connections that wait in a dead worker's queue are served by its successor.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from routing import endpoint_stats
from routing.acceptor import BACKLOG
from routing.config import REVEAL, Address, ProxyConfig
from routing.copy_stats import merge_copies
from routing.errors import CannotStart
from routing.outcomes import merge_outcomes
from routing.stats import merge
from routing.worker import MAX_LINE

SOON: Final = 0.05
LATEST: Final = 5.0
"""Seconds before a dead worker is replaced: the first and the longest pause."""

logger = logging.getLogger("routing.server")


@dataclass(slots=True)
class Member:
    """One place in the fleet. The process in it may change."""

    id: int
    listeners: tuple[socket.socket, socket.socket]
    """Edge and gateway."""
    pid: int | None = None
    orders: asyncio.StreamWriter | None = None
    report: dict[str, Any] = field(default_factory=dict)
    """The last one of the process that runs now."""

    @property
    def accepting(self) -> bool:
        return self.pid is not None and bool(self.report.get("accepting"))

    @property
    def flags(self) -> str:
        """`streaming`, `cached` (from disk or from before the stream broke) or `none`."""
        return str(self.report.get("flags", "none"))


class Fleet:
    """All workers of one proxy."""

    def __init__(self, config: ProxyConfig, state: Path) -> None:
        """Binds the listeners. Raises CannotStart."""
        self._config = config
        self._state = state
        self._retired: list[dict[str, Any]] = []
        self._retired_endpoints: endpoint_stats.Document = []
        self._retired_outcomes: dict[str, dict[str, int]] = {}
        self._retired_copies: list[dict[str, Any]] = []
        self._stopping = asyncio.Event()
        self._lives: list[asyncio.Task[None]] = []
        with contextlib.ExitStack() as opened:
            edges = _listeners(config.listen, config.workers, opened)
            gateways = _listeners(config.gateway, config.workers, opened)
            self._close_listeners = opened.pop_all().close
        self.members = tuple(
            Member(number, pair) for number, pair in enumerate(zip(edges, gateways, strict=True))
        )
        self.edge = edges[0].getsockname()[:2]
        self.gateway = gateways[0].getsockname()[:2]

    def start(self) -> None:
        self._lives = [asyncio.create_task(self._live(member)) for member in self.members]

    def apply(self, config: ProxyConfig) -> None:
        """Route by `config` in all workers, those in flight end as they began."""
        self._config = config
        for member in self.members:
            _order(member, {"config": config.model_dump(mode="json", context=REVEAL)})

    async def stop(self) -> None:
        """Drain all workers; returns when they are gone."""
        self._stopping.set()
        for member in self.members:
            _order(member, {"stop": True})
        await asyncio.gather(*self._lives)
        self._close_listeners()

    def cells(self) -> list[dict[str, Any]]:
        """The counters of all workers since the start of the fleet, dead ones included."""
        living = (cell for member in self.members for cell in member.report.get("cells", ()))
        return merge((*self._retired, *living))

    def endpoints(self) -> endpoint_stats.Document:
        """What all workers say of the endpoints, with the counters of dead ones."""
        living = (member.report.get("endpoints", ()) for member in self.members)
        merged = endpoint_stats.merge((*living, self._retired_endpoints))
        return endpoint_stats.configured(merged, self._config)

    def outcomes(self) -> dict[str, dict[str, int]]:
        """The same for what is counted without latency."""
        living = (member.report.get("outcomes", {}) for member in self.members)
        return merge_outcomes((self._retired_outcomes, *living))

    def copies(self) -> list[dict[str, Any]]:
        """The same for mirrored reads and second writes."""
        living = (cell for member in self.members for cell in member.report.get("copies", ()))
        return merge_copies((*self._retired_copies, *living))

    async def _live(self, member: Member) -> None:
        pause = SOON
        while not self._stopping.is_set():
            since = time.monotonic()
            code = await self._one_life(member)
            if self._stopping.is_set():
                return
            pause = SOON if time.monotonic() - since > LATEST else min(pause * 2, LATEST)
            logger.warning(
                "worker.ended id=%d code=%s starting again in %.1f s", member.id, code, pause
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    async def _one_life(self, member: Member) -> int:
        ours, theirs = socket.socketpair()
        edge, gateway = member.listeners
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "routing.worker", str(theirs.fileno())),
                pass_fds=(theirs.fileno(), edge.fileno(), gateway.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
            )
        reports, member.orders = await asyncio.open_unix_connection(sock=ours, limit=MAX_LINE)
        member.pid = process.pid
        _order(
            member,
            {
                "id": member.id,
                "edge": edge.fileno(),
                "gateway": gateway.fileno(),
                "state": os.fspath(self._state),
                "config": self._config.model_dump(mode="json", context=REVEAL),
            },
        )
        if self._stopping.is_set():
            _order(member, {"stop": True})
        try:
            while line := await reports.readline():
                member.report = json.loads(line)
        except (OSError, ValueError):
            logger.warning("worker.report.unreadable id=%d", member.id)
        reaping = asyncio.create_task(process.wait())
        await asyncio.wait((reaping,), timeout=self._config.timeouts.drain + 2)
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
        member.pid, member.orders, member.report = None, None, {}
        return code


def _order(member: Member, order: dict[str, Any]) -> None:
    if member.orders is not None and not member.orders.is_closing():
        member.orders.write(json.dumps(order).encode() + b"\n")


def _listeners(
    address: Address, count: int, opened: contextlib.ExitStack
) -> Sequence[socket.socket]:
    """`count` sockets that share one address."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    port = address.port
    listeners = []
    for _ in range(count):
        listener = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.setblocking(False)
        try:
            listener.bind((address.host, port))
            listener.listen(BACKLOG)
        except OSError as error:
            raise CannotStart(
                f"cannot listen on {address.host}:{port}: {error.strerror}",
                hint="choose another port, or stop the program that has it",
            ) from None
        port = listener.getsockname()[1]
        listeners.append(listener)
    return listeners
