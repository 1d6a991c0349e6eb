"""Each time-out of the document: what peers see of it, and what does not set it off."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

import routing.proxy
from proxy_in_process import PATIENCE, Peer, ProxyWorld, play
from routing.stages import Side, Stage
from routing.stats import Cell
from socketless_proxy import CONFIG, SocketlessProxy, asked, says, socketless_proxy

Make = Callable[[], SocketlessProxy]
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
HEADER, IDLE, STALL = 10.0, 20.0, 5.0
"""Seconds of a clock that only the test moves."""
GET = b"GET /articles/1 HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /articles/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
LATE = b"HTTP/1.1 408 "
OTHERS = dict.fromkeys(("header", "idle", "stall", "response"), 1000.0)
"""As good as none."""


@pytest.fixture(scope="module")
def make() -> Iterator[Make]:
    timeouts = {"header": HEADER, "idle": IDLE, "stall": STALL, "response": 1000.0}
    document = {**CONFIG.model_dump(mode="json"), "timeouts": timeouts}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routing.proxy, "TICK_SECONDS", 1000.0)
        with socketless_proxy(type(CONFIG).model_validate(document)) as one:
            yield one


def test_a_head_has_one_deadline_however_it_comes(make: Make) -> None:
    proxy = make()
    client = proxy.client()
    for at in range(0, 27, 3):
        says(proxy, client, GET[at : at + 3])
        proxy.pass_time(HEADER / 10)
    assert not client.written
    says(proxy, client, GET[27:30])
    proxy.pass_time(HEADER / 5)
    assert client.written.startswith(LATE)
    assert client.half_closed


def test_a_body_is_waited_for_while_it_comes(make: Make) -> None:
    proxy = make()
    client, origin = asked(proxy, POST)
    for _ in range(8):
        says(proxy, client, b"x")
        proxy.pass_time(STALL * 0.9)
    assert not client.written
    proxy.pass_time(STALL * 0.2)
    assert client.written.startswith(LATE)
    assert client.half_closed
    assert origin.end == "cut", "what it has must not look like the whole body"


def test_a_connection_is_not_idle_while_an_answer_is_awaited(make: Make) -> None:
    proxy = make()
    client, origin = asked(proxy, GET)
    proxy.pass_time(IDLE * 3)
    says(proxy, origin, OK)
    proxy.pass_time(IDLE * 0.9)
    says(proxy, client, GET)
    says(proxy, origin, OK)
    proxy.pass_time(IDLE * 0.9)
    assert (client.end, client.written.count(b"HTTP/1.1 200 ")) == ("", 2)
    before = client.written
    proxy.pass_time(IDLE * 0.2)
    assert client.end == "closed"
    assert client.written == before


def test_a_client_that_never_asks_is_let_go(make: Make) -> None:
    proxy = make()
    client = proxy.client()
    proxy.pass_time(IDLE * 0.9)
    assert not client.end
    proxy.pass_time(IDLE * 0.2)
    assert (client.end, client.written) == ("closed", b"")


def test_an_answer_is_waited_for_while_it_comes(make: Make) -> None:
    proxy = make()
    client, origin = asked(proxy, GET)
    says(proxy, origin, HALF)
    for _ in range(4):
        proxy.pass_time(STALL * 0.9)
        says(proxy, origin, b"x")
    assert not client.end
    proxy.pass_time(STALL * 1.1)
    assert (client.end, origin.end) == ("cut", "cut")


EVENTS = b"HTTP/1.1 200 OK\r\n%b\r\n\r\ndata: 1\n\n"


@pytest.mark.parametrize(
    ("field", "end"),
    [
        (b"Content-Type: text/event-stream", ""),
        (b"content-type:TEXT/Event-Stream ; charset=utf-8", ""),
        (b"Transfer-Encoding: chunked\r\nContent-Type: text/event-stream;x=y", ""),
        (b"Content-Type: text/event-streams", "cut"),
        (b"Content-Type: text/html; x=text/event-stream", "cut"),
        (b"X-Content-Type: text/event-stream", "cut"),
        (b"Content-Length: 90", "cut"),
    ],
)
def test_a_stream_of_events_may_be_silent(make: Make, field: bytes, end: str) -> None:
    proxy = make()
    client, origin = asked(proxy, GET)
    event = b"9\r\ndata: 2\n\n\r\n" if b"chunked" in field else b"data: 2\n\n"
    says(proxy, origin, EVENTS.replace(b"data: 1\n\n", event) % field)
    proxy.pass_time(STALL * 2)
    assert client.end == origin.end == end
    if not end:
        proxy.pass_time(STALL * 100)
        says(proxy, origin, event)
        assert client.written.endswith(event * 2)
        proxy.pass_time(STALL * 2)
        proxy.pass_time(STALL * 2)
        assert not client.end


def test_both_ends_of_a_silent_stream_are_probed(make: Make) -> None:
    """Nothing else would find out that a peer without an orderly end is gone."""
    proxy = make()
    client, origin = asked(proxy, GET)
    with socket.socket() as one, socket.socket() as two:
        client.socket, origin.socket = one, two
        says(proxy, origin, EVENTS % b"Content-Type: text/event-stream")
        proxy.pass_time(STALL * 2)
        for each in (one, two):
            assert each.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        client.socket = origin.socket = None


def test_who_does_not_take_events_is_cut(make: Make) -> None:
    proxy = make()
    client, origin = asked(proxy, GET)
    says(proxy, origin, EVENTS % b"Content-Type: text/event-stream")
    proxy.pass_time(STALL * 2)
    client.narrow = True
    says(proxy, origin, b"data: 2\n\n")
    proxy.pass_time(STALL * 2)
    assert (client.end, origin.end) == ("cut", "cut")


# What peers see on real sockets, with one time-out that is short.


@contextlib.asynccontextmanager
async def connected(world: ProxyWorld) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    try:
        async with asyncio.timeout(PATIENCE):
            yield reader, writer
    finally:
        writer.close()


async def amid(_: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Stalls in the middle of its answer."""
    writer.write(HALF)
    await reader.read()


def cell(world: ProxyWorld) -> Cell:
    return world.proxy.stats.cell(("publishing", Stage.LIVE, Side.NEW))


async def half_a_head(world: ProxyWorld) -> None:
    """One byte after another, without an end."""
    async with connected(world) as (reader, writer):
        told = asyncio.create_task(reader.read())
        writer.write(GET[:-2] + b"X: ")
        while not told.done():
            writer.write(b"x")
            await asyncio.sleep(0.01)
        assert (await told).startswith(LATE)
    assert not world.one.seen


async def half_a_body(world: ProxyWorld) -> None:
    async with connected(world) as (reader, writer):
        writer.write(POST + b"abc")
        assert (await reader.read()).startswith(LATE)
    await world.until(lambda: not world.one.open)
    assert not world.one.seen, "the request has not become a whole one"


async def nothing_more(world: ProxyWorld) -> None:
    """From the next answer on, for until then nobody knows how slow this machine is."""
    async with connected(world) as (reader, writer):
        for timeouts in (OTHERS, {**OTHERS, "idle": 0.2}):
            world.apply(world.one, timeouts=timeouts)
            writer.write(GET)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            assert await reader.readexactly(3) == b"one"
        assert await reader.read() == b""


async def half_an_answer(world: ProxyWorld) -> None:
    """It is visibly not whole, and it is the service's error."""
    world.one.answer = amid
    async with connected(world) as (reader, writer):
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\nhalf")
        with pytest.raises(ConnectionResetError):
            await reader.read()
    assert (cell(world).requests, cell(world).errors) == (1, 1)
    assert (world.service["asked"], world.service["failed"]) == (1, 1)
    assert world.endpoint(world.one)["failures"] == 1


@pytest.mark.parametrize(
    ("scene", "changes"),
    [
        pytest.param(half_a_head, {"header": 0.2}, id="header"),
        pytest.param(half_a_body, {"stall": 0.2}, id="stall-of-a-request"),
        pytest.param(nothing_more, {}, id="idle"),
        pytest.param(half_an_answer, {"stall": 0.2}, id="stall-of-an-answer"),
    ],
)
def test_time_is_over(
    scene: Callable[[ProxyWorld], Awaitable[None]],
    changes: dict[str, float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timeouts = {**OTHERS, **changes}
    play(scene, lambda world: world.config(world.one, timeouts=timeouts), monkeypatch)


@contextlib.contextmanager
def deaf() -> Iterator[str]:
    """The URL of who listens but takes no more connections: whoever asks for one waits."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(2):
            waits = stack.enter_context(socket.socket())
            waits.setblocking(False)
            waits.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


async def nobody_accepts(world: ProxyWorld) -> None:
    """Nothing has reached the service, so the monolith does what was asked of it."""
    assert await world.ask() == (200, "old")
    assert await world.ask("POST") == (200, "old")
    assert cell(world).fallbacks == 2


async def nobody_accepts_at_the_monolith(world: ProxyWorld) -> None:
    status, _ = await world.ask("POST", "/other")
    assert status == 503


@pytest.mark.parametrize(
    ("scene", "options"),
    [
        pytest.param(nobody_accepts, lambda url: {"endpoints": [url]}, id="service"),
        pytest.param(nobody_accepts_at_the_monolith, lambda url: {"monolith": url}, id="monolith"),
    ],
)
def test_a_connection_that_nobody_accepts(
    scene: Callable[[ProxyWorld], Awaitable[None]],
    options: Callable[[str], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timeouts = {**OTHERS, "connect": 0.4, "retry": 0.1}
    with deaf() as url:
        play(
            scene,
            lambda world: world.config(world.one, timeouts=timeouts, **options(url)),
            monkeypatch,
        )
