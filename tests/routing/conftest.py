"""A whole proxy with real workers, a real flag server, and origins scripted at socket level."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from flags.server import ServerSettings, running_server
from held_port import hold
from routing.config import Timeouts
from routing.outbox import Outbox
from routing.pool import Endpoint

SDK_KEY = "sdk-0123456789abcdef"
TOKEN = "api-0123456789abcdef"
AUTHORIZED = {"Authorization": TOKEN}
PATIENCE = 30.0
SERVE = (
    "import sys; from pathlib import Path; from routing.server import ServerSettings, serve; "
    "sys.exit(serve(ServerSettings(config=Path(sys.argv[1]), state=Path(sys.argv[2]))))"
)
Handler = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Any]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts a whole proxy."""
    for item in items:
        here = item.path.is_relative_to(Path(__file__).parent)
        if here and "begin" in getattr(item, "fixturenames", ()):
            item.add_marker("whole_proxy")


class Origin:
    """An HTTP origin whose answers are bytes. `seen` has every request head in order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: list[bytes] = []
        self.answer: Handler = self.echo
        self._server: asyncio.Server | None = None
        self._held: socket.socket | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def start(self) -> None:
        self._release()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Listen no more; `start` or `end` it."""
        self.end()
        self._held = hold(self.port)

    def _release(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    def end(self) -> None:
        """Listen no more, for good."""
        self._release()
        if self._server is not None:
            self._server.close()
            self._server = None
            for writer in self._open:
                writer.close()

    async def echo(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Says its name and how long the body was."""
        size = 0
        lower = head.lower()
        if b"content-length:" in lower:
            length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
            size = len(await reader.readexactly(length))
        elif b"transfer-encoding: chunked" in lower:
            while chunk := int((await reader.readline()), 16):
                size += len((await reader.readexactly(chunk + 2))[:-2])
            await reader.readline()
        body = f"{self.name} {size}".encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                self.seen.append(head)
                await self.answer(head, reader, writer)
                await writer.drain()
        self._open.discard(writer)
        writer.close()


class World:
    """Monolith `old`, service `new`, flag server, and a proxy process with two workers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.old, self.new = Origin("old"), Origin("new")
        self.flags = ""
        self.edge = self.gateway = self.admin = ""
        self.process: subprocess.Popen[bytes] | None = None

    def config(self, **changes: object) -> dict[str, Any]:
        return {
            "migration": "test",
            "listen": {"port": 0},
            "gateway": {"port": 0},
            "context": {"key": [{"cookie": "uid"}, {"header": "x-user"}]},
            "monolith": f"http://127.0.0.1:{self.old.port}",
            "services": {"articles": f"http://127.0.0.1:{self.new.port}"},
            "capabilities": {
                "publishing": {
                    "flag": "publishing",
                    "routes": [{"path": "/articles/{id}", "service": "articles"}],
                }
            },
            "expose_decision": True,
            "parity": {"probe_share": 0},  # origins get what a test sends them, and no more
            "timeouts": {"retry": 1.0, "response": 1.5, "header": 1.0},
            **changes,
        }

    def environment(self, key: str = SDK_KEY) -> dict[str, str]:
        names = ("BASE_URI", "STREAM_URI", "EVENTS_URI")
        uris = {f"LAUNCHDARKLY_{name}": self.flags for name in names}
        return {**os.environ, "LAUNCHDARKLY_SDK_KEY": key, **uris}

    def start_proxy(self, admin_port: int | None = None, **changes: object) -> None:
        """With `changes` in its configuration; its admin side is on a free port by default."""
        admin_port = unused_port() if admin_port is None else admin_port
        config = self.folder / "routes.json"
        config.write_text(json.dumps(self.config(**changes)))
        self.admin = f"http://127.0.0.1:{admin_port}"
        code = SERVE.replace("argv[2])", f"argv[2]), admin_port={admin_port}")
        with (self.folder / "proxy.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code, str(config), str(self.folder)],
                env=self.environment(),
                stdout=log,
                stderr=log,
            )

    async def ready(self, http: httpx.AsyncClient) -> None:
        async def answers() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return (await http.get(f"{self.admin}/readyz")).is_success
            return False

        await until(answers)
        routes = (await http.get(f"{self.admin}/routes")).json()
        self.edge = "http://{}:{}".format(*routes["edge"])
        self.gateway = "http://{}:{}".format(*routes["gateway"])

    async def on_wire(self, data: bytes) -> bytes:
        """What comes back for `data` until the proxy closes, though this end stays open."""
        host, _, port = self.edge.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(data)
            return await asyncio.wait_for(reader.read(), PATIENCE)
        finally:
            writer.close()

    async def stage(self, http: httpx.AsyncClient, value: str, share: int = 100_000) -> None:
        """Set the flag and wait until every worker obeys."""
        flag = (
            await http.get(f"{self.flags}/api/v2/flags/test/publishing", headers=AUTHORIZED)
        ).json()
        ids = {v["value"]: v["_id"] for v in flag["variations"]}
        weights = {ids["off"]: 100_000 - share, ids[value]: share}
        if value == "off":
            weights = {ids["off"]: 100_000}
        version = await self.change(
            http,
            "publishing",
            {"kind": "turnFlagOn"},
            {
                "kind": "updateFallthroughVariationOrRollout",
                "rolloutContextKind": "user",
                "rolloutWeights": {i: w for i, w in weights.items() if w},
            },
        )

        async def everywhere() -> bool:
            return await self.known(http) == {version}

        await until(everywhere)
        self.old.seen.clear()
        self.new.seen.clear()

    async def known(self, http: httpx.AsyncClient) -> set[int]:
        """The versions of the capability's flag that workers have."""
        flags = (await http.get(f"{self.admin}/flags")).json()["flags"]
        (workers,) = (flag["workers"] for flag in flags if flag["key"] == "publishing")
        return {worker["version"] for worker in workers}

    async def change(self, http: httpx.AsyncClient, key: str, *instructions: object) -> int:
        """The flag's new version."""
        semantic = "application/json; domain-model=launchdarkly.semanticpatch"
        answer = await http.patch(
            f"{self.flags}/api/v2/flags/test/{key}",
            headers={**AUTHORIZED, "Content-Type": semantic},
            json={"environmentKey": "production", "instructions": instructions},
        )
        environments = answer.raise_for_status().json()["environments"]
        return int(environments["production"]["version"])

    async def turn_off(self, http: httpx.AsyncClient) -> None:
        """Kill: the flag is off for everybody. Workers obey a moment later."""
        await self.change(http, "publishing", {"kind": "turnFlagOff"})

    async def add_switch(self, http: httpx.AsyncClient) -> None:
        """`articles-service`, on, which the capability's flag has as prerequisite from now on."""
        variations = [{"value": True}, {"value": False}]
        body = {"key": "articles-service", "name": "articles", "variations": variations}
        answer = await http.post(
            f"{self.flags}/api/v2/flags/test", headers=AUTHORIZED, json={**body, "kind": "boolean"}
        )
        yes = answer.raise_for_status().json()["variations"][0]["_id"]
        await self.change(http, "articles-service", {"kind": "turnFlagOn"})
        required = {"key": "articles-service", "variationId": yes}
        await self.change(http, "publishing", {"kind": "addPrerequisite", **required})

    async def stats(self, http: httpx.AsyncClient) -> dict[str, Any]:
        stats: dict[str, Any] = (await http.get(f"{self.admin}/stats")).json()
        return stats

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=PATIENCE)


async def until(done: Callable[[], Any]) -> None:
    """Ask `done` again and again until it is true."""
    deadline = time.monotonic() + PATIENCE
    while not await done():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.02)


@pytest.fixture(scope="session")
def wait_until() -> Callable[[Callable[[], Any]], Any]:
    return until


@contextlib.asynccontextmanager
async def running_world(folder: Path) -> AsyncIterator[World]:
    world = World(folder)
    credentials = folder / "credentials.json"
    credentials.touch(mode=0o600)
    credentials.write_text(
        json.dumps(
            {
                "project": "test",
                "environment": "production",
                "sdk_key": SDK_KEY,
                "mobile_key": "mob-0123456789abcdef",
                "client_side_id": "0123456789abcdef01234567",
                "session_secret": "0123456789abcdef",
                "tokens": {"alice": TOKEN},
            }
        )
    )
    settings = ServerSettings(port=0, database=folder / "flags.db", credentials=credentials)
    async with running_server(settings) as world.flags:
        await world.old.start()
        await world.new.start()
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            body = {
                "key": "publishing",
                "name": "publishing",
                "purpose": "migration",
                "migrationSettings": {"contextKind": "user", "stageCount": 6},
            }
            place = f"{world.flags}/api/v2/flags/test"
            answer = await http.post(place, headers={"Authorization": TOKEN}, json=body)
            answer.raise_for_status()
        try:
            yield world
        finally:
            await asyncio.to_thread(world.end)
            world.old.end()
            world.new.end()


@pytest.fixture
def begin(tmp_path: Path) -> Callable[[], contextlib.AbstractAsyncContextManager[World]]:
    return lambda: running_world(tmp_path)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def free_port() -> int:
    """Nobody listens there."""
    return unused_port()


@pytest.fixture
def outbox() -> Iterator[Outbox]:
    """One that is never flushed by its loop."""
    loop = asyncio.new_event_loop()
    yield Outbox(loop)
    loop.close()


@pytest.fixture
def endpoint(outbox: Outbox) -> Iterator[Callable[[str], Endpoint]]:
    """Makes endpoints that are never connected to."""
    loop = asyncio.new_event_loop()
    clock = SimpleNamespace(now=0.0)
    yield lambda url: Endpoint(url, clock, Timeouts(), loop, outbox)
    loop.close()
