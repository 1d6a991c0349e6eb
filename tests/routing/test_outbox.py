"""Held writes: order, one write for a pass, and nothing lost at an end."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.outbox import DIRECT, BatchedProtocol, Outbox

LARGE = bytes(DIRECT + 1)


class Transport(asyncio.Transport):
    """Remembers what was done to it, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[bytes | str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.done.append(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.done.append(b"".join(list_of_data))

    def write_eof(self) -> None:
        self.done.append("eof")

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.done.append("close")

    def is_closing(self) -> bool:
        return "close" in self.done

    @property
    def sent(self) -> bytes:
        return b"".join(part for part in self.done if isinstance(part, bytes))


def connection(outbox: Outbox) -> tuple[BatchedProtocol, Transport]:
    made, transport = BatchedProtocol(outbox), Transport()
    made.connection_made(transport)
    return made, transport


async def one_write_for_each_connection(outbox: Outbox) -> None:
    (one, first), (two, second) = connection(outbox), connection(outbox)
    one.write(b"a")
    two.write(b"b")
    one.write(b"c")
    assert not first.done
    await asyncio.sleep(0)
    assert (first.done, second.done) == ([b"ac"], [b"b"])
    one.write(b"d")
    await asyncio.sleep(0)
    assert first.done == [b"ac", b"d"]


async def large_at_once_and_in_order(outbox: Outbox) -> None:
    one, transport = connection(outbox)
    one.write(b"a")
    one.write(LARGE)
    assert transport.done == [b"a" + LARGE]
    await asyncio.sleep(0)
    assert transport.done == [b"a" + LARGE]


async def sent_before_the_close(outbox: Outbox) -> None:
    one, transport = connection(outbox)
    one.write(b"a")
    one.close()
    await asyncio.sleep(0)
    assert transport.done == [b"a", "close"]


async def sent_before_the_end_of_the_stream(outbox: Outbox) -> None:
    one, transport = connection(outbox)
    one.write(b"a")
    one.write_eof()
    await asyncio.sleep(0)
    assert transport.done == [b"a", "eof"]


async def nothing_to_a_closed_one(outbox: Outbox) -> None:
    one, transport = connection(outbox)
    one.write(b"a")
    transport.close()
    one.write(LARGE)
    one.write_eof()
    await asyncio.sleep(0)
    assert transport.done == ["close"]


CASES = (
    one_write_for_each_connection,
    large_at_once_and_in_order,
    sent_before_the_close,
    sent_before_the_end_of_the_stream,
    nothing_to_a_closed_one,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_outbox(case: Callable[[Outbox], Awaitable[None]]) -> None:
    async def run() -> None:
        await case(Outbox(asyncio.get_running_loop()))

    asyncio.run(run())


@given(st.lists(st.one_of(st.binary(max_size=8), st.just(LARGE), st.none()), max_size=12))
def test_bytes_keep_their_order(steps: list[bytes | None]) -> None:
    async def run() -> tuple[bytes, bytes]:
        one, transport = connection(Outbox(asyncio.get_running_loop()))
        for step in steps:
            if step is None:
                await asyncio.sleep(0)
            else:
                one.write(step)
        await asyncio.sleep(0)
        return transport.sent, b"".join(step for step in steps if step is not None)

    sent, expected = asyncio.run(run())
    assert sent == expected
