"""Writes for both sides that cannot be kept, or not yet: who gets what, without sockets."""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from tempfile import TemporaryFile
from time import monotonic, sleep
from typing import IO, Any

import pytest

from routing.config import ProxyConfig, Timeouts
from routing.journal import Journal, State
from routing.spool import BACKLOG
from routing.stages import Stage
from socketless_proxy import CONFIG, SocketlessProxy, Wire, socketless_proxy

PATIENCE = 30.0
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
POST = b"POST /a HTTP/1.1\r\nHost: a\r\n%b\r\n"
CHUNKED = POST % b"Transfer-Encoding: chunked\r\n"
Make = Callable[[], SocketlessProxy]


def sized(size: int) -> bytes:
    """Head of a write with a body of `size` bytes."""
    return POST % b"Content-Length: %d\r\n" % size


def chunk(size: int) -> bytes:
    return b"%x\r\n%b\r\n" % (size, b"x" * size)


def config(**second_writes: Any) -> ProxyConfig:
    document = {
        **CONFIG.model_dump(mode="json"),
        "services": {"s": "http://new"},
        "capabilities": {"c": {"flag": "c", "routes": [{"path": "/a", "service": "s"}]}},
        "second_writes": {"fsync": False, **second_writes},
    }
    return ProxyConfig.model_validate(document)


@pytest.fixture(scope="module")
def make() -> Iterator[Make]:
    """With room for 1500 bytes, 1000 of one body."""
    with socketless_proxy(config(body=1000, capture=1500), Stage.DUALWRITE) as one:
        yield one


@pytest.fixture(scope="module")
def make_roomy() -> Iterator[Make]:
    with socketless_proxy(config(), Stage.DUALWRITE) as one:
        yield one


def ask(proxy: SocketlessProxy, request: bytes) -> Wire:
    client = proxy.client()
    client.receive(request)
    proxy.settle()
    return client


def until(proxy: SocketlessProxy, done: Callable[[], bool]) -> None:
    """Give the threads of the journal and of the files the time they need."""
    deadline = monotonic() + PATIENCE
    while not done():
        assert monotonic() < deadline, "waited in vain"
        proxy.settle()
        sleep(0.001)


def answer(proxy: SocketlessProxy, client: Wire, origin: Wire) -> None:
    origin.receive(OK)
    until(proxy, lambda: client.written.endswith(b"ok"))


def journalled(proxy: SocketlessProxy) -> list[tuple[str, int]]:
    """State and length of what is in the journal."""
    with closing(Journal(proxy.folder)) as journal:
        return [(each["state"], each["size"]) for each in journal.entries(limit=100)]


def turned_away(proxy: SocketlessProxy) -> int:
    return sum(each["dropped"] for each in proxy.proxy.copying.stats.document())


def test_a_body_that_is_too_long_is_refused_before_anybody_is_asked(make: Make) -> None:
    proxy = make()
    client = ask(proxy, sized(1001) + b"x")
    assert client.written.startswith(b"HTTP/1.1 413 ")
    assert b"longer than 1000 bytes" in client.written
    assert proxy.origins == []
    assert turned_away(proxy) == 1


def test_writes_that_find_no_room_are_refused_whole(make: Make) -> None:
    proxy = make()
    writers = [ask(proxy, sized(700) + b"x" * 700) for _ in range(3)]
    assert [bool(client.written) for client in writers] == [False, False, True]
    assert writers[2].written.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 1\r\n" in writers[2].written
    assert len(proxy.origins) == 2
    for client, origin in zip(writers, proxy.origins, strict=False):
        answer(proxy, client, origin)
    again = ask(proxy, sized(700) + b"x" * 700)
    answer(proxy, again, proxy.origins[-1])
    assert journalled(proxy) == [(State.PENDING, 700)] * 3


@pytest.mark.parametrize(
    ("others", "size", "status"),
    [
        pytest.param(0, 501, b"413", id="too-long"),
        pytest.param(2, 251, b"503", id="no-room"),
    ],
)
def test_chunks_are_called_off_before_the_last_one(
    make: Make, others: int, size: int, status: bytes
) -> None:
    proxy = make()
    for _ in range(others):
        ask(proxy, sized(500))
    client = ask(proxy, CHUNKED)
    origin = proxy.origins[-1]
    for piece in (chunk(size), chunk(size) + b"0\r\n\r\n" + CHUNKED):
        client.receive(piece)
        proxy.settle()
    assert client.written.startswith(b"HTTP/1.1 %b " % status)
    assert origin.end == "cut"
    assert origin.written.count(b"0\r\n\r\n") == 0
    assert len(proxy.origins) == others + 1, "what comes after it is not trusted"
    client.receive_end()
    proxy.settle()
    assert journalled(proxy) == []


def test_what_is_given_up_makes_room(make: Make) -> None:
    proxy = make()
    refused = ask(proxy, sized(1000) + b"x" * 1000)
    proxy.origins[-1].receive(b"HTTP/1.1 422 No\r\nContent-Length: 0\r\n\r\n")
    proxy.settle()
    assert refused.written.startswith(b"HTTP/1.1 422 ")
    gone = ask(proxy, sized(1000) + b"x" * 10)
    gone.close()
    proxy.settle()
    client = ask(proxy, sized(1000) + b"x" * 1000)
    answer(proxy, client, proxy.origins[-1])
    assert journalled(proxy) == [(State.PENDING, 1000)]


def test_while_the_journal_takes_nothing_no_side_is_asked(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = make()
    monkeypatch.setattr("routing.journal_writer.MOST_UNWRITTEN", 0)
    client = ask(proxy, sized(0))
    assert client.written.startswith(b"HTTP/1.1 503 ")
    assert proxy.origins == []


class Disk:
    """Where files are made only once it `turns`."""

    def __init__(self) -> None:
        self.turns = threading.Event()
        self.broken = False
        self._file: IO[Any] | None = None

    @property
    def size(self) -> int:
        """Bytes in the file that was made last."""
        return 0 if self._file is None else os.fstat(self._file.fileno()).st_size

    def file(self, **options: Any) -> IO[Any]:
        assert self.turns.wait(PATIENCE)
        if self.broken:
            raise OSError("No space left on device")
        self._file = TemporaryFile(**options)  # noqa: SIM115 - closed by the spool
        return self._file


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    one = Disk()
    monkeypatch.setattr("routing.spool.TemporaryFile", one.file)
    yield one
    one.turns.set()


def send_until_paused(proxy: SocketlessProxy, client: Wire) -> int:
    """How many bytes."""
    sent = 0
    while client.is_reading():
        assert sent <= BACKLOG + 100_000
        client.receive(b"x" * 50_000)
        proxy.settle()
        sent += 50_000
    return sent


@pytest.mark.parametrize("last", ["disk", "origin"])
def test_a_client_waits_for_the_disk_and_for_the_origin(
    make_roomy: Make, disk: Disk, last: str
) -> None:
    """And goes on when neither holds it back."""
    proxy = make_roomy()
    client = ask(proxy, sized(1_000_000))
    origin = proxy.origins[-1]
    sent = send_until_paused(proxy, client)
    assert sent > BACKLOG
    origin.fill()
    if last == "disk":
        origin.drain()
        assert not client.is_reading()
        disk.turns.set()
        until(proxy, client.is_reading)
    else:
        disk.turns.set()
        until(proxy, lambda: disk.size == sent)
        proxy.settle()
        assert not client.is_reading()
        origin.drain()
        assert client.is_reading()
    client.receive(b"x" * (1_000_000 - sent))
    answer(proxy, client, origin)
    assert journalled(proxy) == [(State.PENDING, 1_000_000)]


@pytest.mark.parametrize("status", [b"200 OK", b"422 No"])
def test_an_answer_that_comes_before_the_body_is_over_lets_the_client_go_on(
    make_roomy: Make, disk: Disk, status: bytes
) -> None:
    """Nothing of the body is kept any more, so that nobody waits for the disk."""
    proxy = make_roomy()
    client = ask(proxy, sized(1_000_000))
    origin = proxy.origins[-1]
    sent = send_until_paused(proxy, client)
    origin.receive(b"HTTP/1.1 %b\r\nContent-Length: 2\r\n\r\no" % status)
    until(proxy, lambda: bool(client.written))
    assert client.is_reading()
    client.receive(b"x" * (1_000_000 - sent))
    origin.receive(b"k")
    proxy.settle()
    assert client.written.endswith(b"ok")
    assert origin.written.endswith(b"x" * 1_000_000)
    assert journalled(proxy) == ([(State.INCOMPLETE, 0)] if status == b"200 OK" else [])


def test_a_disk_that_takes_nothing_more_ends_the_write(make_roomy: Make, disk: Disk) -> None:
    proxy = make_roomy()
    client = ask(proxy, sized(1_000_000))
    send_until_paused(proxy, client)
    disk.broken = True
    disk.turns.set()
    until(proxy, lambda: bool(client.written))
    assert client.written.startswith(b"HTTP/1.1 503 ")
    assert proxy.origins[-1].end == "cut"
    assert turned_away(proxy) == 1


def test_a_disk_that_stands_still_is_not_the_origins_fault(make_roomy: Make, disk: Disk) -> None:
    proxy = make_roomy()
    client = ask(proxy, sized(1_000_000))
    send_until_paused(proxy, client)
    proxy.pass_time(Timeouts().stall + 1.0)
    assert client.written.startswith(b"HTTP/1.1 503 ")
    assert proxy.origins[-1].end == "cut"


def test_a_disk_that_refuses_the_end_of_a_body_loses_nothing(make_roomy: Make, disk: Disk) -> None:
    proxy = make_roomy()
    client = ask(proxy, sized(100_000) + b"x" * 100_000)
    disk.broken = True
    disk.turns.set()
    answer(proxy, client, proxy.origins[-1])
    assert journalled(proxy) == [(State.PENDING, 100_000)]


def test_a_disk_that_does_not_give_a_body_back_holds_up_no_other_write(
    make_roomy: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("routing.spool.os.pread", refuse)
    proxy = make_roomy()
    for size in (100_000, 3):
        client = ask(proxy, sized(size) + b"x" * size)
        answer(proxy, client, proxy.origins[-1])
    until(proxy, lambda: proxy.proxy.copying.stats.document()[0]["incomplete"] == 1)
    until(proxy, lambda: len(journalled(proxy)) == 2)
    assert journalled(proxy) == [(State.INCOMPLETE, 0), (State.PENDING, 3)]


@pytest.mark.parametrize("named", [b"Idempotency-Key", b"close, idempotency-key"])
def test_a_key_that_ends_at_the_proxy_is_replaced(make_roomy: Make, named: bytes) -> None:
    """By one that both sides get."""
    proxy = make_roomy()
    client = ask(proxy, POST % b'Connection: %b\r\nIdempotency-Key: "mine"\r\n' % named)
    origin = proxy.origins[-1]
    assert b"mine" not in origin.written
    (line,) = [each for each in origin.written.split(b"\r\n") if b"Idempotency-Key" in each]
    answer(proxy, client, origin)
    with closing(Journal(proxy.folder)) as journal:
        (entry,) = journal.entries(limit=10)
        assert line in journal.contents([entry["id"]])[entry["id"]].head
    assert line == f"Idempotency-Key: {entry['idempotency_key']}".encode()


def test_clients_that_send_nothing_keep_nobody_from_writing(make: Make) -> None:
    proxy = make()
    silent = [ask(proxy, sized(700) + b"x") for _ in range(2)]
    assert ask(proxy, sized(700) + b"x" * 700).written.startswith(b"HTTP/1.1 503 ")
    spool = proxy.proxy.copying._second.spool
    clock = spool.clock
    spool.clock = lambda: clock() + 6.0
    try:
        writer = ask(proxy, sized(700) + b"x" * 700)
    finally:
        spool.clock = clock
    assert silent[0].written.startswith(b"HTTP/1.1 503 ")
    assert silent[1].written == b"", "the room of one is enough"
    answer(proxy, writer, proxy.origins[-1])
    assert journalled(proxy) == [(State.PENDING, 700)]
