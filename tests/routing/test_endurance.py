"""Many peers, slow peers and peers that vanish: bounded memory, and no descriptor stays behind."""

import asyncio
import contextlib
import resource
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

Begin = Callable[[], AbstractAsyncContextManager[Any]]
Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
GET = b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /other HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
WEBSOCKET = b"GET /other HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCHES = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
MANY = 5000
SLOW = 8
LARGE = 12_000_000
"""Bytes; more than the kernel keeps for the connections on the way."""
ROOM = 512 * 1024
"""Bytes that the proxy may hold for one slow peer, and more than it holds for 50 idle ones."""


class Worker:
    """The only worker of a running proxy."""

    def __init__(self, world: Any, http: httpx.AsyncClient, pid: int, until: Until) -> None:
        self.world, self.http, self.until = world, http, until
        self.process = psutil.Process(pid)

    def memory(self) -> int:
        return int(self.process.memory_full_info().uss)

    def free_descriptor(self, index: int) -> int:
        """Numbers may have gaps below the highest one in use."""
        taken = {int(each.name) for each in Path(f"/proc/{self.process.pid}/fd").iterdir()}
        return [number for number in range(len(taken) + index + 1) if number not in taken][index]

    async def connect(self) -> Connection:
        host, _, port = self.world.edge.removeprefix("http://").partition(":")
        return await asyncio.open_connection(host, int(port))

    async def serves(self) -> None:
        async with self.connected(1) as [(reader, writer)]:
            writer.write(GET)
            assert await answer((reader, writer)) == b"old 0"

    @contextlib.asynccontextmanager
    async def connected(self, count: int) -> AsyncIterator[list[Connection]]:
        opened: list[Connection] = []
        try:
            while len(opened) < count:
                opened.append(await self.connect())
            yield opened
        finally:
            for _, writer in opened:
                writer.transport.abort()

    async def has_connections(self, count: int) -> None:
        async def counted() -> bool:
            stats = await self.world.stats(self.http)
            return bool(stats["workers"][0]["connections"] == count)

        await self.until(counted)

    async def has_descriptors(self, most: int) -> None:
        async def few() -> bool:
            return self.process.num_fds() <= most

        await self.until(few)


@pytest.fixture
def many_files() -> Iterator[None]:
    """Enough for `MANY` connections, in this process and in those that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = MANY + 500
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"this user may not have {needed} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_one_worker(begin: Begin, free_port: int, wait_until: Until, many_files: None) -> None:
    """All steps of this file, one after another."""

    async def run() -> None:
        async with begin() as world, httpx.AsyncClient(trust_env=False) as http:
            world.start_proxy(free_port, workers=1, timeouts={"response": 30.0, "drain": 1.0})
            await world.ready(http)
            pid = (await world.stats(http))["workers"][0]["pid"]
            worker = Worker(world, http, pid, wait_until)
            echo = world.old.answer
            for step in STEPS:
                world.old.answer = echo
                await worker.serves()
                await worker.has_connections(0)
                before = worker.process.num_fds()
                await asyncio.wait_for(step(worker), 60)
                await worker.has_connections(0)
                await worker.has_descriptors(before + IDLE_ORIGIN_CONNECTIONS)

    asyncio.run(run())


async def answer(connection: Connection) -> bytes:
    reader, _ = connection
    head = await reader.readuntil(b"\r\n\r\n")
    size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return await reader.readexactly(size)


async def many_connections(worker: Worker) -> None:
    """Each is answered, kept, and answered again."""
    before = worker.memory()
    async with worker.connected(MANY) as opened:
        for _ in range(2):
            for at in range(0, MANY, 100):
                some = opened[at : at + 100]
                for _, writer in some:
                    writer.write(GET)
                for connection in some:
                    assert await answer(connection) == b"old 0"
        await worker.has_connections(MANY)
        assert (worker.memory() - before) / MANY < ROOM / 50


async def no_descriptors_left(worker: Worker) -> None:
    """Who is one too many is turned away, and the worker serves on when others have gone.

    Connections to the origin are there already: without any, clients would get 503.
    """
    limits = worker.process.rlimit(psutil.RLIMIT_NOFILE)
    worker.process.rlimit(psutil.RLIMIT_NOFILE, (worker.free_descriptor(30), limits[1]))
    async with worker.connected(60) as opened:
        for _, writer in opened:
            writer.write(GET)
        told = [asyncio.create_task(reader.read(12)) for reader, _ in opened]
        done = await asyncio.gather(*told, return_exceptions=True)
        assert {each for each in done if isinstance(each, bytes)} <= {b"HTTP/1.1 200", b""}
        assert 0 < done.count(b"HTTP/1.1 200") < len(opened)
    await worker.has_connections(0)
    await worker.serves()
    worker.process.rlimit(psutil.RLIMIT_NOFILE, limits)


def transport_of(writer: asyncio.StreamWriter) -> asyncio.Transport:
    assert isinstance(writer.transport, asyncio.Transport)
    return writer.transport


def little_room(writer: asyncio.StreamWriter, buffer: int) -> None:
    """In the kernel, so that what is on its way waits in the proxy or at its source."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, buffer, 65536)


async def clients_that_do_not_read(worker: Worker) -> None:
    """The origin waits for them; what was held arrives when they go on."""
    blocked = asyncio.Semaphore(0)

    async def large(_head: bytes, _reader: Any, writer: Any) -> None:
        little_room(writer, socket.SO_SNDBUF)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
        piece = b"x" * (LARGE // 120)
        for number in range(120):
            writer.write(piece)
            if writer.transport.get_write_buffer_size() > len(piece) and number:
                blocked.release()
            await writer.drain()

    worker.world.old.answer = large
    before = worker.memory()
    async with worker.connected(SLOW) as opened:
        for _, writer in opened:
            little_room(writer, socket.SO_RCVBUF)
            transport_of(writer).pause_reading()
            writer.write(GET)
        for _ in range(SLOW):
            await blocked.acquire()
        assert worker.memory() - before < SLOW * ROOM
        for _, writer in opened[4:]:
            writer.transport.abort()
        for _, writer in opened[:4]:
            transport_of(writer).resume_reading()
        for connection in opened[:4]:
            assert await answer(connection) == b"x" * LARGE


async def an_origin_that_does_not_read(worker: Worker) -> None:
    """The clients wait for it; what was held arrives when it goes on."""
    go_on = asyncio.Event()

    async def later(head: bytes, reader: Any, writer: Any) -> None:
        writer.transport.pause_reading()
        await go_on.wait()
        writer.transport.resume_reading()
        await worker.world.old.echo(head, reader, writer)

    worker.world.old.answer = later
    before = worker.memory()
    async with worker.connected(SLOW) as opened:
        for _, writer in opened:
            little_room(writer, socket.SO_SNDBUF)
            writer.write(POST % LARGE + b"y" * LARGE)
        waiting = [asyncio.create_task(writer.drain()) for _, writer in opened]
        await asyncio.wait(waiting, timeout=0.3)
        assert worker.memory() - before < SLOW * ROOM
        for _, writer in opened[4:]:
            writer.transport.abort()
        go_on.set()
        for connection in opened[:4]:
            assert await answer(connection) == b"old %d" % LARGE
        await asyncio.gather(*waiting, return_exceptions=True)


async def clients_that_vanish(worker: Worker) -> None:
    """By a reset and by an orderly end, in every state of a connection."""

    async def silent(_head: bytes, reader: Any, _writer: Any) -> None:
        await reader.read()

    async def half(_head: bytes, reader: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        await reader.read()

    async def switches(_head: bytes, reader: Any, writer: Any) -> None:
        writer.write(SWITCHES + b"hello")
        await reader.read()

    echo = worker.world.old.answer
    for said, origin, wait_for in (
        (b"", echo, b""),  # nothing said
        (GET[:20], echo, b""),  # amid the head
        (POST % 9 + b"abc", silent, b""),  # amid the body
        (GET, silent, b""),  # before the answer
        (GET + GET, half, b"half"),  # before the second answer
        (GET, half, b"half"),  # amid the answer
        (GET, echo, b"old 0"),  # after the answer
        (WEBSOCKET, switches, b"hello"),  # in a tunnel
        (b"nonsense\r\n\r\n", echo, b"}\n"),  # after a refusal
    ):
        for orderly in (True, False):
            worker.world.old.answer, worker.world.old.seen[:] = origin, []
            async with worker.connected(1) as [(reader, writer)]:
                writer.write(said)
                if wait_for:
                    await reader.readuntil(wait_for)
                elif origin is silent:

                    async def arrived() -> bool:
                        return bool(worker.world.old.seen)

                    await worker.until(arrived)
                connection = writer.get_extra_info("socket")
                linger = struct.pack("ii", not orderly, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


IDLE_ORIGIN_CONNECTIONS = 128
"""The proxy keeps that many (`routing.pool.MAX_IDLE`)."""
STEPS = (
    many_connections,
    no_descriptors_left,
    clients_that_do_not_read,
    an_origin_that_does_not_read,
    clients_that_vanish,
)
