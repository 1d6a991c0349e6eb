"""A stream of endpoints whose every byte a test says."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import Final

TOKEN: Final = "endpoints-0123456789"
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def event(name: str, **services: Sequence[str]) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'services': services})}\n\n".encode()


class EndpointServer:
    """`greeting` begins each stream; `heads` are those of the requests so far."""

    def __init__(self) -> None:
        self.greeting = event("snapshot")
        self.head = _HEAD
        self.heads: list[str] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._streams: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/endpoints"

    async def start(self) -> None:
        """On the same port as before, if there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def say(self, content: bytes) -> None:
        """On each open stream."""
        for writer in self._streams:
            writer.write(content)

    def cut(self) -> None:
        """End all streams; new ones are welcome."""
        for writer in self._streams:
            writer.close()
        self._streams.clear()

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(self.head + self.greeting)
            self._streams.add(writer)
            await reader.read()
        self._streams.discard(writer)
        writer.close()


@contextlib.asynccontextmanager
async def endpoint_server() -> AsyncIterator[EndpointServer]:
    server = EndpointServer()
    await server.start()
    try:
        yield server
    finally:
        server.stop()
