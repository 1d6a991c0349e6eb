"""Streams: a put, then changes, heartbeats, slow readers, the end."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from flags.hub import HEARTBEAT, MAX_BACKLOG, Hub
from flags.model import Flag
from flags.store import Change

LONG = 60.0
"""A heartbeat interval that never ends within a test."""


def change(flag: Flag, version: int) -> Change:
    flag = flag.changed(version=version)
    return Change(key=flag.key, version=version, flag=flag)


def events(raw: bytes) -> list[tuple[str, Any]]:
    """Name and data of every event in `raw`."""
    found = []
    for block in raw.decode().removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


async def following(stream: AsyncIterator[bytes]) -> bytes:
    async with asyncio.timeout(20):
        return await anext(stream)


async def ended(stream: AsyncIterator[bytes]) -> bool:
    async with asyncio.timeout(20):
        return [message async for message in stream] == []


def test_put_then_changes(boolean: Flag, staged: Flag) -> None:
    async def scenario() -> None:
        hub = Hub([boolean])
        stream = hub.subscribe(LONG)
        ((name, data),) = events(await following(stream))
        assert (name, list(data["data"]["flags"])) == ("put", [boolean.key])
        waiting = asyncio.ensure_future(following(stream))
        hub.publish(change(staged, 2))
        ((name, data),) = events(await waiting)
        assert (name, data["path"], data["data"]["version"]) == ("patch", "/flags/publishing", 2)
        hub.publish(change(boolean, 5))
        hub.publish(Change(key=staged.key, version=3, flag=None))
        (_, first), (name, second) = events(await following(stream))
        assert first["data"]["version"] == 5
        assert (name, second) == ("delete", {"path": "/flags/publishing", "version": 3})
        (_, put), *_ = events(await following(hub.subscribe(LONG)))
        assert {k: f["version"] for k, f in put["data"]["flags"].items()} == {boolean.key: 5}

    asyncio.run(scenario())


def test_nothing_is_lost_between_connecting_and_the_first_event(boolean: Flag) -> None:
    async def scenario() -> None:
        hub = Hub([boolean])
        stream = hub.subscribe(LONG)
        hub.publish(change(boolean, 2))
        ((_, data),) = events(await following(stream))
        assert data["data"]["flags"][boolean.key]["version"] == 2

    asyncio.run(scenario())


def test_a_slow_reader_gets_one_put_instead_of_a_long_backlog(boolean: Flag) -> None:
    async def scenario() -> None:
        hub = Hub([boolean])
        stream = hub.subscribe(LONG)
        await following(stream)
        for version in range(2, MAX_BACKLOG + 2):
            hub.publish(change(boolean, version))
        assert len(events(await following(stream))) == MAX_BACKLOG
        for version in range(100, 100 + 3 * MAX_BACKLOG):
            hub.publish(change(boolean, version))
        ((name, data),) = events(await following(stream))
        assert name == "put"
        assert data["data"]["flags"][boolean.key]["version"] == 99 + 3 * MAX_BACKLOG
        hub.publish(change(boolean, 1000))
        assert events(await following(stream))[0][0] == "patch"

    asyncio.run(scenario())


def test_heartbeat(boolean: Flag) -> None:
    async def scenario() -> None:
        hub = Hub([])
        for stream in (hub.subscribe(0.001), hub.watch(0.001)):
            while (message := await following(stream)) != HEARTBEAT:
                assert message.startswith(b"event: put")

    asyncio.run(scenario())


def test_connections_are_counted_while_they_are_read(boolean: Flag) -> None:
    async def scenario() -> None:
        hub = Hub([boolean])
        never_read = hub.subscribe(LONG)
        streams = [hub.subscribe(LONG) for _ in range(3)]
        assert hub.connections == 0
        for stream in streams:
            await following(stream)
        assert hub.connections == 3
        waiting = asyncio.ensure_future(following(streams[0]))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert hub.connections == 2
        hub.close()
        assert [await ended(stream) for stream in (*streams[1:], never_read)] == [True] * 3
        assert hub.connections == 0

    asyncio.run(scenario())


def test_close_wakes_a_waiting_stream() -> None:
    async def scenario() -> None:
        hub = Hub([])
        stream, watch = hub.subscribe(LONG), hub.watch(LONG)
        await following(stream)
        waiting = [asyncio.ensure_future(ended(s)) for s in (stream, watch)]
        await asyncio.sleep(0)
        hub.close()
        assert await asyncio.gather(*waiting) == [True, True]

    asyncio.run(scenario())


def test_watch_tells_each_changed_key_once(boolean: Flag, staged: Flag) -> None:
    async def scenario() -> None:
        hub = Hub([boolean])
        watch = hub.watch(LONG)
        waiting = asyncio.ensure_future(following(watch))
        await asyncio.sleep(0)
        hub.publish(change(boolean, 2))
        hub.publish(change(staged, 2))
        hub.publish(change(boolean, 3))
        assert await waiting == b'data: "articles-service"\n\ndata: "publishing"\n\n'
        hub.publish(change(staged, 3))  # nobody is waiting now: it must not be forgotten
        assert await following(watch) == b'data: "publishing"\n\n'

    asyncio.run(scenario())


def test_poll_tag_changes_with_the_content(boolean: Flag) -> None:
    async def scenario() -> None:
        hub = Hub([boolean])
        body, tag = hub.poll()
        assert (body, tag) == hub.poll() == Hub([boolean]).poll()
        assert list(json.loads(body)["flags"]) == [boolean.key]
        hub.publish(change(boolean, 2))
        assert hub.poll()[1] != tag

    asyncio.run(scenario())
