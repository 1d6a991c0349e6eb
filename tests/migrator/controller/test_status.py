"""Figures by capability, stage and origin, from the proxy's counters."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import pytest

from migrator.controller.status import status
from migrator.rollout.transitions import Phase

if TYPE_CHECKING:
    from tests.migrator.controller.conftest import Play

Begin = Callable[..., AbstractAsyncContextManager["Play"]]
pytestmark = pytest.mark.parametrize("server", ["embedded"], indirect=True)


def shop(world: "Play") -> dict[str, Any]:
    (capability,) = status(world.controller, world.now)["capabilities"]
    found: dict[str, Any] = capability
    return found


def cohort(stage: str, origin: str, requests: int, errors: int) -> dict[str, Any]:
    """All latencies of the scripted proxy are in its bucket from 0 to 10 ms."""
    return {
        "stage": stage,
        "origin": origin,
        "requests": requests,
        "errors": errors,
        "error_rate": errors / requests,
        "p50_ms": 5.0,
        "p95_ms": 9.5,
        "p99_ms": pytest.approx(9.9),
    }


def test_cohorts_are_those_of_the_step(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            assert (shop(world)["cohorts"], shop(world)["consistency"]) == (None, None)
            await world.reach(Phase.HOLDING, step=1)
            world.proxy.cells.clear()
            world.proxy.instance = "proxy-2"
            world.proxy.serve("shadow", "old", 30, 3)
            world.proxy.serve("live", "new", 40)
            world.proxy.serve("live", "old", 10, 1)
            world.proxy.parity = [
                {"capability": "shop", "access": "read", "compared": 8, "different": 2, "open": 0},
            ]
            await world.tick(requests=0)
            assert shop(world)["cohorts"] == [
                cohort("shadow", "old", 30, 3),
                cohort("live", "old", 10, 1),
                cohort("live", "new", 40, 0),
            ]
            assert shop(world)["consistency"] == {"compared": 8, "different": 2, "rate": 0.75}
            await world.reach(Phase.HOLDING, step=2)
            assert {each["stage"] for each in shop(world)["cohorts"]} <= {"live"}
            assert sum(each["requests"] for each in shop(world)["cohorts"]) < 80

    asyncio.run(run())
