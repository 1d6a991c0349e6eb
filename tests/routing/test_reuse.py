"""Pooled connections to an origin, which may close one in the moment in which it is used."""

from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Iterator

import pytest

import routing.proxy
from proxy_in_process import PATIENCE, Peer, ProxyWorld, play, says
from routing.pool import FRESH_SECONDS, IDLE_SECONDS
from socketless_proxy import CONFIG, SocketlessProxy, Wire, socketless_proxy

Make = Callable[[], SocketlessProxy]
GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
GET_BODY = b"GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(scope="module")
def make() -> Iterator[Make]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routing.proxy, "TICK_SECONDS", 1000.0)  # only the tests move the clock
        with socketless_proxy(CONFIG) as one:
            yield one


def asked(proxy: SocketlessProxy, request: bytes) -> Wire:
    """The connection on which the origin has been asked and has answered."""
    client = proxy.client()
    client.receive(request)
    proxy.settle()
    (origin,) = (each for each in proxy.origins if each.written)
    origin.written = b""
    origin.receive(OK)
    proxy.settle()
    assert client.written.endswith(b"ok")
    return origin


@pytest.mark.parametrize("request_", [GET, POST, GET_BODY])
def test_what_was_used_just_now_is_used_again(make: Make, request_: bytes) -> None:
    proxy = make()
    first = asked(proxy, GET)
    proxy.pass_time(FRESH_SECONDS * 0.9)
    assert asked(proxy, request_) is first


@pytest.mark.parametrize("request_", [POST, GET_BODY])
def test_what_cannot_be_repeated_does_not_go_where_the_origin_may_close(
    make: Make, request_: bytes
) -> None:
    """Gunicorn does so after two seconds, and the clock is up to a tick behind."""
    proxy = make()
    first = asked(proxy, GET)
    proxy.pass_time(1.7)
    assert asked(proxy, request_) is not first
    assert first.end == "closed"


def test_what_can_be_repeated_does(make: Make) -> None:
    proxy = make()
    first = asked(proxy, GET)
    proxy.pass_time(IDLE_SECONDS * 0.9)
    assert asked(proxy, GET) is first
    proxy.pass_time(IDLE_SECONDS * 0.9)
    assert not first.end


def test_what_has_not_been_used_for_long_is_closed(make: Make) -> None:
    proxy = make()
    first = asked(proxy, GET)
    proxy.pass_time(IDLE_SECONDS * 1.1)
    assert first.end == "closed"


def test_what_the_origin_has_closed_is_not_used(make: Make) -> None:
    proxy = make()
    first = asked(proxy, GET)
    first.receive_end()
    proxy.settle()
    assert asked(proxy, POST) is not first


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(StreamWriter.close, id="orderly"),
        pytest.param(lambda writer: writer.transport.abort(), id="reset"),
    ],
)
def test_an_origin_that_closes_as_it_is_asked(
    end: Callable[[StreamWriter], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each connection takes one request, and ends at the next one without an answer."""
    used: set[StreamWriter] = set()

    async def answers_once(peer: Peer, reader: StreamReader, writer: StreamWriter) -> None:
        if writer in used:
            end(writer)
        else:
            used.add(writer)
            await says(200)(peer, reader, writer)

    async def scene(world: ProxyWorld) -> None:
        world.one.answer = answers_once
        assert await world.ask() == (200, "one")
        assert await world.ask() == (200, "one")
        assert len(world.one.seen) == 3, "the second one was repeated once"
        assert world.endpoint(world.one)["failures"] == 0
        status, _ = await world.ask("POST")
        assert status == 502
        assert len(world.one.seen) == 4, "a write was sent twice"
        assert not world.old.seen

    timeouts = {"response": PATIENCE}
    play(scene, lambda world: world.config(world.one, timeouts=timeouts), monkeypatch)
