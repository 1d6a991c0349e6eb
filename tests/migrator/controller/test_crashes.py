"""A controller that dies at every single point of a look, before and after all that it asks and
writes, ends with the history of one that lives."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import pytest

from migrator.controller.observe import ProxyStats
from migrator.controller.store import EventLog
from migrator.flagclient import FlagClient
from migrator.rollout.events import Event, Kind
from migrator.rollout.service import Standing
from migrator.rollout.transitions import Phase

if TYPE_CHECKING:
    from tests.migrator.controller.conftest import Play

Begin = Callable[..., AbstractAsyncContextManager["Play"]]
embedded = pytest.mark.parametrize("server", ["embedded"], indirect=True)
STEP = [Kind.STEP_ENTERED, Kind.FLAG_APPLIED, Kind.STEP_PASSED]
ONCE = {Kind.SWITCHED_OFF, Kind.SWITCHED_ON, Kind.INTERRUPTED, Kind.RESTORED, Kind.MEASURED}


class Killed(Exception):
    """The controller is no more."""


class Reaper:
    """Kills at point number `at` of a look. What the dead one still had under way dies with it."""

    def __init__(self) -> None:
        self.at = 0
        """0: never."""
        self.reached = 0
        self._lives: list[object] = []
        self._dead: list[object] = []

    def begin(self, at: int) -> None:
        self.at, self.reached = at, 0

    def point(self, part: object) -> None:
        """`part`: of the controller, which goes on there."""
        if any(part is each for each in self._dead):
            raise Killed
        self._lives.append(part)
        self.reached += 1
        if self.reached == self.at:
            self._dead, self._lives = [*self._dead, *self._lives], []
            raise Killed


@pytest.fixture
def reaper(monkeypatch: pytest.MonkeyPatch) -> Reaper:
    reaper = Reaper()

    def around(part: type, name: str) -> None:
        ask = getattr(part, name)

        async def asked(self: object, *args: Any, **kwargs: Any) -> object:
            reaper.point(self)
            answer: object = await ask(self, *args, **kwargs)
            reaper.point(self)
            return answer

        monkeypatch.setattr(part, name, asked)

    around(FlagClient, "_ask")
    around(ProxyStats, "_get")
    append = EventLog.append

    def appended(self: EventLog, events: tuple[Event, ...]) -> tuple[Event, ...]:
        reaper.point(self)
        numbered = append(self, events)
        reaper.point(self)
        return numbered

    monkeypatch.setattr(EventLog, "append", appended)
    return reaper


async def look(world: "Play", reaper: Reaper, at: int) -> bool:
    """One beat and one look of a controller that dies at point `at`, if there are so many; another
    one is there then. Whether it lived."""
    reaper.begin(at)
    try:
        await world.controller.switches.beat()
        await world.controller.tick()
    except Killed:
        reaper.begin(0)
        await world.stop()
        await world.start()
        return False
    finally:
        reaper.begin(0)
    return True


@embedded
def test_at_every_point_of_a_schedule(play: Begin, reaper: Reaper) -> None:
    async def run() -> None:
        async with play(("hold: 0s", "hold: 10s")) as world:
            deaths = 0
            while world.rollout.phase is not Phase.COMPLETE:
                world.now += 10.0
                if world.rollout.entered is not None:
                    for origin in ("old", "new"):
                        stage = str(world.rollout.steps[world.rollout.entered].stage)
                        world.proxy.serve(stage, origin, 200)
                at = 1
                while not await look(world, reaper, at):
                    at += 1
                deaths += at - 1
            assert deaths > 30
            assert world.kinds() == [Kind.STARTED, *STEP * 4, Kind.COMPLETED]
            assert await world.flag() == (True, {"complete": 100_000})

    asyncio.run(run())


@embedded
def test_at_every_point_of_switching_off_and_on(play: Begin, reaper: Reaper) -> None:
    """Each time round the controller dies one point later, in the look that switches off and in the
    one that switches on."""

    async def run() -> None:
        async with play(("share: 5%, hold: 10s", "share: 5%, hold: 7d")) as world:
            while (await world.tick(4.0)).step == 0:
                pass
            at, lived = 0, False
            while not lived:
                at, done = at + 1, len(world.events())
                world.now += 600.0
                assert await look(world, reaper, 0)
                lived = all([await breaks(world, reaper, at), await returns(world, reaper, at)])
                happened = [(e.kind, e.capability) for e in world.events()[done:] if e.kind in ONCE]
                assert happened == [
                    (Kind.SWITCHED_OFF, "service/cart"),
                    (Kind.INTERRUPTED, "shop"),
                    (Kind.SWITCHED_ON, "service/cart"),
                    (Kind.RESTORED, "shop"),
                    (Kind.MEASURED, "shop"),
                ], f"killed at point {at}"
                assert world.rollout.step == 1
                assert (await world.flag("cart-service"))[0]
            assert at > 8

    asyncio.run(run())


async def breaks(world: "Play", reaper: Reaper, at: int) -> bool:
    """Users go on to see errors until it is off."""
    lived = True
    while not world.rollout.services_off:
        world.now += 0.25
        if (await world.flag("cart-service"))[0]:
            world.proxy.ask("cart", 40, 40)
        lived, at = await look(world, reaper, at) and lived, 0
    return lived


async def returns(world: "Play", reaper: Reaper, at: int) -> bool:
    """The probe answers, and the look that switches on dies at point `at`."""
    lived = True
    service = world.controller.switches.services["cart"]
    while service.standing is not Standing.FREE or world.rollout.phase is not Phase.HOLDING:
        world.now += 2.0
        due = world.controller.switches.probes.healthy_since("cart") is not None
        lived = await look(world, reaper, at if due else 0) and lived
        at = 0 if due else at
        service = world.controller.switches.services["cart"]
    return lived
