"""What other threads may ask of the streams, and what dashboard pages hear."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import pytest

from fake_transport import FakeTransport
from flag_builders import PRODUCTION, a_boolean, a_segment, an_environment
from flags import live as module
from flags.errors import NotFound, Unavailable
from flags.evaluation.context import Context
from flags.live import Live
from flags.sdk.seen import Seen
from flags.store.changes import Change, Deleted
from flags.streams.hub import EnvironmentHub, Hub

LONG = 60.0
"""A heartbeat that never comes within a test."""
PATIENCE = 20.0
T = TypeVar("T")


class World:
    """A hub on the running loop, with `production`."""

    def __init__(self) -> None:
        self.hub = Hub("0a")
        self.seen = Seen()
        self.live = Live(self.hub, self.seen, asyncio.get_running_loop())
        self.publish(an_environment(), environment=PRODUCTION)

    def publish(self, item: Any, sequence: int = 1, environment: str | None = None) -> None:
        self.hub.publish(
            Change(sequence=sequence, project="cms", environment=environment, item=item)
        )

    def production(self) -> EnvironmentHub:
        found = self.hub.get("cms", PRODUCTION)
        assert found is not None
        return found


def running(scenario: Callable[[World], Awaitable[T]]) -> T:
    async def run() -> T:
        async with asyncio.timeout(PATIENCE):
            return await scenario(World())

    return asyncio.run(run())


async def heard(page: AsyncIterator[bytes]) -> Any:
    message = await anext(page)
    return json.loads(message.removeprefix(b"data: "))


def test_streams_from_another_thread() -> None:
    async def scenario(world: World) -> None:
        ask, live = asyncio.to_thread, world.live
        assert await ask(live.connections, "cms", PRODUCTION) == 0
        assert await ask(live.streams, "cms", PRODUCTION) == []
        for connection in (
            world.production().follow("python"),
            world.production().follow_pings(""),
        ):
            connection.start(FakeTransport(), b"")
        assert await ask(live.connections, "cms", PRODUCTION) == 2
        (first, _) = await ask(live.streams, "cms", PRODUCTION)
        assert (first["sdk"], first["kind"], first["behind_seconds"]) == ("python", "server", 0.0)
        assert first["connected_seconds"] >= 0

    running(scenario)


def test_a_snapshot_from_another_thread() -> None:
    async def scenario(world: World) -> None:
        world.publish(a_boolean(), 2)
        snapshot = await asyncio.to_thread(world.live.snapshot, "cms", PRODUCTION)
        assert list(snapshot.flags) == ["articles-service"]

    running(scenario)


@pytest.mark.parametrize("ask", ["connections", "streams", "snapshot"])
def test_no_such_environment(ask: str) -> None:
    async def scenario(world: World) -> None:
        with pytest.raises(NotFound, match="environment 'nope' of 'cms' does not exist"):
            await asyncio.to_thread(getattr(world.live, ask), "cms", "nope")

    running(scenario)


def test_a_loop_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the server stops: whoever asks is not kept waiting."""
    monkeypatch.setattr(module, "_PATIENCE", 0.001)

    async def scenario(world: World) -> None:
        with pytest.raises(Unavailable, match="stopping"):
            world.live.connections("cms", PRODUCTION)  # on the loop's own thread

    running(scenario)


def test_recent_contexts() -> None:
    async def scenario(world: World) -> None:
        alice = Context.parse({"kind": "user", "key": "alice"})
        world.seen.add(an_environment(), alice)
        assert world.live.recent("cms", PRODUCTION) == (alice,)
        assert world.live.recent("cms", "nope") == ()

    running(scenario)


def test_a_page_hears_what_changes() -> None:
    async def scenario(world: World) -> None:
        page = world.live.follow(LONG)
        waiting = asyncio.ensure_future(heard(page))
        await asyncio.sleep(0)
        world.publish(a_boolean(), 2)
        world.publish(a_segment(), 3, environment=PRODUCTION)  # nobody waits, none is forgotten
        world.publish(Deleted(kind="flag", key="articles-service", version=2), 4)
        world.publish(an_environment("staging"), 5, environment="staging")
        flag = {"project": "cms", "environment": None, "key": "articles-service"}
        assert await waiting == {**flag, "kind": "flag"}
        assert await heard(page) == {
            "project": "cms", "environment": PRODUCTION, "kind": "segment", "key": "beta",
        }  # fmt: skip
        assert await heard(page) == {**flag, "kind": "deleted"}
        assert (await heard(page))["kind"] == "environment"

    running(scenario)


def test_a_sign_of_life() -> None:
    async def scenario(world: World) -> None:
        page = world.live.follow(0.001)
        assert [await anext(page) for _ in range(3)] == [b":\n\n"] * 3

    running(scenario)


def test_the_end() -> None:
    """Of a page that waits, and of one that does not."""

    async def scenario(world: World) -> None:
        waiting, reading = world.live.follow(LONG), world.live.follow(LONG)
        end = asyncio.ensure_future(rest(waiting))
        other = asyncio.ensure_future(heard(reading))
        await asyncio.sleep(0)
        world.publish(a_boolean(), 2)
        await other
        world.live.close()
        assert len(await end) == 1
        assert await rest(reading) == []
        world.live.close()

    running(scenario)


def test_a_page_that_does_not_read_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """It loads anew rather than miss something."""
    monkeypatch.setattr(module, "_MOST_MESSAGES", 3)

    async def scenario(world: World) -> list[bytes]:
        page = world.live.follow(LONG)
        first = asyncio.ensure_future(anext(page))
        await asyncio.sleep(0)
        for number in range(2, 20):
            world.publish(a_boolean(), number)
        return [await first, *await rest(page)]

    assert len(running(scenario)) < 18


async def rest(page: AsyncIterator[bytes]) -> list[bytes]:
    return [message async for message in page]
