"""The bare writer: the least a program of one process can do to tell all streams of one change.

Any connection that asks for `/all` gets the put; whatever another connection sends is written to
all of these at once, as one chunk. No REST, no store, no keys, no heartbeat: the floor that the
machine, kernel and reader set, measured beside the flag server in the same run.
"""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Final, cast

import uvloop

from bench.flags.errors import BenchError
from bench.flags.processes import FORK, Usage, forked

PATIENCE: Final = 10.0
"""Seconds until it listens."""
_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)


class BareWriter:
    def __init__(self, port: int, usage: Usage, trigger: socket.socket) -> None:
        self.port = port
        self.usage = usage
        self._trigger = trigger

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def write(self, event: bytes) -> float:
        """Have `event` written to all streams; when this was asked for, on CLOCK_MONOTONIC."""
        asked = time.monotonic()
        self._trigger.sendall(event)
        return asked


@contextmanager
def running_bare_writer(put: bytes) -> Iterator[BareWriter]:
    """A bare writer on a free port, in a process of its own."""
    ours, theirs = FORK.Pipe(duplex=False)
    with ours, forked(1, _serve, put, theirs) as (usage,):
        theirs.close()
        if not ours.poll(PATIENCE):
            raise BenchError("the bare writer did not start")
        port = int(ours.recv())
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as trigger:
            trigger.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield BareWriter(port, usage, trigger)


def _serve(_: int, put: bytes, ready: Connection) -> None:
    async def serve() -> None:
        streams: set[asyncio.Transport] = set()
        first = _HEAD + _chunk(put)
        server = await asyncio.get_running_loop().create_server(
            lambda: _Client(streams, first), "127.0.0.1", 0, backlog=1024
        )
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(serve())


class _Client(asyncio.Protocol):
    def __init__(self, streams: set[asyncio.Transport], first: bytes) -> None:
        self._streams = streams
        self._first = first

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"GET /all"):
            self._streams.add(self._transport)
            self._transport.write(self._first)
        else:
            chunk = _chunk(data)
            for stream in self._streams:
                stream.write(chunk)

    def connection_lost(self, _: Exception | None) -> None:
        self._streams.discard(self._transport)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
