"""What is taken over by SIGHUP beside routes and origins, without a new process."""

import asyncio
import base64
import contextlib
import json
import signal
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from span_collector import SpanCollector
from token_issuer import AUDIENCE, ISSUER, jwk, key_set, token

Begin = Callable[[], AbstractAsyncContextManager[Any]]
Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


class Reloading:
    """A proxy whose configuration grows."""

    def __init__(self, world: Any, http: httpx.AsyncClient, until: Until) -> None:
        self.world, self.until = world, until
        self._http = http
        self._changes: dict[str, Any] = {"workers": 1}
        self.spans = SpanCollector()
        self._log: Path = world.folder / "access.log"

    def logged(self, text: str) -> bool:
        return self._log.exists() and text in self._log.read_text()

    async def start(self) -> None:
        self._changes["access_log"] = {"path": str(self._log)}
        self._changes["events"] = {"migration_ops": 0, "contexts": 0}
        self.world.start_proxy(**self._changes)
        await self.world.ready(self._http)

    def reload(self, **changes: Any) -> None:
        self._changes |= changes
        path = self.world.folder / "routes.json"
        path.write_text(json.dumps(self.world.config(**self._changes)))
        self.world.process.send_signal(signal.SIGHUP)

    async def user(self) -> str:
        """Who the monolith is told that a request is for; it comes from Alice, with a token."""
        shown = {"Authorization": f"Bearer {token('ES256', exp=time.time() + 600).decode()}"}
        answer = await self._http.get(f"{self.world.edge}/articles/1?color=red", headers=shown)
        assert answer.text == "old 0"
        head: bytes = self.world.old.seen[-1]
        value = head.split(b"X-Migrator-Context: ")[1].split(b"\r\n")[0]
        return str(json.loads(base64.urlsafe_b64decode(value + b"==="))["key"])

    def operations(self) -> int:
        """Reads of the monolith that the flag server was told of."""
        with contextlib.closing(sqlite3.connect(self.world.folder / "flags.db")) as db:
            query = "SELECT SUM(count) FROM measurements WHERE name = 'invoked.old'"
            return int(db.execute(query).fetchone()[0] or 0)


def test_what_is_reloaded(begin: Begin, wait_until: Until, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")

    async def run() -> None:
        async with begin() as world, httpx.AsyncClient(trust_env=False, timeout=20) as http:
            proxy = Reloading(world, http, wait_until)
            await proxy.start()
            for step in STEPS:
                await step(proxy)

    asyncio.run(run())


async def users_of_tokens(proxy: Reloading) -> None:
    assert await proxy.user() != "alice"
    keys = proxy.world.folder / "keys.json"
    keys.write_bytes(key_set(jwk("ES256", "a")))
    rules = {"jwks": str(keys), "issuer": ISSUER, "audience": [AUDIENCE]}
    proxy.reload(context={"key": [{"claim": "sub"}], "jwt": rules})

    async def known() -> bool:
        return await proxy.user() == "alice"

    await proxy.until(known)


async def redaction(proxy: Reloading) -> None:
    async def shown() -> bool:
        return proxy.logged("color=red")

    await proxy.until(shown)
    proxy.reload(redact={"query": ["color"]})

    async def hidden() -> bool:
        await proxy.user()
        return proxy.logged("color=REDACTED")

    await proxy.until(hidden)


async def traces(proxy: Reloading) -> None:
    async with await asyncio.start_server(proxy.spans.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        proxy.reload(tracing={"endpoint": f"http://127.0.0.1:{port}", "ratio": 1})

        async def traced() -> bool:
            await proxy.user()
            return bool(proxy.spans.spans)

        await proxy.until(traced)


async def no_traces_but_events(proxy: Reloading) -> None:
    """The last events are sent when the proxy ends."""
    before = len(proxy.world.old.seen)
    proxy.reload(tracing=None, events={"migration_ops": 50, "contexts": 0})

    async def applied() -> bool:
        await proxy.user()
        return b"traceparent" not in proxy.world.old.seen[-1]

    await proxy.until(applied)
    await proxy.user()
    await asyncio.to_thread(proxy.world.end)

    async def reported() -> bool:
        return proxy.operations() > 0

    await proxy.until(reported)
    assert proxy.operations() <= len(proxy.world.old.seen) - before


STEPS = (users_of_tokens, redaction, traces, no_traces_but_events)
