"""Server-sent events through the proxy: each arrives before the next one is sent.

How long such a stream may be silent is in test_timeouts.py.
"""

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable

import pytest

from proxy_in_process import PATIENCE, Peer, ProxyWorld, play

EVENT = b"id: %d\ndata: x\n\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
FRAMINGS: dict[str, tuple[bytes, bytes, bytes]] = {
    "chunked": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"f\r\n%b\r\n", b"0\r\n\r\n"),
    "until-close": (HEAD + b"\r\n", b"%b", b""),
    "HTTP/1.0": (HEAD.replace(b"1.1", b"1.0", 1) + b"\r\n", b"%b", b""),
}
"""Head, form of an event and end of a stream."""
Leave = Callable[[StreamWriter], None]


async def each_event_arrives(world: ProxyWorld, framing: str, version: bytes) -> None:
    head, form, last = FRAMINGS[framing]
    turn = asyncio.Semaphore(0)

    async def answers(_: Peer, __: StreamReader, writer: StreamWriter) -> None:
        writer.write(head)
        for number in range(4):
            writer.write(form % (EVENT % number))
            await turn.acquire()
        writer.write(last)
        writer.close()

    world.one.answer = answers
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(b"GET /articles/1 HTTP/%b\r\nHost: a\r\n\r\n" % version)
        for number in range(4):
            await reader.readuntil(EVENT % number)
            turn.release()
        rest = await reader.readuntil(last) if last and version == b"1.1" else await reader.read()
        assert rest.lstrip(b"\r\n").removeprefix(last) == b""
        writer.close()


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize("framing", FRAMINGS)
def test_each_event_arrives(framing: str, version: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    play(
        lambda world: each_event_arrives(world, framing, version),
        lambda world: world.config(world.one, timeouts={"response": PATIENCE}),
        monkeypatch,
    )


@pytest.mark.parametrize(
    "leave",
    [
        pytest.param(StreamWriter.close, id="closes"),
        pytest.param(StreamWriter.write_eof, id="closes-its-half"),
        pytest.param(lambda writer: writer.transport.abort(), id="aborts"),
    ],
)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_the_origin_learns_that_the_client_has_left(
    framing: str, leave: Leave, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it has nothing to say at the moment, which would show it."""

    async def scene(world: ProxyWorld) -> None:
        head, form, _ = FRAMINGS[framing]
        ended = asyncio.Event()

        async def answers(_: Peer, reader: StreamReader, writer: StreamWriter) -> None:
            writer.write(head + form % (EVENT % 0))
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            ended.set()

        world.one.answer = answers
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(b"GET /articles/1 HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readuntil(EVENT % 0)
            leave(writer)
            await ended.wait()
            writer.close()

    timeouts = {"stall": 1000.0, "response": 1000.0}
    play(scene, lambda world: world.config(world.one, timeouts=timeouts), monkeypatch)
