"""A service with wrong answers is stopped at `shadow`: real sockets from the user to both origins,
a real flag server, and the controller between them."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator.rollout.events import Kind
from migrator.rollout.transitions import Phase
from proxy_in_process import Answer, Peer, ProxyWorld, running_proxy
from routing.config import ProxyConfig
from routing.parity.report import counters, merge_parity
from routing.stages import Stage

if TYPE_CHECKING:
    from tests.migrator.controller.conftest import Play

Begin = Callable[..., AbstractAsyncContextManager["Play"]]
CHANGES = (
    ("- {stage: dualwrite, hold: 10s}", "- {stage: shadow, hold: 10s}"),
    ("needs: [stock]", "analysis: {parity: {min: 99.5%, min_compared: 30}}"),
)


def configure(world: ProxyWorld) -> ProxyConfig:
    routes = [{"path": "/cart", "service": "articles"}]
    return ProxyConfig.model_validate(
        {
            **world.config(world.one).model_dump(mode="json"),
            "mirroring": {},
            "parity": {"per_second": 1000},
            "capabilities": {"shop": {"flag": "shop", "routes": routes}},
        }
    )


def cart(total: int) -> Answer:
    """Says what the cart costs, and the time, which is another one whenever it is asked."""
    times = count(total * 1_000_000)

    async def answer(_: Peer, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = json.dumps({"total": total, "at": next(times)}).encode()
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        writer.write((head % len(body)).encode() + body)

    return answer


async def shop(world: "Play", proxy: ProxyWorld, done: Callable[[], bool]) -> list[Any]:
    """Users come, and the controller looks, until `done`; what users were told."""
    told: list[Any] = []
    for _ in range(100):
        if done():
            return told
        on, shares = await world.flag() if world.rollout.begun else (False, {})
        proxy.stage = max(map(Stage, shares), key=list(Stage).index) if on else Stage.OFF
        compared = expected = 0
        for each in world.proxy.parity:
            compared = expected = each["compared"]
        for _ in range(4):
            status, body = await proxy.ask(path="/cart")
            assert status == 200
            told.append(json.loads(body)["total"])
            expected += proxy.stage in (Stage.SHADOW, Stage.LIVE)
        while compared < expected:
            document = proxy.proxy.parity.document(last=True)
            if document is not None:
                world.proxy.parity = counters(merge_parity(document))
                compared = world.proxy.parity[0]["compared"]
            await asyncio.sleep(0.002)
        await world.tick()
    raise AssertionError(f"{world.rollout}")


def test_wrong_answers_are_stopped_before_any_user_gets_one(play: Begin, tmp_path: Path) -> None:
    async def run() -> None:
        async with play(*CHANGES) as world, running_proxy(configure, tmp_path) as proxy:
            proxy.old.answer, proxy.one.answer = cart(10), cart(9)
            told = await shop(world, proxy, lambda: world.rollout.phase is Phase.ROLLED_BACK)
            assert proxy.one.seen, "the service was asked"
            assert set(told) == {10}, "and its answers were seen by nobody"
            assert [e.data["step"] for e in world.events() if e.kind is Kind.STEP_ENTERED] == [0]
            assert "most often body.total (value)" in world.rollout.reason
            assert "limit 99.5%" in world.rollout.reason
            await world.tick()
            assert (await world.flag())[0] is False

    asyncio.run(run())


def test_noise_stops_nobody(play: Begin, tmp_path: Path) -> None:
    async def run() -> None:
        async with play(*CHANGES) as world, running_proxy(configure, tmp_path) as proxy:
            proxy.old.answer, proxy.one.answer = cart(10), cart(10)
            await shop(world, proxy, lambda: world.rollout.step > 0)
            (shop_parity,) = world.proxy.parity
            assert shop_parity["different"] == 0
            assert shop_parity["noise"] >= 30
            passed = [e.why for e in world.events() if e.kind is Kind.STEP_PASSED]
            assert "of the reads agree" in passed[0]

    asyncio.run(run())


def test_without_reads_a_step_is_held(play: Begin) -> None:
    async def run() -> None:
        async with play(*CHANGES) as world:
            await world.until(lambda rollout: bool(rollout.said))
            held = [e.why for e in world.events() if e.kind is Kind.HELD]
            assert held == ["not enough data: parity: 0 of 30 reads compared so far"]

    asyncio.run(run())
