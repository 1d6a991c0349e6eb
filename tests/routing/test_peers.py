"""The running proxy and peers that others wrote (curl, h11, websockets), and rude ones."""

import asyncio
import contextlib
import socket
import struct
from asyncio import StreamWriter
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from unittest.mock import Mock

import h11
import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from inline_proxy import inline_proxy
from routing.outbox import Outbox
from routing.pool import Endpoint
from routing.upstream_side import UpstreamConnection

Begin = Callable[[], AbstractAsyncContextManager[Any]]
UPLOAD = b"POST /other HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
WEBSOCKET = b"GET /other HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCHES = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def test_one_running_proxy(begin: Begin) -> None:
    """Every peer of this file, one after another."""

    async def run() -> None:
        async with begin() as world, httpx.AsyncClient(trust_env=False, timeout=20) as http:
            world.start_proxy()
            await world.ready(http)
            for peer in PEERS:
                world.old.answer = world.old.echo
                world.old.seen.clear()
                await asyncio.wait_for(peer(world), 30)
            world.old.answer = world.old.echo
            assert (await http.get(f"{world.edge}/other")).text == "old 0"

    asyncio.run(run())


@contextlib.asynccontextmanager
async def connected(world: Any) -> Any:
    host, _, port = world.edge.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()


def reset(writer: StreamWriter) -> None:
    """End the connection by a reset instead of an orderly end."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def curl(*arguments: str, given: bytes = b"") -> str:
    process = await asyncio.create_subprocess_exec(
        *("curl", "--silent", "--show-error", "--fail", "--noproxy", "*", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate(given)
    assert process.returncode == 0
    return told.decode()


async def curl_asks(world: Any) -> None:
    url = f"{world.edge}/other"
    large = b"y" * 2_000_000
    assert await curl("--http1.0", url) == "old 0"
    assert await curl("-T", "-", url, given=large[:300_000]) == "old 300000"
    both = await curl("-w", " %{num_connects};", url, f"{url}?again")
    assert both == "old 0 1;old 0 0;"

    async def continues(head: bytes, reader: Any, writer: Any) -> None:
        assert b"\r\nExpect: 100-continue\r\n" in head
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await world.old.echo(head, reader, writer)

    world.old.answer = continues
    waits = ("-H", "Expect: 100-continue", "--expect100-timeout", "20")
    assert await curl(*waits, "--data-binary", "@-", url, given=large) == "old 2000000"

    async def ranges(head: bytes, _reader: Any, writer: Any) -> None:
        size = b"2" if b"\r\nRange: bytes=0-1\r\n" in head else b"9"
        status = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\n"
        writer.write(status + b"Content-Length: " + size + b"\r\n\r\n")
        writer.write(b"" if head.startswith(b"HEAD ") else b"ok")

    world.old.answer = ranges
    assert await curl("--range", "0-1", url) == "ok"
    told = await curl("-I", url)
    assert "content-length: 9\r\n" in told.lower()
    assert told.endswith("\r\n\r\n")


async def curl_asks_in_odd_ways(world: Any) -> None:
    """What an old or careful client may say; the origin sees what is meant for it, and no more."""
    for arguments, line in (
        (("--http2", "{}/other"), b"GET /other HTTP/1.1"),
        (("--tr-encoding", "{}/other"), b"GET /other HTTP/1.1"),
        (("--path-as-is", "{}/x/../other/./y//z"), b"GET /x/../other/./y//z HTTP/1.1"),
        (("--request-target", "*", "-X", "OPTIONS", "{}"), b"OPTIONS * HTTP/1.1"),
        (("--request-target", "http://b/other", "{}"), b"GET /other HTTP/1.1"),
        (("-H", "Connection: x-hop", "-H", "X-Hop: 1", "{}/other"), b"GET /other HTTP/1.1"),
    ):
        world.old.seen.clear()
        asked = (each.format(world.edge) for each in arguments)
        assert await curl("-w", " %{http_version}", *asked) == "old 0 1.1", arguments
        (head,) = world.old.seen
        assert head.startswith(line + b"\r\n")
        names = {each.partition(b":")[0].lower() for each in head.splitlines()}
        assert names.isdisjoint((b"connection", b"upgrade", b"http2-settings", b"te", b"x-hop"))


def test_curl_behind_the_proxy_protocol() -> None:
    async def says(reader: asyncio.StreamReader, writer: StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head))
        writer.close()

    async def run() -> None:
        listen = {"port": 0, "proxy_protocol": True}
        async with (
            await asyncio.start_server(says, "127.0.0.1", 0) as origin,
            inline_proxy(
                f"http://127.0.0.1:{origin.sockets[0].getsockname()[1]}",
                listen=listen,
                trusted=["127.0.0.1"],
            ) as proxy,
        ):
            told = await curl("--haproxy-protocol", f"http://127.0.0.1:{proxy.port}/a")
            assert told.startswith("GET /a HTTP/1.1\r\n")
            assert "\r\nX-Forwarded-For: 127.0.0.1\r\n" in told

    asyncio.run(run())


async def h11_asks(world: Any) -> None:
    """Three requests on one connection, each written byte by byte."""
    async with connected(world) as (reader, writer):
        client = h11.Connection(h11.CLIENT)
        for size in (0, 1, 40):
            fields = [("Host", "a"), ("Transfer-Encoding", "chunked")]
            events: list[Any] = [h11.Request(method="POST", target="/other", headers=fields)]
            events += [h11.Data(data=b"x")] * size
            for event in [*events, h11.EndOfMessage()]:
                for byte in client.send(event) or b"":
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(0)
            content = b""
            while not isinstance(event := client.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    client.receive_data(await reader.read(7))
                elif isinstance(event, h11.Data):
                    content += event.data
            assert content == b"old %d" % size
            client.start_next_cycle()


async def websockets_asks(world: Any) -> None:
    async def speaks(head: bytes, reader: Any, writer: Any) -> None:
        protocol = ServerProtocol()
        data = head
        while data:
            protocol.receive_data(data)
            for event in protocol.events_received():
                if isinstance(event, Request):
                    protocol.send_response(protocol.accept(event))
                elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                    protocol.send_text(event.data)
                elif isinstance(event, Frame) and event.opcode is Opcode.BINARY:
                    protocol.send_binary(event.data)
            for piece in protocol.data_to_send():
                writer.write(piece)
            await writer.drain()
            data = b"" if protocol.close_expected() else await reader.read(65536)
        writer.close()

    world.old.answer = speaks
    url = world.edge.replace("http:", "ws:") + "/other"
    async with connect(url, proxy=None, compression=None, max_size=None) as client:
        for message in ("", "abc", "ä" * 1000, b"\x00" * 1_000_000):
            await client.send(message)
            assert await client.recv() == message
        await (await client.ping())
        await client.close(4000, "enough")
    assert (client.close_code, client.close_reason) == (4000, "enough")


async def client_ends_its_half(world: Any) -> None:
    """What was asked before is answered, also if the origin is asked only after that."""
    for request in (b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n", UPLOAD + b"0\r\n\r\n"):
        async with connected(world) as (reader, writer):
            writer.write(request)
            writer.write_eof()
            assert (await reader.read()).partition(b"\r\n\r\n")[2].startswith(b"old ")


async def client_ends_its_half_of_a_tunnel(world: Any) -> None:
    """What the origin says after that still arrives whole."""
    size = 6_000_000

    async def speaks(_head: bytes, reader: Any, writer: Any) -> None:
        writer.write(SWITCHES)
        assert await reader.read() == b"bye"
        writer.write(b"z" * size)
        await writer.drain()
        writer.close()

    world.old.answer = speaks
    async with connected(world) as (reader, writer):
        writer.write(WEBSOCKET + b"bye")
        writer.write_eof()
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        assert len(await reader.read()) == size


async def client_leaves_amid_its_body(world: Any) -> None:
    """The origin never sees an end of the body that the client did not send."""
    for request in (UPLOAD, b"POST /other HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"):
        for leave in (reset, StreamWriter.close, StreamWriter.write_eof):
            began, ended = asyncio.Event(), asyncio.Event()
            read = bytearray()

            async def waits(
                _head: bytes,
                reader: Any,
                _writer: Any,
                read: bytearray = read,
                began: asyncio.Event = began,
                ended: asyncio.Event = ended,
            ) -> None:
                with contextlib.suppress(OSError):
                    while data := await reader.read(100):
                        read += data
                        began.set()
                ended.set()

            world.old.answer = waits
            async with connected(world) as (_, writer):
                writer.write(request)
                await began.wait()
                leave(writer)
                await ended.wait()
            assert bytes(read) in (b"abc", b"3\r\nabc\r\n"), leave


async def service_resets(world: Any) -> None:
    """Before the answer's head the client is told; after it the answer is visibly cut off."""
    head = b"HTTP/1.1 200 OK\r\n"
    for name, data, told in (
        ("at once", b"", True),
        ("amid the head", head, True),
        ("after an interim answer", b"HTTP/1.1 103 Early Hints\r\n\r\n", True),
        ("before the body", head + b"Content-Length: 4\r\n\r\n", False),
        ("amid the body", head + b"Content-Length: 4\r\n\r\nab", False),
        ("before the chunks", head + b"Transfer-Encoding: chunked\r\n\r\n", False),
        ("amid a chunk", head + b"Transfer-Encoding: chunked\r\n\r\n4\r\nab", False),
        ("before the last chunk", head + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", False),
        ("amid a body without a length", head + b"\r\nab", False),
    ):
        release = asyncio.Event()

        async def resets(
            _head: bytes,
            _reader: Any,
            writer: Any,
            data: bytes = data,
            release: asyncio.Event = release,
        ) -> None:
            writer.write(data)
            await release.wait()
            reset(writer)

        world.old.answer = resets
        async with connected(world) as (reader, writer):
            writer.write(b"POST /other HTTP/1.1\r\nHost: a\r\n\r\n")
            if told:
                release.set()
                answer = await reader.readuntil(b"\r\n\r\n")
                if answer.startswith(b"HTTP/1.1 103 "):
                    answer = await reader.readuntil(b"\r\n\r\n")
                assert answer.startswith(b"HTTP/1.1 502 "), name
                continue
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(head), name
            release.set()
            with pytest.raises(ConnectionResetError):
                await reader.read()


async def answer_before_the_upload_ends(world: Any) -> None:
    async def answers(_head: bytes, reader: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
        await writer.drain()
        await reader.read()

    world.old.answer = answers
    async with connected(world) as (reader, writer):
        writer.write(UPLOAD)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"\r\nConnection: close\r\n" in answer
        assert answer.endswith(b"\r\n\r\nno")
        writer.write(b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
        await writer.drain()
    assert len(world.old.seen) == 1


async def bad_chunk_amid_the_answer(world: Any) -> None:
    """A refusal would be read as a part of the answer: the connection is cut instead."""

    async def answers(_head: bytes, reader: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nab")
        await writer.drain()
        with contextlib.suppress(OSError):
            await reader.read()

    world.old.answer = answers
    async with connected(world) as (reader, writer):
        writer.write(UPLOAD)
        await reader.readuntil(b"\r\n\r\nab")
        writer.write(b"nonsense\r\n")
        with pytest.raises(ConnectionResetError):
            await reader.read()


def test_the_end_of_a_tunnel_is_not_a_failure(
    endpoint: Callable[[str], Endpoint], outbox: Outbox
) -> None:
    """Both ends have said all: what is still on its way to the client is not cut."""
    listener = Mock(on_tunnel=Mock(return_value=None), on_tunnel_eof=Mock(return_value=False))
    connection = UpstreamConnection(endpoint("http://127.0.0.1:1"), outbox)
    connection.connection_made(Mock(is_closing=lambda: False))
    connection.start(listener, b"GET", WEBSOCKET)
    connection.data_received(SWITCHES)
    assert not connection.eof_received()
    connection.connection_lost(None)
    listener.on_broken.assert_not_called()


PEERS: list[Callable[[Any], Awaitable[None]]] = [
    curl_asks,
    curl_asks_in_odd_ways,
    h11_asks,
    websockets_asks,
    client_ends_its_half,
    client_ends_its_half_of_a_tunnel,
    client_leaves_amid_its_body,
    service_resets,
    answer_before_the_upload_ends,
    bad_chunk_amid_the_answer,
]
