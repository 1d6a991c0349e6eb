"""Listening sockets: kept where they fit, emptied before they are closed."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from routing import listeners
from routing.config import Address, ProxyConfig
from routing.errors import CannotStart
from routing.generation import FILE, next_generation
from routing.listeners import Listeners, close, fits, let_go, open_listeners, resolve, take_again


def config(workers: int, listen: int = 0, gateway: int = 0, host: str = "127.0.0.1") -> ProxyConfig:
    return ProxyConfig.model_validate(
        {
            "migration": "m",
            "listen": {"host": host, "port": listen},
            "gateway": {"port": gateway},
            "workers": workers,
            "monolith": "http://127.0.0.1:1",
        }
    )


@pytest.fixture
def two() -> Iterator[Listeners]:
    opened = open_listeners(config(2), Listeners())
    yield opened
    close(opened)


def ports(opened: Listeners) -> set[int]:
    return {each.getsockname()[1] for each in opened.edge}


def test_more_and_fewer(two: Listeners) -> None:
    more = open_listeners(config(3), two)
    assert (list(more.edge[:2]), list(more.gateway[:2])) == (two.edge, two.gateway)
    assert ports(more) == ports(two)
    assert more.edge[2].getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)
    assert two.without(more) == []
    fewer = open_listeners(config(1), more)
    assert more.without(fewer) == [*more.edge[1:], *more.gateway[1:]]
    close(more.without(two))


def test_another_port(two: Listeners, free_port: int) -> None:
    moved = open_listeners(config(2, listen=free_port), two)
    assert ports(moved) == {free_port}
    assert moved.gateway == two.gateway
    assert two.without(moved) == two.edge
    close(moved.without(two))


def test_nothing_stays_open_when_one_cannot_be(two: Listeners, free_port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=f"cannot listen on 127.0.0.1:{port}: Address alr"):
            open_listeners(config(3, listen=free_port, gateway=port), two)
    with socket.socket() as again:
        again.bind(("127.0.0.1", free_port))
    with pytest.raises(CannotStart, match=r"cannot listen on no\.such\.host\.invalid:0"):
        open_listeners(config(1, host="no.such.host.invalid"), two)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param("localhost", "127.0.0.1", id="name"),
        pytest.param("0.0.0.0", "0.0.0.0", id="all"),  # noqa: S104
        pytest.param("", "0.0.0.0", id="empty"),  # noqa: S104
        pytest.param("0:0:0::1", "::1", id="IPv6"),
    ],
)
def test_hosts_become_numbers(host: str, expected: str) -> None:
    _, place = resolve(Address(host=host, port=7))
    assert place == (expected, 7)


def test_port_0_is_any(two: Listeners) -> None:
    port = two.edge[0].getsockname()[1]
    for place, expected in (
        (("127.0.0.1", 0), True),
        (("127.0.0.1", port), True),
        (("127.0.0.1", port + 1), False),
        (("127.0.0.2", 0), False),
    ):
        assert fits(two.edge[0], place) is expected


def test_who_waits_is_accepted_and_who_comes_later_finds_the_others(
    two: Listeners, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listeners, "SETTLE", 0.0)
    place = two.edge[0].getsockname()
    clients: list[socket.socket] = []

    def knock() -> int:
        """How many of ten are connected at once: on loopback that happens within the call."""
        connected = 0
        for _ in range(10):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(place)
            clients.append(client)
            connected += client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\x01"
        return connected

    def accepted(listener: socket.socket) -> int:
        count = 0
        while True:
            try:
                listener.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1

    try:
        assert knock() == 10
        asyncio.run(let_go(two.edge))
        assert knock() == 0
        assert sum(map(accepted, two.edge)) == 10
        take_again(two)
        assert knock() == 10
    finally:
        for client in clients:
            client.close()


def test_generations(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert [next_generation(state) for _ in range(11)] == list(range(1, 12))
    assert (state / FILE).stat().st_mode & 0o777 == 0o600
    (state / FILE).write_text("damaged")
    assert next_generation(state) == 1
