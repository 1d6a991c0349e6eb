"""A proxy in the test's own event loop, and origins whose answers a test scripts.

For what needs real sockets but no processes and no flag server: every request gets one stage.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, Final

import pytest

import routing.proxy
from held_port import hold
from routing.config import ProxyConfig
from routing.evaluator import Evaluator
from routing.outcomes import Outcomes
from routing.proxy import Proxy
from routing.signing import Keyrings
from routing.stages import Stage
from routing.trust import Trust

PATIENCE: Final = 10.0
NO_TRUST: Final = Trust(Keyrings(decisions=None, overrides=None), None)
Answer = Callable[["Peer", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def says(status: int) -> Answer:
    """Answers with `status` and its own name."""

    async def answer(peer: "Peer", _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = peer.name.encode()
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))

    return answer


async def hangs(_: "Peer", reader: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await reader.read()


async def resets(_: "Peer", __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


class Peer:
    """An origin's endpoint. `seen`: first lines of requests; `checks`: of those for /health."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.answer: Answer = says(200)
        self.health: Answer = says(200)
        self.seen: list[str] = []
        self.checks: list[str] = []
        self.asked = "", b""
        """Head and body of what `answer` is called for."""
        self.connections = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._held: socket.socket | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def listening(self) -> bool:
        return self._server is not None and self._server.is_serving()

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return len(self._writers)

    async def start(self) -> None:
        """On the same port as before, if there was one."""
        self._release()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Listen no more, and cut all connections; `start` or `end` it."""
        self.end()
        self._held = hold(self.port)

    def end(self) -> None:
        """The same, for good."""
        self._release()
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    def _release(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                body = b""
                if "\r\nContent-Length: " in head:
                    length = int(head.split("\r\nContent-Length: ")[1].split()[0])
                    body = await reader.readexactly(length)
                line = head.split("\r\n")[0]
                if "/health" in line:
                    self.checks.append(line)
                    await self.health(self, reader, writer)
                else:
                    self.seen.append(line)
                    self.asked = head, body
                    await self.answer(self, reader, writer)
                await writer.drain()
        self._writers.discard(writer)
        writer.close()


class ProxyWorld:
    """`old` is the monolith, the others are endpoints of a service as a test configures it."""

    def __init__(self) -> None:
        self.old = Peer("old")
        self.one, self.two, self.three = Peer("one"), Peer("two"), Peer("three")
        self.stage = Stage.LIVE
        self.proxy: Proxy
        self.port = 0
        self.folder = Path()
        """The proxy's state."""

    def config(self, *endpoints: Peer, **options: Any) -> ProxyConfig:
        """With `options` of the service, and `timeouts`, `monolith` of the document."""
        document = {
            "migration": "test",
            "listen": {"port": 0},
            "gateway": {"port": 0},
            "monolith": options.pop("monolith", self.old.url),
            "timeouts": {"retry": 0.5, "response": 1.0, **options.pop("timeouts", {})},
            "services": {"articles": {"endpoints": [each.url for each in endpoints], **options}},
            "capabilities": {
                "publishing": {
                    "flag": "publishing",
                    "routes": [{"path": "/articles/*", "service": "articles"}],
                }
            },
            "expose_decision": True,
            "mirroring": {"enabled": False},
            "second_writes": {"enabled": False},
        }
        return ProxyConfig.model_validate(document)

    def apply(self, *endpoints: Peer, **options: Any) -> None:
        self.proxy.apply(self.config(*endpoints, **options), NO_TRUST)

    async def ask(
        self,
        method: str = "GET",
        path: str = "/articles/1",
        version: str = "1.1",
        user: str = "",
    ) -> tuple[int, str]:
        """Status and body, over a connection of its own. `user`: what X-User says."""
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                size = "" if method == "GET" else "Content-Length: 2\r\n"
                body = "" if method == "GET" else "ok"
                request = f"{method} {path} HTTP/{version}\r\nHost: a\r\nConnection: close\r\n"
                said = f"X-User: {user}\r\n" if user else ""
                writer.write(f"{request}{said}{size}\r\n{body}".encode())
                head, _, answer = (await reader.read()).decode().partition("\r\n\r\n")
                return int(head.split(" ")[1]), answer
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def asks(self, count: int, method: str = "GET") -> list[tuple[int, str]]:
        """So many at once."""
        return await asyncio.gather(*(self.ask(method) for _ in range(count)))

    def endpoint(self, peer: Peer) -> dict[str, Any]:
        """What the proxy says of it; {} if it does not know it."""
        found = [
            endpoint
            for origin in self.proxy.upstreams.document()
            for endpoint in origin["endpoints"]
            if endpoint["address"] == peer.url
        ]
        return found[0] if found else {}

    @property
    def service(self) -> dict[str, Any]:
        """What the proxy says of the service."""
        return next(
            each for each in self.proxy.upstreams.document() if each["service"] == "articles"
        )

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not done():
                await asyncio.sleep(0.005)


def evaluator(stage: Callable[[], Stage]) -> Evaluator:
    """Every context gets the stage of the moment. Nothing is read from its cache: requests that
    name nobody are somebody new each time."""

    def variation_detail(*_: object) -> object:
        reason = {"kind": "FALLTHROUGH"}
        return SimpleNamespace(value=stage().value, variation_index=0, reason=reason)

    client: Any = SimpleNamespace(variation_detail=variation_detail)
    store: Any = SimpleNamespace(initialized=True, get=lambda _kind, _key, read: read(None))
    return Evaluator(client, store)


@contextlib.asynccontextmanager
async def running_proxy(
    configure: Callable[[ProxyWorld], ProxyConfig], folder: Path
) -> AsyncIterator[ProxyWorld]:
    world, loop = ProxyWorld(), asyncio.get_running_loop()
    world.folder = folder
    peers = (world.old, world.one, world.two, world.three)
    for peer in peers:
        await peer.start()
    evaluates = evaluator(lambda: world.stage)
    world.proxy = Proxy(configure(world), NO_TRUST, evaluates, Outcomes(), loop, folder)
    server = await loop.create_server(world.proxy.edge, "127.0.0.1", 0)
    world.port = server.sockets[0].getsockname()[1]
    try:
        yield world
    finally:
        server.close()
        world.proxy.stop()
        await world.proxy.copying.stop()
        for peer in peers:
            peer.end()
        await world.until(lambda: not (world.proxy.clients or any(peer.open for peer in peers)))


def play(
    scene: Callable[[ProxyWorld], Awaitable[None]],
    configure: Callable[[ProxyWorld], ProxyConfig],
    patch: pytest.MonkeyPatch,
) -> None:
    """Run `scene` against a proxy that looks at its clock more often than usual."""
    patch.setattr(routing.proxy, "TICK_SECONDS", 0.01)

    async def run() -> None:
        with TemporaryDirectory() as folder:
            async with running_proxy(configure, Path(folder)) as world, asyncio.timeout(60):
                await scene(world)

    asyncio.run(run())
