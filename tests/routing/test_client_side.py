"""One client connection in the moments that a network seldom shows, without sockets."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from proxy_in_process import NO_TRUST
from routing.config import ProxyConfig
from routing.stages import Side, Stage
from routing.stats import Cell
from socketless_proxy import CONFIG, PEER, SocketlessProxy, asked, says, socketless_proxy

Make = Callable[[], SocketlessProxy]
LARGE = b"x" * 100_000
"""More than waits for an origin before its client is paused."""
GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
WEBSOCKET = b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCHES = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ANSWER = b"HTTP/1.1 "


def config(**changes: Any) -> ProxyConfig:
    """One service, and what a test changes."""
    route = {"path": "/a", "service": "s", **changes.pop("route", {})}
    document = {
        **CONFIG.model_dump(mode="json"),
        "services": {"s": "http://new"},
        "capabilities": {"c": {"flag": "c", "routes": [route]}},
        "timeouts": {"retry": 0.001},
        "second_writes": {"enabled": False},
        "mirroring": {"enabled": False},
        **changes,
    }
    return ProxyConfig.model_validate(document)


@pytest.fixture(scope="module")
def make() -> Iterator[Make]:
    """Requests go to the monolith."""
    with socketless_proxy(config()) as one:
        yield one


@pytest.fixture(scope="module")
def make_complete() -> Iterator[Make]:
    """Requests go to the service; the monolith answers reads that it fails."""
    with socketless_proxy(config(), Stage.COMPLETE) as one:
        yield one


def cell(proxy: SocketlessProxy, stage: Stage, origin: Side) -> Cell:
    return proxy.proxy.stats.cell(("c", stage, origin))


def test_a_client_is_read_again_after_a_body_that_the_origin_was_slow_to_take(make: Make) -> None:
    proxy = make()
    client, origin = asked(proxy, POST % 4 + b"ab")
    origin.fill()
    assert not client.is_reading()
    origin.drain()
    assert client.is_reading()
    says(proxy, client, b"cd")
    origin.fill()
    says(proxy, origin, OK)
    assert client.written.endswith(b"ok")
    assert origin.end == "cut", "the next request would wait behind what it does not read"
    says(proxy, client, GET)
    says(proxy, proxy.origins[-1], OK)
    assert client.written.count(ANSWER + b"200 ") == 2


def test_a_client_is_read_again_after_a_body_that_nobody_took(make: Make) -> None:
    proxy = make()
    proxy.refuse()
    client = proxy.client()
    client.receive(POST % len(LARGE) + LARGE)
    while not client.written:
        proxy.settle()
    assert client.written.startswith(ANSWER + b"503 ")
    assert client.is_reading()


def test_an_origin_that_answers_early_is_not_written_to_for_ever(make: Make) -> None:
    proxy = make()
    client, origin = asked(proxy, POST % 1000 + b"ab")
    origin.fill()
    says(proxy, origin, OK)
    assert origin.end == "cut"
    assert client.half_closed, "the rest of the body is not wanted"


def test_pipelined_requests_wait_until_the_answer_before_them_is_taken(make: Make) -> None:
    proxy = make()
    client, origin = asked(proxy, GET)
    says(proxy, origin, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LARGE))
    says(proxy, client, GET)
    client.narrow = True
    says(proxy, origin, LARGE)
    assert origin.written.count(b"GET ") == 1
    client.drain()
    proxy.settle()
    assert origin.written.count(b"GET ") == 2
    says(proxy, origin, OK)
    assert client.written.count(ANSWER) == 2


def test_a_client_that_does_not_read_is_not_held_against_the_service(make_complete: Make) -> None:
    """It has asked again before it took its answer, so the service's next one is not read."""
    proxy = make_complete()
    client, service = asked(proxy, GET + GET)
    client.narrow = True
    says(proxy, service, OK)
    assert not service.is_reading()
    proxy.pass_time(1000)
    assert client.end == "cut"
    assert service.end == "cut"
    assert cell(proxy, Stage.COMPLETE, Side.NEW).errors == 0
    (endpoint,) = proxy.proxy.routing.groups["s"].endpoints
    assert endpoint.failures == 0


def test_answers_do_not_pile_up_for_a_client_that_does_not_read() -> None:
    redirect = {"redirect": {"location": "https://new.example/a"}}
    with socketless_proxy(config(route=redirect), Stage.COMPLETE) as make:
        proxy = make()
        client = proxy.client()
        client.narrow = True
        client.receive(GET * 100)
        for _ in range(10):
            proxy.settle()
        assert not client.is_reading()
        assert client.written.count(ANSWER) <= 2
        client.drain()
        for _ in range(100):
            proxy.settle()
        assert client.written.count(ANSWER) == 100
        assert client.is_reading()


@pytest.mark.parametrize("request_", [GET, LAST])
def test_a_client_that_does_not_take_its_answer_is_cut(make: Make, request_: bytes) -> None:
    proxy = make()
    client, origin = asked(proxy, request_)
    client.narrow = True
    says(proxy, origin, OK)
    for _ in range(3):
        proxy.pass_time(100)
    assert client.end == "cut"


def test_a_client_that_closes_after_half_a_request_behind_its_answer(make: Make) -> None:
    proxy = make()
    client, origin = asked(proxy, GET + GET[:10])
    client.narrow = True
    client.receive_end()
    says(proxy, origin, OK)
    client.drain()
    proxy.settle()
    assert client.end == "closed"


def test_pipelined_requests_are_answered_in_their_order_by_a_breaker_that_is_open() -> None:
    """And a thousand of them do not nest."""
    breaker = {"max_connections": 1, "max_pending_requests": 1}
    monolith = {"endpoints": ["http://old"], "circuit_breaker": breaker}
    with socketless_proxy(config(monolith=monolith)) as make:
        proxy = make()
        _, origin = asked(proxy, GET)  # has the only connection
        waits, _ = asked(proxy, GET)  # waits for it
        client = proxy.client()
        client.receive(b"HEAD" + GET[3:] + GET * 1000)
        while client.written.count(ANSWER) < 1001:
            before = len(client.written)
            proxy.settle()
            assert len(client.written) > before
        assert client.written.count(ANSWER + b"503 ") == 1001
        first, second = client.written.split(ANSWER)[1:3]
        assert first.endswith(b"\r\n\r\n")
        assert second.endswith(b"}\n")
        says(proxy, origin, OK)
        assert not waits.written
        says(proxy, origin, OK)
        assert waits.written.endswith(b"ok")


def test_a_body_that_comes_with_a_request_that_a_breaker_refuses() -> None:
    breaker = {"max_connections": 1, "max_pending_requests": 1}
    monolith = {"endpoints": ["http://old"], "circuit_breaker": breaker}
    with socketless_proxy(config(monolith=monolith)) as make:
        proxy = make()
        asked(proxy, GET)
        asked(proxy, GET)
        client = proxy.client()
        client.receive(POST % 2 + b"ab" + GET)
        for _ in range(3):
            proxy.settle()
        assert client.written.count(ANSWER + b"503 ") == 2
        assert not client.end


def test_one_request_is_one_error_at_most(make_complete: Make) -> None:
    """Also where a service fails and then breaks its answer off."""
    proxy = make_complete()
    client, service = asked(proxy, POST % 0)
    says(proxy, service, b"HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\nbro")
    service.receive_end()
    proxy.settle()
    assert client.end == "cut"
    counted = cell(proxy, Stage.COMPLETE, Side.NEW)
    assert (counted.requests, counted.errors) == (1, 1)
    (endpoint,) = proxy.proxy.routing.groups["s"].endpoints
    assert endpoint.failures == 1


def test_an_answer_that_breaks_off_is_an_error(make_complete: Make) -> None:
    proxy = make_complete()
    _, service = asked(proxy, GET)
    says(proxy, service, OK[:-1])
    service.receive_end()
    proxy.settle()
    counted = cell(proxy, Stage.COMPLETE, Side.NEW)
    assert (counted.requests, counted.errors) == (1, 1)


def test_what_a_route_calls_a_write_is_not_sent_twice() -> None:
    """Whatever its method says: the service may have acted on it."""
    with socketless_proxy(config(route={"access": "write"}), Stage.LIVE) as make:
        proxy = make()
        client, service = asked(proxy, GET)
        says(proxy, service, b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")
        assert client.written.startswith(ANSWER + b"500 ")
        assert len(proxy.origins) == 1


def test_the_end_of_a_client_that_came_before_its_tunnel_reaches_the_origin(make: Make) -> None:
    proxy = make()
    client, origin = asked(proxy, WEBSOCKET + b"hello")
    client.receive_end()
    says(proxy, origin, SWITCHES)
    assert origin.written.endswith(b"hello")
    assert origin.half_closed
    says(proxy, origin, b"bye")
    assert client.written.endswith(b"bye")
    origin.receive_end()
    proxy.settle()
    assert client.end


def test_half_a_tunnel_is_not_kept_for_ever(make: Make) -> None:
    proxy = make()
    client, origin = asked(proxy, WEBSOCKET)
    says(proxy, origin, SWITCHES)
    proxy.pass_time(1000)
    origin.receive_end()
    proxy.settle()
    assert client.half_closed
    for _ in range(3):
        proxy.pass_time(50)
        says(proxy, client, b"more")
    assert origin.written.endswith(b"more" * 3)
    proxy.pass_time(100)
    proxy.pass_time(100)
    assert client.end
    assert origin.end


def test_a_tunnel_that_nobody_asked_for(make_complete: Make) -> None:
    proxy = make_complete()
    client, service = asked(proxy, GET)
    says(proxy, service, SWITCHES)
    assert service.end == "cut"
    says(proxy, proxy.origins[-1], OK)
    assert client.written.endswith(b"ok"), "the monolith's"


def test_what_follows_a_last_request_does_not_reset_its_answer(make: Make) -> None:
    """A socket that is closed with unread bytes resets, and takes back what it has sent."""
    proxy = make()
    client, origin = asked(proxy, LAST + GET)
    says(proxy, origin, OK)
    assert client.half_closed
    assert not client.end
    says(proxy, client, GET)
    assert client.written.count(ANSWER) == 1
    proxy.pass_time(10)
    assert client.end


@pytest.mark.parametrize("date", [b"", b"Date: Mon", b"date: Mon", b"DATE: Mon", b"X-Date: Mon"])
def test_every_answer_has_one_date(make: Make, date: bytes) -> None:
    """RFC 9110, 6.6.1."""
    proxy = make()
    client, origin = asked(proxy, GET)
    says(proxy, origin, OK.replace(b"\r\n", b"\r\n" + date + b"\r\n" * bool(date), 1))
    head = client.written.partition(b"\r\n\r\n")[0].lower()
    assert head.count(b"\r\ndate: ") == 1
    assert head.count(b": mon\r\n") == bool(date)


@pytest.mark.parametrize(
    ("one", "other", "most"),
    [
        ("192.0.2.1", "192.0.2.2", 2),
        ("2001:db8::1", "2001:db8::2", 1),
        ("2001:db8::1", "2001:db8:0:1::1", 2),
        ("::ffff:192.0.2.1", "192.0.2.1", 1),
    ],
)
def test_connections_are_counted_for_each_client(one: str, other: str, most: int) -> None:
    with socketless_proxy(config(limits={"connections_per_client": 1})) as make:
        proxy = make()
        clients = [proxy.client(peer) for peer in (one, other, one)]
        proxy.settle()
        refused = [client.written.startswith(ANSWER + b"429 ") for client in clients]
        assert refused == [False, most == 1, True]
        clients[0].close()
        proxy.settle()
        client = proxy.client(one)
        proxy.settle()
        assert not client.written


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_nothing_is_chunked_for_a_client_of_http_1_0(make: Make, method: bytes) -> None:
    proxy = make()
    client, origin = asked(proxy, method + b" /a HTTP/1.0\r\n\r\n")
    body = b"" if method == b"HEAD" else b"2\r\nok\r\n0\r\n\r\n"
    says(proxy, origin, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    assert b"chunked" not in client.written
    assert client.end == "closed"


def test_a_new_configuration_holds_for_the_next_request_of_an_open_connection(make: Make) -> None:
    proxy = make()
    request = GET.replace(
        b"\r\n\r\n", b"\r\nX-Real-IP: 4711\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n"
    )
    client, origin = asked(proxy, request)
    says(proxy, origin, OK)
    assert b"4711" not in origin.written
    assert f"\r\nX-Forwarded-For: {PEER}\r\n".encode() in origin.written
    for changes, expected in (
        ({"trusted": [PEER]}, f"X-Forwarded-For: 198.51.100.7, {PEER}\r\n"),
        ({"forwarded": "rfc7239"}, f"Forwarded: for={PEER};proto=http;host=a\r\n"),
        ({}, f"X-Forwarded-For: {PEER}\r\n"),
    ):
        proxy.proxy.apply(config(**changes), NO_TRUST)
        origin.written = b""
        says(proxy, client, request)
        assert b"\r\n" + expected.encode() in origin.written
        assert (b"4711" in origin.written) is ("trusted" in changes)
        says(proxy, origin, OK)


@pytest.mark.parametrize(
    ("changes", "field", "secure"),
    [
        ({"trusted": [PEER]}, b"X-Forwarded-Proto: https", True),
        ({"trusted": [PEER]}, b"X-Forwarded-Proto: http", False),
        ({"trusted": [PEER]}, b"X-A: b", False),
        ({"trusted": [PEER], "forwarded": "rfc7239"}, b"Forwarded: for=_a;proto=https", True),
        ({}, b"X-Forwarded-Proto: https", False),
    ],
)
def test_an_id_for_a_client_with_tls_is_for_tls_only(
    make: Make, changes: dict[str, Any], field: bytes, secure: bool
) -> None:
    """Whoever ends it: the proxy, or a trusted peer in front of it."""
    proxy = make()
    proxy.proxy.apply(config(**changes), NO_TRUST)
    client, origin = asked(proxy, GET.replace(b"\r\n\r\n", b"\r\n" + field + b"\r\n\r\n"))
    says(proxy, origin, OK)
    assert b"\r\nSet-Cookie: migrator_id=" in client.written
    assert (b"; Secure\r\n" in client.written) is secure


def test_both_ends_of_a_tunnel_are_probed(make: Make) -> None:
    """Nothing else would find out that a peer without an orderly end is gone."""
    proxy = make()
    client, origin = asked(proxy, WEBSOCKET)
    with socket.socket() as one, socket.socket() as two:
        client.socket, origin.socket = one, two
        says(proxy, origin, SWITCHES)
        for each in (one, two):
            assert each.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert each.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
        client.socket = origin.socket = None
