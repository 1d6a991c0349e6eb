"""Everyone who hears the same: messages at once, signs of life in turns."""

import asyncio
import math
from collections.abc import Callable, Iterable

import pytest

from event_stream import unchunked
from fake_transport import FakeTransport
from flags.streams import channel as module
from flags.streams.channel import BEAT, HEARTBEAT, Channel, keep_alive
from flags.streams.connection import Connection
from flags.wire.encoding import LAST_CHUNK


def joined(channel: Channel, count: int) -> list[FakeTransport]:
    transports = []
    for _ in range(count):
        transport, connection = FakeTransport(), Connection(channel, lambda: b"", "")
        channel.join(connection)
        connection.start(transport, b"")
        transports.append(transport)
    return transports


def test_a_message_is_framed_once_for_all() -> None:
    channel = Channel()
    transports = joined(channel, 3)
    channel.send(b"event: patch\ndata: {}\n\n")
    for transport in transports:
        assert unchunked(transport.take()) == b"event: patch\ndata: {}\n\n"


def test_a_beat_is_a_comment_line() -> None:
    assert unchunked(BEAT) == b":\n\n"


def test_a_beat_is_well_below_what_sdks_wait_for() -> None:
    assert HEARTBEAT <= 300 / 2


@pytest.mark.parametrize(
    ("count", "share"),
    [
        pytest.param(1, 1 / HEARTBEAT, id="one"),
        pytest.param(7, 1 / HEARTBEAT, id="fewer-than-turns"),
        pytest.param(100, 1 / HEARTBEAT, id="many"),
        pytest.param(7, 1.0, id="all-at-once"),
    ],
)
def test_everyone_hears_a_beat_in_each_round(count: int, share: float) -> None:
    """And nobody hears a second one before everyone has heard the first."""
    channel = Channel()
    transports = joined(channel, count)
    turns = math.ceil(count / math.ceil(count * share))
    assert turns <= HEARTBEAT
    for round_number in (1, 2):
        for turn in range(turns):
            channel.beat(share)
            heard = sum(t.written.count(BEAT) for t in transports)
            assert heard == min(count, math.ceil(count * share) * (turn + 1)) + count * (
                round_number - 1
            )
        assert {t.written.count(BEAT) for t in transports} == {round_number}


def test_nobody_needs_a_beat() -> None:
    Channel().beat(1 / HEARTBEAT)


def test_who_has_left_hears_nothing() -> None:
    channel = Channel()
    gone, there = joined(channel, 2)
    channel.beat(0.5)
    for transport in (gone, there):
        transport.take()
    gone.lose()
    channel.beat(1.0)
    channel.beat(1.0)
    channel.send(b"x")
    assert gone.take() == b""
    assert there.take() != b""


def test_who_comes_within_a_round_is_in_the_next_one() -> None:
    channel = Channel()
    joined(channel, 2)
    channel.beat(0.5)
    (late,) = joined(channel, 1)
    for _ in range(3):
        channel.beat(0.5)
    assert BEAT in late.written


def test_close_ends_every_stream() -> None:
    channel = Channel()
    transports = joined(channel, 3)
    channel.close()
    assert [(t.written, t.closed) for t in transports] == [(LAST_CHUNK, True)] * 3
    assert not channel.connections


def test_keep_alive_beats_in_every_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is stepped by the test."""
    channels = [Channel(), Channel()]
    transports = [transport for channel in channels for transport in joined(channel, 1)]

    async def scenario() -> list[float]:
        waited: list[float] = []
        beaten = asyncio.Event()

        async def sleep(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == 3:
                beaten.set()
                await asyncio.Event().wait()

        monkeypatch.setattr(module, "asyncio", Stepped(sleep))
        task = asyncio.create_task(keep_alive(lambda: iterated(channels)))
        await asyncio.wait_for(beaten.wait(), 20)
        task.cancel()
        await asyncio.wait([task])
        return waited

    assert asyncio.run(scenario()) == [1, 1, 1]
    assert [t.written for t in transports] == [BEAT * 2] * 2


class Stepped:
    """`asyncio` with another `sleep`."""

    def __init__(self, sleep: Callable[[float], object]) -> None:
        self.sleep = sleep


def iterated(channels: Iterable[Channel]) -> Iterable[Channel]:
    yield from channels
