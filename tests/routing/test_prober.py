"""Read-after-write probes: real sockets to both origins, a real journal, one proxy."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from proxy_in_process import NO_TRUST, ProxyWorld, play
from routing import prober
from routing.config import SecondWrites
from routing.journal import Journal, State
from second_writes import append
from shop import Shop, configure

Scene = Callable[[ProxyWorld], Awaitable[None]]


def plays(scene: Scene, patch: pytest.MonkeyPatch, **parity: object) -> None:
    patch.setattr(prober, "GRACE", 0.01)
    play(scene, configure(**parity), patch)


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        pytest.param("/articles/1", "/articles/1", "/v2/articles/1", id="the-path-itself"),
        pytest.param("/articles/1/publish", "/articles/1", "/v2/articles/1", id="as-it-says"),
        pytest.param("/articles", "/articles/7", "/v2/articles/7", id="what-was-made"),
    ],
)
def test_both_sides_are_asked(
    path: str, old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: ProxyWorld) -> None:
        shop = Shop(world)
        await shop.write(path)
        told = await shop.compared(1)
        assert (told["equal"], told["different"]) == (1, 0)
        assert (shop.old.probes, shop.new.probes) == ([old], [new])

    plays(scene, monkeypatch)


def test_a_write_that_left_something_else_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other side said 201, as the first one did."""

    async def scene(world: ProxyWorld) -> None:
        shop = Shop(world, loses="k")
        await shop.write("/articles/1")
        told = await shop.compared(1)
        assert (told["equal"], told["different"]) == (0, 1)
        (group,) = told["groups"]
        assert group["path"] == "body.title"
        (sample,) = group["samples"]
        assert (sample["method"], sample["target"]) == ("GET", "/articles/1")
        assert (sample["old"], sample["new"]) == ('"ok"', '"o"')

    plays(scene, monkeypatch)


def test_the_monolith_is_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(world: ProxyWorld) -> None:
        shop = Shop(world)
        await shop.write("/articles/1")
        assert (await shop.compared(1))["repeated"] == 1
        assert len(shop.old.probes) == 2

    plays(scene, monkeypatch, noise_share=1)


@pytest.mark.parametrize(
    ("path", "parity"),
    [
        pytest.param("/alone", {}, id="nobody-can-read-it"),
        pytest.param("/hidden", {}, id="its-reads-are-not-mirrored"),
        pytest.param("/articles/1", {"probe_share": 0}, id="no-share"),
        pytest.param("/articles/1", {"enabled": False}, id="no-parity"),
    ],
)
def test_nobody_is_asked(
    path: str, parity: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: ProxyWorld) -> None:
        shop = Shop(world)
        await shop.write(path)
        await world.until(lambda: len(shop.new.titles) == 1 and not shop.left())
        assert shop.old.probes == shop.new.probes == []
        assert shop.writes() == {"compared": 0}

    plays(scene, monkeypatch, **parity)


def test_not_while_an_older_write_waits_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(world: ProxyWorld) -> None:
        with contextlib.closing(Journal(world.folder)) as journal, journal.transaction():
            append(path="/articles/1/publish", state=State.REFUSED)(journal)
        shop = Shop(world)
        await shop.write("/articles/1")
        await shop.skipped("overtaken")
        assert shop.old.probes == shop.new.probes == []
        await shop.write("/articles/2")
        await shop.compared(1)

    plays(scene, monkeypatch)


def test_a_write_while_the_sides_are_asked_makes_the_answers_worthless(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(world: ProxyWorld) -> None:
        shop = Shop(world)
        shop.new.wait.clear()
        await shop.write("/articles/1")
        await world.until(lambda: len(shop.new.probes) == 1)
        shop.new.fails = {"/v2/articles/1"}
        await shop.write("/articles/1")
        shop.new.wait.set()
        await shop.skipped("overtaken")
        assert shop.writes()["compared"] == 0
        shop.new.fails = set()
        told = await shop.compared(1)
        assert (told["equal"], shop.left()) == (1, 0), "the last write is asked about"

    plays(scene, monkeypatch)


def test_a_write_that_is_shown_before_it_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first side has changed already, and the journal will know soon."""

    async def scene(world: ProxyWorld) -> None:
        shop, pauses, shown = Shop(world), [prober.GRACE], asyncio.Event()
        sleep = asyncio.sleep

        async def meanwhile(seconds: float) -> None:
            if seconds in pauses:
                pauses.clear()
                shown.set()
                await world.until(lambda: shop.left() > 0)
            await sleep(seconds)

        monkeypatch.setattr(asyncio, "sleep", meanwhile)
        shop.new.wait.clear()
        await shop.write("/articles/1")
        await world.until(lambda: bool(shop.new.probes))
        shop.new.fails = {"/v2/articles/1"}
        shop.old.titles["/articles/1"] = "newer"
        shop.new.titles["/articles/1"] = "older"
        shop.new.wait.set()
        await shown.wait()
        await shop.write("/articles/1")
        await shop.skipped("overtaken")
        assert shop.writes()["different"] == 0

    plays(scene, monkeypatch)


def test_so_many_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(world: ProxyWorld) -> None:
        shop = Shop(world)
        for number in range(3):
            await shop.write(f"/articles/{number}")
        await shop.skipped("busy", 2)
        await shop.compared(1)

    plays(scene, monkeypatch, probes_per_second=0.01)


def test_second_writes_that_a_new_configuration_switches_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(world: ProxyWorld) -> None:
        shop, config = Shop(world), configure()(world)
        off = config.model_copy(update={"second_writes": SecondWrites(enabled=False)})
        world.proxy.apply(off, NO_TRUST)
        await shop.write("/articles/1")
        world.proxy.apply(config, NO_TRUST)
        await shop.write("/articles/2")
        await shop.compared(1)
        assert list(shop.new.titles) == ["/articles/2"]

    plays(scene, monkeypatch)
