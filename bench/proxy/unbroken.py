"""Clients to which nothing may go wrong, and the origin that answers them.

Each speaks HTTP/1.1 by hand and sends nothing twice: a library would repeat a request on a fresh
connection and hide the failure. A connection may end after an answer that said so, and no earlier.
"""

import asyncio
import contextlib
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

SLOW: Final = 0.5
"""Seconds until the origin answers `/slow`."""
PAUSE: Final = 0.005
"""Seconds between a client's requests on one connection."""
BODY: Final = b"b" * 20_000
_UPGRADE: Final = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
_CHUNKS: Final = b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4e20\r\n" + BODY + b"\r\n0\r\n\r\n"
_LENGTH: Final = b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def origin() -> AsyncIterator[int]:
    """The port of a server that says how long each request's body was."""
    open_now: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_now[writer] = asyncio.current_task()
        await _answer(reader, writer)
        del open_now[writer]

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        ends = [task for task in open_now.values() if task is not None]
        for writer in list(open_now):
            writer.transport.abort()
        await asyncio.gather(*ends)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while head := (await reader.readuntil(b"\r\n\r\n")).lower():
            size = 0
            if b"upgrade: websocket" in head:
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\n" + _UPGRADE)
                while data := await reader.read(1000):
                    writer.write(data)
            elif b"content-length:" in head:
                size = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(size)
            elif b"transfer-encoding:" in head:
                while chunk := int(await reader.readline(), 16):
                    await reader.readexactly(chunk + 2)
                    size += chunk
                await reader.readline()
            elif head.startswith(b"get /slow"):
                await asyncio.sleep(SLOW)
            said = b"%d" % size
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))
            await writer.drain()
    writer.close()


class UnbrokenLoad:
    """Runs while the block does; then `answered` and `failed` say how it was, by kind of client."""

    def __init__(self, host: str, port: int, secure: ssl.SSLContext | None = None) -> None:
        """`secure`: for TLS; the certificate must be for `host`."""
        self._place = host, port
        self._secure = secure
        self._stop = asyncio.Event()
        self.answered: Counter[str] = Counter()
        self.failed: list[str] = []

    @contextlib.asynccontextmanager
    async def running(self, *, each: int) -> AsyncIterator["UnbrokenLoad"]:
        """`each`: clients of every kind."""
        kinds: dict[str, Callable[[str], Awaitable[None]]] = {
            "kept connection": lambda name: self._kept(name, b"GET /a", b"\r\n", b"0"),
            "new connections": self._fresh,
            "writes with a length": lambda name: self._kept(name, b"POST /a", _LENGTH, b"20000"),
            "writes in chunks": lambda name: self._kept(name, b"PUT /a", _CHUNKS, b"20003"),
            "slow answers": lambda name: self._kept(name, b"GET /slow", b"\r\n", b"0"),
        }
        clients = [
            asyncio.ensure_future(kind(name)) for name, kind in kinds.items() for _ in range(each)
        ]
        try:
            yield self
        finally:
            self._stop.set()
            await asyncio.gather(*clients)

    async def websocket(self) -> Connection:
        """An open tunnel that has echoed once."""
        reader, writer = await asyncio.open_connection(*self._place, ssl=self._secure)
        writer.write(b"GET /ws HTTP/1.1\r\nHost: a\r\n" + _UPGRADE + b"ping")
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 ") or await reader.readexactly(4) != b"ping":
            self.failed.append(f"websocket: {head!r}")
        return reader, writer

    async def _fresh(self, name: str) -> None:
        while not self._stop.is_set():
            closes = b"Connection: close\r\n\r\n"
            await self._until_closed(name, b"GET /a", closes, b"0", most=1)

    async def _kept(self, name: str, first: bytes, rest: bytes, expected: bytes) -> None:
        while not self._stop.is_set():
            await self._until_closed(name, first, rest, expected, most=10**9)

    async def _until_closed(
        self, name: str, first: bytes, rest: bytes, expected: bytes, *, most: int
    ) -> None:
        """Up to `most` requests on one connection."""
        writer = None
        try:
            reader, writer = await asyncio.open_connection(*self._place, ssl=self._secure)
            for _ in range(most):
                writer.write(first + b" HTTP/1.1\r\nHost: a\r\n" + rest)
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
                said = await reader.readexactly(size)
                if not head.startswith(b"HTTP/1.1 200 ") or said != expected:
                    self.failed.append(f"{name}: {head!r} {said!r}")
                self.answered[name] += 1
                if self._stop.is_set() or b"\r\nConnection: close\r\n" in head:
                    return
                await asyncio.sleep(PAUSE)
        except (OSError, asyncio.IncompleteReadError, IndexError) as error:
            self.failed.append(f"{name}: {error!r}")
            await asyncio.sleep(0.01)
        finally:
            if writer is not None:
                writer.close()
