"""One stream: slow readers get a fresh start instead of a backlog, dead ones are let go."""

import time

import pytest

from fake_transport import FakeTransport
from flags.streams import connection as module
from flags.streams.channel import Channel
from flags.streams.connection import STALLED, Connection
from flags.wire.encoding import LAST_CHUNK


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def transport() -> FakeTransport:
    return FakeTransport()


@pytest.fixture
def channel() -> Channel:
    return Channel()


@pytest.fixture
def stream(clock: Clock, transport: FakeTransport, channel: Channel) -> Connection:
    """Started; each fresh start is another number."""
    numbers = iter(range(1, 100))
    connection = Connection(channel, lambda: b"<state %d>" % next(numbers), "python/9.18")
    channel.join(connection)
    connection.start(transport, b"<head>")
    return connection


def is_behind(stream: Connection) -> bool:
    return stream.stale is not None


def test_it_begins_with_the_head_and_everything(
    stream: Connection, transport: FakeTransport, clock: Clock
) -> None:
    assert (transport.take(), transport.writes) == (b"<head><state 1>", 1)
    assert (stream.opened, stream.stale, stream.agent) == (clock.now, None, "python/9.18")


def test_messages_are_written_at_once(stream: Connection, transport: FakeTransport) -> None:
    transport.take()
    stream.send(b"<1>")
    stream.beat(b"<beat>")
    assert transport.take() == b"<1><beat>"


def test_nothing_is_sent_before_the_start(channel: Channel, transport: FakeTransport) -> None:
    connection = Connection(channel, lambda: b"<state>", "")
    connection.send(b"<1>")
    connection.beat(b"<beat>")
    connection.close()
    connection.start(transport, b"<head>")
    assert transport.take() == b"<head><state>"


def test_a_slow_reader_gets_one_fresh_start_instead_of_a_backlog(
    stream: Connection, transport: FakeTransport, clock: Clock
) -> None:
    transport.take()
    transport.pause()
    assert not is_behind(stream)
    clock.now += 5
    for _ in range(1000):
        stream.send(b"<change>")
        stream.beat(b"<beat>")
    assert transport.take() == b""
    assert stream.stale == clock.now
    clock.now += 5
    stream.send(b"<change>")
    assert stream.stale == clock.now - 5  # since the first change that it lacks
    transport.resume()
    assert transport.take() == b"<state 2>"
    assert not is_behind(stream)
    stream.send(b"<next>")
    assert transport.take() == b"<next>"


def test_a_reader_that_was_slow_for_nothing_gets_nothing(
    stream: Connection, transport: FakeTransport
) -> None:
    transport.take()
    transport.pause()
    transport.resume()
    assert transport.take() == b""


def test_pauses_within_a_fresh_start_are_pauses(
    stream: Connection, transport: FakeTransport
) -> None:
    """A state that is larger than the buffer pauses the writer at once."""
    transport.pause()
    stream.send(b"<1>")
    transport.resume()
    transport.pause()
    stream.send(b"<2>")
    transport.take()
    transport.resume()
    assert transport.take() == b"<state 3>"


@pytest.mark.parametrize(
    ("seconds", "is_aborted"),
    [pytest.param(STALLED - 1, False, id="slow"), pytest.param(STALLED + 1, True, id="dead")],
)
def test_a_reader_that_takes_nothing_for_long_is_let_go(
    stream: Connection,
    transport: FakeTransport,
    channel: Channel,
    clock: Clock,
    seconds: float,
    is_aborted: bool,
) -> None:
    transport.pause()
    clock.now += seconds
    stream.beat(b"<beat>")
    assert transport.aborted is is_aborted
    assert (stream in channel.connections) is not is_aborted


def test_time_counts_from_the_last_pause(
    stream: Connection, transport: FakeTransport, clock: Clock
) -> None:
    transport.pause()
    clock.now += STALLED
    transport.resume()
    transport.pause()
    clock.now += STALLED
    stream.beat(b"<beat>")
    assert not transport.aborted


def test_close(stream: Connection, transport: FakeTransport, channel: Channel) -> None:
    transport.take()
    stream.close()
    assert (transport.take(), transport.closed) == (LAST_CHUNK, True)
    assert not channel.connections
    stream.close()
    stream.send(b"<1>")
    stream.beat(b"<beat>")
    assert transport.take() == b""


def test_a_stalled_reader_is_not_waited_for(stream: Connection, transport: FakeTransport) -> None:
    transport.take()
    transport.pause()
    stream.close()
    assert (transport.take(), transport.aborted) == (b"", True)


def test_a_lost_connection_leaves(
    stream: Connection, transport: FakeTransport, channel: Channel
) -> None:
    transport.pause()
    stream.send(b"<1>")
    transport.lose()
    assert not channel.connections
    transport.take()
    stream.resume_writing()
    stream.send(b"<2>")
    assert transport.take() == b""


def test_what_a_client_says_is_not_kept(stream: Connection, transport: FakeTransport) -> None:
    transport.take()
    stream.data_received(b"GET / HTTP/1.1\r\n\r\n")
    assert transport.take() == b""


def test_the_clock_is_that_of_the_machine(channel: Channel) -> None:
    before = time.monotonic()
    assert before <= Connection(channel, lambda: b"", "").opened <= time.monotonic()
