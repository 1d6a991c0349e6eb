"""Mirrored reads and the second writes beside them: what is compared, what is left out."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from proxy_in_process import ProxyWorld, play
from routing import undisturbed
from routing.config import ParityRules
from routing.delivery import Outcome
from routing.parity.compare import NotCompared
from routing.parity.observing import Pair
from routing.stages import Access, Stage
from routing.undisturbed import MAX_WAITING, Undisturbed
from shop import Shop, configure

Scene = Callable[[ProxyWorld], Awaitable[None]]


class Observed:
    """What is compared, and what is left out and why."""

    keep = 4

    def __init__(self) -> None:
        self.pairs: list[Pair] = []
        self.skipped: list[NotCompared] = []

    def admits(self, capability: str, access: Access) -> bool:
        return True

    def repeats(self, capability: str, access: Access) -> bool:
        return False

    def observe(self, pair: Pair) -> None:
        self.pairs.append(pair)

    def skip(self, capability: str, access: Access, why: NotCompared) -> None:
        self.skipped.append(why)


def pair(told: list[bool | None], new: bytes = b"same") -> Pair:
    def outcome(body: bytes) -> Outcome:
        return Outcome(200, None, 0.0, body, True, b"")

    return Pair(
        capability="c",
        access=Access.READ,
        rules=ParityRules(),
        method=b"GET",
        target=b"/a%2fb/./c?d=/e",
        asked=5.0,
        context=b"alice",
        old=outcome(b"same"),
        new=outcome(new),
        again=None,
        agreed=told.append,
    )


def run(scene: Callable[[Observed, list[bool | None]], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await scene(Observed(), [])

    asyncio.run(bounded())


@pytest.mark.parametrize("new", [b"same", b"other"])
@pytest.mark.parametrize("answer", [True, False])
def test_what_is_overtaken_is_left_out(
    answer: bool, new: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if both answers are the same: else what differs would count for less than it is."""
    monkeypatch.setattr(undisturbed, "GRACE", 0.0)
    asked: list[object] = []

    async def scene(observer: Observed, told: list[bool | None]) -> None:
        done = asyncio.Event()

        async def overtaken(*read: object) -> bool:
            asked.append(read)
            asyncio.get_running_loop().call_soon(done.set)
            return answer

        Undisturbed(observer, overtaken, asyncio.get_running_loop()).observe(pair(told, new))
        await done.wait()
        assert asked == [("c", "/a%2Fb/c", b"alice", 5.0)]
        assert len(observer.pairs) == (not answer)
        assert observer.skipped == [NotCompared.OVERTAKEN] * answer
        assert told == [None] * answer

    run(scene)


@pytest.mark.parametrize("begun", [False, True])
def test_those_that_wait_are_bounded_and_left_at_a_stop(begun: bool) -> None:
    async def scene(observer: Observed, told: list[bool | None]) -> None:
        async def overtaken(*_: object) -> bool:
            await asyncio.Event().wait()
            return False

        waits = Undisturbed(observer, overtaken, asyncio.get_running_loop())
        for _ in range(MAX_WAITING + 1):
            waits.observe(pair(told))
        assert (observer.skipped, told) == ([NotCompared.BUSY], [None])
        if begun:
            await asyncio.sleep(0)
        await waits.stop()
        waits.observe(pair(told))
        assert (observer.pairs, len(told)) == ([], MAX_WAITING + 2)

    run(scene)


def test_a_journal_that_cannot_be_asked(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(observer: Observed, told: list[bool | None]) -> None:
        async def overtaken(*_: object) -> bool:
            raise OSError("disk I/O error")

        Undisturbed(observer, overtaken, asyncio.get_running_loop()).observe(pair(told))
        while "disk I/O error" not in caplog.text:
            await asyncio.sleep(0)
        assert (observer.pairs, told) == ([], [None])

    run(scene)


def plays(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(undisturbed, "GRACE", 0.01)
    play(scene, configure(probe_share=0), patch)


@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.LIVE])
def test_a_read_between_a_write_and_its_second_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: ProxyWorld) -> None:
        shop = Shop(world)
        world.stage = stage
        shop.old.fails = shop.new.fails = {"/articles/1", "/v2/articles/1"}
        await shop.write("/articles/1")
        await shop.read()
        await shop.reads(overtaken=1, compared=0)
        shop.old.fails = shop.new.fails = set()
        await world.until(lambda: not shop.left())
        await shop.read()
        await shop.reads(overtaken=1, compared=1, equal=1)

    plays(scene, monkeypatch)


def test_a_user_who_looks_elsewhere_for_the_write(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(world: ProxyWorld) -> None:
        shop = Shop(world)
        world.stage = Stage.SHADOW
        shop.new.fails = {"/v2/articles/2"}
        await shop.write("/articles/2", user="alice")
        await shop.read(user="bob")
        await shop.reads(overtaken=0, compared=1)
        await shop.read(user="alice")
        await shop.reads(overtaken=1, compared=1)

    plays(scene, monkeypatch)


def test_a_second_write_that_arrives_while_the_sides_are_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The read has seen the other side without it, and nothing of it is left in the journal."""

    async def scene(world: ProxyWorld) -> None:
        shop = Shop(world)
        world.stage = Stage.SHADOW
        shop.new.slow.clear()
        await shop.read()
        await world.until(lambda: shop.new.reads == 1)
        await shop.write("/articles/1")
        await world.until(lambda: not shop.left())
        shop.new.slow.set()
        await shop.reads(overtaken=1, compared=0)

    plays(scene, monkeypatch)


def test_a_service_that_is_wrong_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(world: ProxyWorld) -> None:
        shop = Shop(world, loses="k")
        world.stage = Stage.SHADOW
        await shop.write("/articles/1")
        await world.until(lambda: not shop.left())
        await shop.read()
        await shop.reads(compared=1, different=1)

    plays(scene, monkeypatch)
