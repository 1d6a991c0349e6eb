"""One worker process: proxies what its listeners accept, with a LaunchDarkly client of its own.

`routing.server` starts it as `python -m routing FD`, where FD is a stream socket for lines
of JSON: orders in (what to start with, then new configurations, endpoints and `stop`), reports out.
The listening sockets are inherited, so that what has been accepted by the kernel survives this
process. A worker whose parent is gone serves on for a while, because the parent's successor needs a
moment, then drains.
"""

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ldclient import LDClient
from ldclient.config import Config
from ldclient.interfaces import DataSourceState
from pydantic import ValidationError

from routing.acceptor import listen
from routing.config import Located, ProxyConfig
from routing.errors import InvalidConfig
from routing.evaluator import Evaluator
from routing.event_sender import EventSender
from routing.flag_cache import FILE, RememberingStore
from routing.jwks import KeySets
from routing.key_files import load_keyrings
from routing.listeners import BACKLOG
from routing.outcomes import Outcomes
from routing.proxy import Proxy
from routing.trust import Trust

MAX_LINE: Final = 16 * 1024 * 1024
"""Bytes of one order or report."""
REPORT_EVERY: Final = 0.25
FIRST_FLAGS: Final = 5.0
"""Seconds to wait for flags before serving without any: everything goes to the monolith."""
NEWER_FLAGS: Final = 1.0
"""The same while there are flags from disk."""
EVENTS_EVERY: Final = 5.0
"""Seconds between two posts of events to the flag server, as SDKs have it."""
LAST_EVENTS: Final = 0.5
"""Seconds that the last one may take: nobody waits for figures at a stop."""
ORPHAN: Final = 10.0
"""Seconds a worker without a parent serves on."""
LOOK_EVERY: Final = 0.05

logger = logging.getLogger("routing.worker")


class Worker:
    """`run()` is its whole life."""

    def __init__(
        self,
        start: Mapping[str, Any],
        orders: asyncio.StreamReader,
        reports: asyncio.StreamWriter,
        environment: Mapping[str, str],
    ) -> None:
        """Connects to the flag server; blocks until flags came, but not for long."""
        self._orders = orders
        self._reports = reports
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._patient = False
        self._flags_first = bool(start["flags_first"])
        self._accepting = False
        self._listeners = [
            socket.socket(fileno=start["edge"]),
            socket.socket(fileno=start["gateway"]),
        ]
        key = environment["LAUNCHDARKLY_SDK_KEY"]
        store = RememberingStore(
            Path(start["state"]) / FILE,
            key,
            writes=start["id"] == 0,
            on_change=lambda: self._loop.call_soon_threadsafe(self._changed),
        )
        have = store.load()
        self._store = store
        self._client = LDClient(
            Config(
                key,
                base_uri=environment["LAUNCHDARKLY_BASE_URI"],
                stream_uri=environment["LAUNCHDARKLY_STREAM_URI"],
                events_uri=environment["LAUNCHDARKLY_EVENTS_URI"],
                feature_store=store,
                initial_reconnect_delay=0.2,
                send_events=False,
                diagnostic_opt_out=True,
            ),
            start_wait=NEWER_FLAGS if have else FIRST_FLAGS,
        )
        self._events = EventSender(environment["LAUNCHDARKLY_EVENTS_URI"], key)
        self._evaluator = Evaluator(self._client, store)
        self._config = ProxyConfig.model_validate(start["config"])
        self._located: Located = start["endpoints"]
        self._state = Path(start["state"])
        self._outcomes = Outcomes()
        self._key_sets = KeySets(self._state, self._outcomes)
        self._trust = self._trust_in(self._config)
        self._key_sets.follow(self._trust.tokens)
        self._proxy = Proxy(
            self._config.located(self._located),
            self._trust,
            self._evaluator,
            self._outcomes,
            self._loop,
            self._state,
        )

    async def run(self) -> None:
        """Serve until told to stop, then drain."""
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._loop.add_signal_handler(number, self._stop.set)
        following = asyncio.create_task(self._follow())
        following_keys = asyncio.create_task(self._key_sets.run())
        await self._key_sets.first()
        while self._flags_first and not (self._store.initialized or self._stop.is_set()):
            await asyncio.sleep(LOOK_EVERY)
        edge, gateway = self._listeners
        servers = []
        if not self._stop.is_set():
            servers = [
                await listen(self._proxy, edge, self._config.listen),
                await self._loop.create_server(self._proxy.gateway, sock=gateway, backlog=BACKLOG),
            ]
            self._accepting = True
        self._proxy.copying.start()
        # What lives now lives for good: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        reporting = asyncio.create_task(self._report())
        posting = asyncio.create_task(self._post())
        await self._stop.wait()
        for server in servers:
            server.close()
        self._accepting = False
        await self._drain()
        for task in (reporting, following, following_keys, posting):
            task.cancel()
        self._proxy.stop()
        await self._proxy.copying.stop()
        self._send(last=True)
        async with self._events:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_EVENTS):
                    await self._send_events()
        await asyncio.to_thread(self._proxy.watch.close, LAST_EVENTS)
        await asyncio.to_thread(self._client.close)
        with contextlib.suppress(OSError):
            await self._reports.drain()

    def _trust_in(self, config: ProxyConfig) -> Trust:
        """What `config` believes. Raises InvalidConfig."""
        keyrings = load_keyrings(config, self._state)
        return Trust(keyrings, self._key_sets.prepare(config.context))

    def _apply(self, config: ProxyConfig) -> None:
        """Raises InvalidConfig before anything has changed."""
        trust = self._trust_in(config)
        self._proxy.apply(config.located(self._located), trust)
        self._key_sets.follow(trust.tokens)
        self._config, self._trust = config, trust

    def _changed(self) -> None:
        self._evaluator.clear()
        self._proxy.copying.changed()

    async def _drain(self) -> None:
        """While it is patient, an idle client may ask once more, and is told to close then.

        A request may be on its way to an idle connection, and would be lost if that were closed.
        Who is amid the PROXY protocol's header or a TLS handshake always gets an answer.
        """
        self._proxy.draining = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._config.timeouts.drain):
                # Once at least: what was accepted last is known in the loop's next pass only.
                await asyncio.sleep(LOOK_EVERY)
                while self._patient and self._proxy.occupied:
                    await asyncio.sleep(LOOK_EVERY)
                self._proxy.drain()
                while self._proxy.occupied:
                    await asyncio.sleep(0.02)
        self._proxy.drain()

    async def _follow(self) -> None:
        """Take orders until told to stop, or until some time after the parent is gone."""
        while line := await self._order():
            order = json.loads(line)
            if order.get("stop"):
                self._patient = False
                break
            if order.get("retire"):
                self._patient = True
                self._stop.set()
                continue
            try:
                if "endpoints" in order:
                    self._located = order["endpoints"]
                    self._proxy.relocate(self._config.located(self._located), self._trust)
                else:
                    self._apply(ProxyConfig.model_validate(order["config"]))
            except (InvalidConfig, ValidationError) as exc:
                logger.error("config.refused %s", exc)
        else:
            logger.warning("parent.gone serving on for %.0f s", ORPHAN)
            await asyncio.sleep(ORPHAN)
            self._patient = True
        self._stop.set()

    async def _order(self) -> bytes:
        """The next order; nothing if the parent is gone."""
        with contextlib.suppress(OSError):  # a reset, if it had not read the last report
            return await self._orders.readline()
        return b""

    async def _report(self) -> None:
        while True:
            self._send()
            await asyncio.sleep(REPORT_EVERY)

    def _send(self, *, last: bool = False) -> None:
        if self._reports.is_closing():
            return
        report = {
            "accepting": self._accepting,
            "flags": self._flags_state(),
            "connections": len(self._proxy.clients),
            "cells": self._proxy.stats.document(),
            "endpoints": self._proxy.upstreams.document(),
            "outcomes": self._outcomes.document(),
            "known": {
                flag: self._evaluator.state(flag)
                for flag in {each.flag for each in self._config.capabilities.values()}
            },
            "lines_dropped": self._proxy.watch.lines_dropped,
            "copies": self._proxy.copying.stats.document(),
            "parity": self._proxy.parity.document(last=last),
        }
        self._reports.write(json.dumps(report).encode() + b"\n")

    async def _post(self) -> None:
        while True:
            await asyncio.sleep(EVENTS_EVERY)
            await self._send_events()

    async def _send_events(self) -> None:
        events = self._proxy.watch.take_events()
        summary = self._evaluator.counts.take(time.time())
        if summary is not None:
            events.append(summary)
        if events:
            await self._events.send(events)

    def _flags_state(self) -> str:
        if self._client.data_source_status_provider.status.state is DataSourceState.VALID:
            return "streaming"
        return "cached" if self._store.initialized else "none"


async def serve(control: socket.socket) -> None:
    """Read the first order from `control` and work."""
    orders, reports = await asyncio.open_unix_connection(sock=control, limit=MAX_LINE)
    start = json.loads(await orders.readline())
    await Worker(start, orders, reports, os.environ).run()


def main() -> None:
    import uvloop

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # A terminal sends Ctrl-C to everybody; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    uvloop.run(serve(socket.socket(fileno=int(sys.argv[1]))))
