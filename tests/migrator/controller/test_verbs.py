"""Verbs through the API: the flag follows, the schedule goes on from there, the log says who."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx

from migrator.controller.api import application
from migrator.rollout.events import Kind
from migrator.rollout.transitions import Phase

Begin = Callable[..., AbstractAsyncContextManager[Any]]
FULL = 100_000


async def say(world: Any, verb: str, **body: Any) -> httpx.Response:
    """As alice, then one look of the controller's."""
    transport = httpx.ASGITransport(application(world.controller, "secret"))
    headers = {"authorization": "Bearer secret"}
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        answer = await http.post(
            f"/v1/capabilities/shop/{verb}", json={"by": "alice", **body}, headers=headers
        )
    await world.tick()
    return answer


def test_rollback_to_a_stage_and_on_again(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.HOLDING, step=2)
            for _ in range(2):
                answer = await say(world, "rollback", to="dualwrite", reason="reads differ")
                assert answer.is_success
            assert world.kinds().count(Kind.MOVED) == 1
            assert await world.flag() == (True, {"dualwrite": FULL})
            assert world.rollout.phase is Phase.HOLDING
            await world.reach(Phase.COMPLETE)

    asyncio.run(run())


def test_a_rollback_needs_no_figures(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.HOLDING, step=2)
            world.proxy.broken = True
            await say(world, "rollback", to="1")
            assert await world.flag() == (True, {"dualwrite": FULL})
            world.proxy.broken = False
            await world.reach(Phase.COMPLETE)

    asyncio.run(run())


def test_promote_to_the_last_step_and_restart(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.HOLDING, step=0)
            await say(world, "promote", full=True)
            assert await world.flag() == (True, {"complete": FULL})
            await world.reach(Phase.COMPLETE)
            await say(world, "restart")
            assert await world.flag() == (True, {"dualwrite": FULL})
            assert world.rollout.step == 0

    asyncio.run(run())


def test_retry_is_of_the_same_step(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.HOLDING, step=1)
            world.errors = 9
            await world.reach(Phase.ROLLED_BACK)
            world.errors = 0
            assert (await world.flag())[0] is False
            await say(world, "retry", reason="mended")
            assert await world.flag() == (True, {"dualwrite": 95_000, "live": 5_000})
            await world.reach(Phase.COMPLETE)

    asyncio.run(run())


def test_set_is_watched_until_resume(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await say(world, "set", stage="live", share="2%", reason="a look")
            assert await world.flag() == (True, {"dualwrite": 98_000, "live": 2_000})
            assert world.rollout.phase is Phase.PAUSED
            await world.tick()
            assert world.rollout.window is not None
            await say(world, "resume")
            assert await world.flag() == (True, {"dualwrite": FULL})
            await world.reach(Phase.COMPLETE)

    asyncio.run(run())


REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    ("rollback", {"to": "live"}, 409, "it is at step 1"),
    ("retry", {"share": "200%"}, 400, "share: "),
    ("set", {"stage": "lively"}, 400, "stage: "),
    ("undo", {}, 404, "no verb 'undo'"),
]


def test_what_is_refused(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.HOLDING, step=0)
            for verb, body, code, told in REFUSED:
                answer = await say(world, verb, **body)
                assert (answer.status_code, told in answer.json()["message"]) == (code, True)

    asyncio.run(run())
