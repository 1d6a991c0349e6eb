"""Endpoints that fail in all ways at random, come and go: what must hold whatever happens."""

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

import routing.pool
from proxy_in_process import Peer, ProxyWorld, hangs, play, resets, says

OPTIONS: dict[str, Any] = {
    "health_check": {"path": "/health", "interval": 0.05, "timeout": 0.1},
    "outlier_detection": {"base_ejection_time": 0.05, "max_ejection_time": 0.2},
    "slow_start_window": 0.1,
    "circuit_breaker": {"max_connections": 3, "max_pending_requests": 3},
    "retry_budget": {"budget_percent": 50, "min_retries_per_second": 5},
    "hedge": {"after": 0.02},
    "timeouts": {"retry": 0.2, "response": 2.0, "connect": 0.2},
}


USED: list[Callable[[ProxyWorld], list[Peer]]] = [
    lambda world: [world.one, world.two],
    lambda world: [world.two, world.one],
    lambda world: [world.one, world.two, world.three],
    lambda world: [world.two, world.three],
]
"""Endpoints of a configuration."""


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_chaos(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request is answered; a read well, for the monolith is; no write reaches two origins.
    When all is over nothing is counted as open that is not."""
    random = Random(seed)  # noqa: S311 - the same numbers in each run are meant

    async def at_random(peer: Peer, reader: Any, writer: Any) -> None:
        answer = random.choice(
            [says(200), says(200), says(200), says(500), says(500), resets, resets, hangs]
        )
        await answer(peer, reader, writer)

    async def change(world: ProxyWorld) -> None:
        """Stops and starts endpoints, and takes them out of the configuration."""
        while True:
            await asyncio.sleep(0.03)
            peer = random.choice([world.one, world.two, world.three])
            if peer.listening:
                peer.stop()
            else:
                await peer.start()
            limits = {"max_connections": random.randint(1, 5), "max_pending_requests": 3}
            world.apply(*random.choice(USED)(world), **{**OPTIONS, "circuit_breaker": limits})

    async def user(world: ProxyWorld, number: int) -> None:
        for turn in range(25):
            method = random.choice(["GET", "POST"])
            status, _ = await world.ask(method, f"/articles/{number}-{turn}")
            if method == "GET":
                assert status == 200
            else:
                assert status in (200, 500, 502, 503, 504)

    async def scene(world: ProxyWorld) -> None:
        services = (world.one, world.two, world.three)
        for peer in services:
            peer.answer = at_random
        changing = asyncio.create_task(change(world))
        await asyncio.gather(*(user(world, number) for number in range(12)))
        changing.cancel()
        writes = Counter(
            line
            for peer in (world.old, *services)
            for line in peer.seen
            if line.startswith("POST ")
        )
        assert writes
        assert set(writes.values()) == {1}, "a write was sent twice"
        for peer in services:
            if not peer.listening:
                await peer.start()
            peer.answer = says(200)

        world.apply(*services, **OPTIONS)

        def at_rest() -> bool:
            return all(
                endpoint["healthy"]
                and not any(endpoint[gauge] for gauge in ("active", "connecting", "pending"))
                for endpoint in map(world.endpoint, services)
            )

        await world.until(at_rest)
        assert {status for status, _ in await world.asks(3, "POST")} == {200}

    monkeypatch.setattr(routing.pool, "REST_SECONDS", 0.02)
    play(scene, lambda world: world.config(world.one, world.two, **OPTIONS), monkeypatch)
