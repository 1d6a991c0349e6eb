"""The fast path: a real flag server, real probes, a virtual clock, figures that tests write."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

import pytest

from migrator.controller.flags import claim
from migrator.controller.status import status
from migrator.flagclient import FlagClient
from migrator.rollout.events import CONTROLLER, Event, Kind
from migrator.rollout.service import Standing
from migrator.rollout.state import Rollout
from migrator.rollout.transitions import Phase

if TYPE_CHECKING:
    from tests.migrator.controller.conftest import Play

Begin = Callable[..., AbstractAsyncContextManager["Play"]]
LIVE_5 = {"dualwrite": 95_000, "live": 5_000}
MANUAL = "restore: {interval: 10ms}", "restore: manual"


async def at_live(world: "Play") -> None:
    while (await world.tick(4.0)).step == 0:
        pass
    await world.tick()


async def breaks(world: "Play", service: str = "cart") -> None:
    """One beat that shows it."""
    world.now += 0.25
    world.proxy.ask(service, 40, 31)
    world.proxy.ask(None, 40, 0)
    assert await world.controller.switches.beat()


async def off_again(world: "Play", service: str = "cart") -> Rollout:
    """Broken and seen to be off by the next look."""
    await breaks(world, service)
    return await world.tick()


def is_free(world: "Play", service: str = "cart") -> bool:
    return world.controller.switches.services[service].standing is Standing.FREE


async def back(world: "Play") -> Rollout:
    """Until the service is on again and the step is measured."""
    return await world.until(lambda rollout: is_free(world) and not rollout.services_off)


def test_a_broken_service_is_off_at_the_first_reading_that_shows_it(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await at_live(world)
            world.ready = False
            await breaks(world)
            assert await world.flag("cart-service") == (False, {}), "without a look"
            assert await world.flag("stock-service") == (True, {})
            rollout = await world.tick()
            assert (rollout.phase, rollout.step) == (Phase.WAITING, 1)
            told = "cart-service is off: 31/40 requests failed in 0.2 s; on again once its probe "
            assert rollout.reason == f"{told}answers for 2s"
            (event,) = [e for e in world.events() if e.kind is Kind.SWITCHED_OFF]
            assert (event.capability, event.by) == ("service/cart", CONTROLLER)
            for _ in range(5):
                assert (await world.tick()).phase is Phase.WAITING
            assert await world.flag() == (True, LIVE_5), "the step is not lost"
            shown = status(world.controller, world.now)
            assert (shown["capabilities"][0]["stage"], shown["problems"]) == ("off", [])
            assert {"name": "cart", "enabled": False} in shown["services"]

            world.ready = True
            rollout = await back(world)
            assert await world.flag("cart-service") == (True, {})
            assert (rollout.phase, rollout.step) == (Phase.HOLDING, 1)
            assert rollout.window is not None
            assert rollout.window.since == world.now
            assert (await world.tick(10.0, requests=100)).step == 2, "and goes on from there"

    asyncio.run(run())


def test_only_a_person_switches_on_what_broke_too_often(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await at_live(world)
            for _ in range(2):
                await off_again(world)
                await back(world)
            rollout = await off_again(world)
            assert "3 times within 10m: only `migrator restore service/cart`" in rollout.reason
            for _ in range(5):
                assert (await world.tick(60.0)).phase is Phase.WAITING, "however long it is ready"
            assert await world.flag("cart-service") == (False, {})
            await world.turn("cart-service", True)
            assert (await world.tick()).phase is Phase.HOLDING
            await off_again(world)
            await back(world)

    asyncio.run(run())


def test_manual(play: Begin) -> None:
    async def run() -> None:
        async with play(MANUAL) as world:
            await at_live(world)
            rollout = await off_again(world)
            assert rollout.reason.endswith("`migrator restore service/cart` switches it on again")
            for _ in range(5):
                assert (await world.tick()).phase is Phase.WAITING
            await world.turn("cart-service", True)
            assert (await world.tick()).phase is Phase.HOLDING

    asyncio.run(run())


def test_a_person_who_was_faster_is_not_overruled(play: Begin) -> None:
    """Off by alice, which no look has seen yet, and broken: the probe brings nothing back."""

    async def run() -> None:
        async with play() as world:
            await at_live(world)
            await world.turn("cart-service", False, "it leaks")
            rollout = await off_again(world)
            assert (rollout.phase, is_free(world)) == (Phase.PAUSED, True)
            assert rollout.reason == 'cart-service is off (alice through the API: "it leaks")'
            for _ in range(5):
                await world.tick()
            assert await world.flag("cart-service") == (False, {})

    asyncio.run(run())


def test_a_person_may_insist(play: Begin) -> None:
    """On again by alice while its probe fails: it is on, and the rollout goes on."""

    async def run() -> None:
        async with play() as world:
            await at_live(world)
            world.ready = False
            await off_again(world)
            await world.turn("cart-service", True)
            assert (await world.tick()).phase is Phase.HOLDING
            assert is_free(world)
            await world.turn("cart-service", False)
            world.ready = True
            rollout = await world.tick()
            assert rollout.phase is Phase.PAUSED, "now it is off by her word"
            for _ in range(5):
                await world.tick()
            assert await world.flag("cart-service") == (False, {})

    asyncio.run(run())


@pytest.mark.parametrize("seen", [False, True], ids=["at once", "after a look"])
def test_a_person_keeps_off_what_is_off_already(play: Begin, seen: bool) -> None:
    """Turning off what the controller turned off changes nothing; `migrator kill` tells it so."""

    async def run() -> None:
        async with play() as world:
            await at_live(world)
            await breaks(world)
            if seen:
                await world.tick()
            async with world.client("alice", "cli") as flags:
                flag = await flags.turn("cart-service", on=False, comment="it leaks")
                await claim(flags, flag, "it leaks")
            rollout = await world.tick()
            assert (rollout.phase, is_free(world)) == (Phase.PAUSED, True)
            assert rollout.reason.startswith("cart-service is off (")
            for _ in range(5):
                await world.tick()
            assert await world.flag("cart-service") == (False, {})
            async with world.client("alice", "cli") as flags:
                flag = await flags.turn("cart-service", on=True, comment="mended")
                assert (await claim(flags, flag, "mended")).tags == ("ops",)
            assert (await world.tick()).services_off == frozenset()
            await off_again(world)
            assert world.controller.switches.services["cart"].standing is Standing.BROKEN

    asyncio.run(run())


def test_a_capability_falls_back_with_any_service_that_it_needs(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await at_live(world)
            await breaks(world, "stock")
            assert await world.flag("cart-service") == (True, {})
            assert await world.flag("stock-service") == (False, {})
            assert (await world.tick()).services_off == {"stock"}

    asyncio.run(run())


@pytest.mark.parametrize("recorded", [False, True], ids=["before the flag", "after the flag"])
def test_killed_around_the_change_of_the_flag(
    play: Begin, monkeypatch: pytest.MonkeyPatch, recorded: bool
) -> None:
    async def run() -> None:
        async with play() as world:
            await at_live(world)
            world.ready = False
            turn = FlagClient.turn

            async def die(client: FlagClient, key: str, *, on: bool, comment: str) -> None:
                if recorded:
                    await turn(client, key, on=on, comment=comment)
                raise KeyError("killed")

            monkeypatch.setattr(FlagClient, "turn", die)
            with pytest.raises(KeyError, match="killed"):
                await breaks(world)
            monkeypatch.undo()
            await world.stop()
            await world.start()
            assert (await world.tick()).phase is Phase.WAITING
            assert await world.flag("cart-service") == (False, {})
            world.ready = True
            assert (await back(world)).phase is Phase.HOLDING

    asyncio.run(run())


def test_the_statistics_leave_a_service_to_the_fast_path(play: Begin) -> None:
    """All fail, but too few were refused yet: the look that would roll back waits a moment."""

    async def run() -> None:
        async with play() as world:
            await at_live(world)
            world.errors = 20
            world.proxy.ask("cart", 2, 2, unreached=1)
            for _ in range(2):
                assert (await world.tick()).phase is Phase.HOLDING
            world.proxy.ask("cart", 1, 1, unreached=1)
            assert (await world.tick()).phase is Phase.WAITING
            assert Kind.ROLLED_BACK not in world.kinds()

    asyncio.run(run())


def test_the_beat_does_not_wait_for_the_looks(play: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """`run` switches off while a look hangs."""

    async def run() -> None:
        async with play() as world:
            await at_live(world)
            hanging = asyncio.Event()

            async def hang(*_: object, **__: object) -> None:
                hanging.set()
                await asyncio.sleep(60)

            monkeypatch.setattr(FlagClient, "list_flags", hang)
            running = asyncio.create_task(world.controller.run(asyncio.Event()))
            async with asyncio.timeout(30):
                await hanging.wait()
                while Kind.SWITCHED_OFF not in world.kinds():
                    world.proxy.ask("cart", 40, 40)
                    await asyncio.sleep(0.05)
                monkeypatch.undo()
                while (await world.flag("cart-service"))[0]:
                    await asyncio.sleep(0.05)
            running.cancel()
            await asyncio.wait((running,))

    asyncio.run(run())


def test_a_log_that_cannot_have_happened_is_refused(
    play: Begin, event: Callable[..., Event]
) -> None:
    async def run() -> None:
        async with play() as world:
            world.log.append([event(Kind.SWITCHED_ON, "service/cart")])
            await world.stop()
            with pytest.raises(Exception, match="switched_on cannot happen while cart is free"):
                await world.start()

    asyncio.run(run())
