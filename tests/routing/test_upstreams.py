"""A service with two endpoints, real sockets: one of them dead, hanging, failing, coming back."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import routing.pool
from proxy_in_process import NO_TRUST, Peer, ProxyWorld, hangs, play, resets, says
from routing.config import Upstream
from routing.stages import Stage

Patch = pytest.MonkeyPatch
GENEROUS = {"retry_budget": {"budget_percent": 100, "min_retries_per_second": 1000}}
NONE = {"retry_budget": {"budget_percent": 0, "min_retries_per_second": 0}}
QUICK = {"interval": 0.05, "timeout": 0.2, "healthy_threshold": 2, "unhealthy_threshold": 2}
CHECK = {"health_check": {"path": "/health", **QUICK}}


def two(**options: Any) -> Callable[[ProxyWorld], Any]:
    return lambda world: world.config(world.one, world.two, **options)


def names(answers: list[tuple[int, str]]) -> Counter[str]:
    assert {status for status, _ in answers} == {200}
    return Counter(name for _, name in answers)


async def both_are_used(world: ProxyWorld) -> None:
    told = names([await world.ask() for _ in range(40)])
    assert set(told) == {"one", "two"}
    assert (world.service["asked"], world.service["failed"], world.service["unreached"]) == (
        40,
        0,
        0,
    )
    assert world.endpoint(world.one)["requests"] == told["one"]
    assert world.endpoint(world.two)["requests"] == told["two"]
    assert not world.old.seen


async def one_is_dead(world: ProxyWorld) -> None:
    """Nobody notices, not even who writes: nothing has reached the dead one."""
    world.one.stop()
    for method in ("GET", "POST"):
        assert names(await world.asks(20, method)) == {"two": 20}
    assert world.endpoint(world.one)["failures"] > 0
    assert not world.old.seen


async def one_hangs(world: ProxyWorld) -> None:
    """A read is answered by the other one. A write may have been seen: 504, and nowhere else."""
    world.one.answer = hangs
    assert names(await world.asks(10)) == {"two": 10}
    told = Counter([status for status, _ in await world.asks(10, "POST")])
    assert set(told) <= {200, 504}
    writes = [line for peer in (world.one, world.two) for line in peer.seen if "POST" in line]
    assert len(writes) == 10, "a write was sent twice"


async def one_answers_500(world: ProxyWorld) -> None:
    """It is ejected after five failures in a row, and reads never see it."""
    world.one.answer = says(500)
    while not world.endpoint(world.one)["ejections"]:
        assert names(await world.asks(4)) == {"two": 4}
    assert world.endpoint(world.one)["ejected_until"] is not None
    seen = len(world.one.seen)
    assert names(await world.asks(10)) == {"two": 10}
    assert len(world.one.seen) == seen
    world.two.answer = says(500)
    assert names(await world.asks(10)) == {"old": 10}
    assert not world.endpoint(world.two)["ejections"], "half of them stay"


async def a_success_in_between(world: ProxyWorld) -> None:
    """Failures that are not in a row eject nobody."""
    for _ in range(8):
        for status in (500, 200):
            world.one.answer = world.two.answer = says(status)
            await world.asks(4)
    assert world.endpoint(world.one)["failures"] > 5
    assert not world.endpoint(world.one)["ejections"]


async def one_comes_back(world: ProxyWorld) -> None:
    """After its ejection it gets little at first."""
    world.one.answer = says(503)
    while not world.endpoint(world.one)["ejections"]:
        await world.asks(4)
    world.one.answer = says(200)
    await world.until(lambda: world.endpoint(world.one)["ejected_until"] is None)
    told = names([await world.ask() for _ in range(100)])
    assert told["one"] < 25, "its share is a tenth of a half while it is cold"
    told = Counter()
    while not told["one"]:
        told += names([await world.ask() for _ in range(10)])


async def all_are_dead(world: ProxyWorld) -> None:
    """Reads and writes that reached nobody go to the monolith; at complete, writes do not. All are
    counted as what users asked the service in vain."""
    assert (world.service["asked"], world.service["failed"]) == (0, 0)
    world.one.stop()
    world.two.stop()
    for method in ("GET", "POST"):
        assert names(await world.asks(10, method)) == {"old": 10}
    assert (world.service["asked"], world.service["failed"]) == (20, 20)
    assert world.service["unreached"] > 0
    world.stage = Stage.COMPLETE
    assert await world.ask() == (200, "old")
    status, _ = await world.ask("POST")
    assert status == 503


async def health_checks(world: ProxyWorld) -> None:
    """An endpoint that its checks find ill gets no requests, though it would answer them."""
    world.one.health = says(503)
    await world.until(lambda: not world.endpoint(world.one)["healthy"])
    assert names(await world.asks(10)) == {"two": 10}
    world.two.health = hangs
    await world.until(lambda: not world.endpoint(world.two)["healthy"])
    assert names(await world.asks(5)) == {"old": 5}, "no endpoint is left"
    assert (await world.ask("POST"))[1] == "old"
    world.stage = Stage.COMPLETE
    told = await world.ask("POST")
    assert told[1] in ("one", "two"), "where the monolith is no choice, an ill one is tried"
    world.one.health = world.two.health = says(204)
    await world.until(lambda: world.endpoint(world.one)["healthy"])
    await world.until(lambda: world.endpoint(world.two)["healthy"])
    assert world.one.checks[0] == "GET /health HTTP/1.1"


async def breaker_opens(world: ProxyWorld) -> None:
    """One connection and one who waits for each endpoint: the fifth of five goes elsewhere."""
    release = asyncio.Event()

    async def waits(peer: Peer, reader: Any, writer: Any) -> None:
        await release.wait()
        await says(200)(peer, reader, writer)

    world.one.answer = world.two.answer = waits
    world.stage = Stage.COMPLETE
    asked = [asyncio.create_task(world.ask("POST")) for _ in range(2)]
    await world.until(lambda: len(world.one.seen) == len(world.two.seen) == 1)
    asked += [asyncio.create_task(world.ask("POST")) for _ in range(2)]
    await world.until(
        lambda: all(world.endpoint(each)["pending"] == 1 for each in (world.one, world.two))
    )
    status, body = await world.ask("POST")
    assert status == 503
    assert "about:blank" in body
    assert await world.ask() == (200, "old"), "a read falls back"
    overflows = [world.endpoint(each)["overflows"] for each in (world.one, world.two)]
    assert sum(overflows) == 2
    release.set()
    assert names(await asyncio.gather(*asked)) == {"one": 2, "two": 2}
    assert (world.one.connections, world.two.connections) == (1, 1)


async def waiting_ends(world: ProxyWorld) -> None:
    """Nobody waits for a connection longer than connecting may take."""
    world.one.answer = world.two.answer = hangs
    first = [asyncio.create_task(world.ask("POST")) for _ in range(2)]
    await world.until(lambda: len(world.one.seen) == len(world.two.seen) == 1)
    assert (await world.asks(2, "POST")) == [(200, "old")] * 2
    assert world.endpoint(world.one)["overflows"] == world.endpoint(world.two)["overflows"] == 1
    for each in first:
        each.cancel()


async def the_budget_stops_a_storm(world: ProxyWorld) -> None:
    """Everything fails: the service gets what users ask and no more."""
    world.one.answer = world.two.answer = resets
    assert names(await world.asks(40)) == {"old": 40}
    assert len(world.one.seen) + len(world.two.seen) == 40
    assert world.service["retries"] == 0
    assert world.service["retries_over_budget"] > 0


async def a_reload_loses_nothing(world: ProxyWorld) -> None:
    """One endpoint leaves amid requests: they end there, and the other's connections stay."""
    release = asyncio.Event()

    async def waits(peer: Peer, reader: Any, writer: Any) -> None:
        await release.wait()
        await says(200)(peer, reader, writer)

    assert set(names(await world.asks(12))) == {"one", "two"}
    world.one.answer = world.two.answer = waits
    asked = [asyncio.create_task(world.ask("POST")) for _ in range(12)]
    await world.until(
        lambda: sum(world.endpoint(each)["active"] for each in (world.one, world.two)) == 12
    )
    before = world.endpoint(world.one)
    world.apply(world.one)
    assert not world.endpoint(world.two)
    after = world.endpoint(world.one)
    assert (after["active"], after["requests"]) == (before["active"], before["requests"])
    release.set()
    assert names(await asyncio.gather(*asked)).total() == 12
    opened = world.one.connections
    assert names([await world.ask() for _ in range(10)]) == {"one": 10}
    assert world.one.connections == opened, "its idle connections are kept"
    await world.until(lambda: not world.two.open)
    world.apply(world.one, world.two)
    while not names(await world.asks(4))["two"]:
        pass


async def endpoints_move(world: ProxyWorld) -> None:
    """Without a reload: connections to the one that stays are kept, and nothing else is touched."""
    config = world.config(world.one, world.two)
    users = Upstream.model_validate({"endpoints": [world.three.url], **CHECK})
    config = config.model_copy(update={"services": {**config.services, "users": users}})
    world.proxy.apply(config, NO_TRUST)
    assert set(names(await world.asks(12))) == {"one", "two"}
    before = dict(world.proxy.routing.groups)
    propagator, opened = world.proxy.propagator, world.one.connections
    checks = len(world.three.checks)

    def move(*places: Peer) -> None:
        urls = [each.url for each in places]
        world.proxy.relocate(config.located({"articles": urls, "elsewhere": urls}), NO_TRUST)

    move(world.one)
    assert names([await world.ask() for _ in range(10)]) == {"one": 10}
    assert world.one.connections == opened
    await world.until(lambda: not world.two.open)
    move(world.one, world.two)
    while not names(await world.asks(4))["two"]:
        pass
    after = world.proxy.routing.groups
    assert after["articles"] is not before["articles"]
    assert (after["users"], after[None]) == (before["users"], before[None])
    assert world.proxy.propagator is propagator
    await world.until(lambda: len(world.three.checks) > checks + 1)


async def endpoints_move_all_the_time(world: ProxyWorld) -> None:
    """Nobody notices, not even who writes, and nothing is sent twice."""
    peers = (world.one, world.two, world.three)
    subsets = [peers[:1], peers[1:2], peers[:2], peers[1:], peers[::-1]]
    config = world.config(world.one, world.two, timeouts={"response": 30})
    world.stage = Stage.COMPLETE
    moves = 0

    async def move() -> None:
        nonlocal moves
        while True:
            urls = [each.url for each in subsets[moves % len(subsets)]]
            world.proxy.relocate(config.located({"articles": urls}), NO_TRUST)
            moves += 1
            await asyncio.sleep(0.002)

    async def user(number: int) -> None:
        for turn in range(20):
            path = f"/articles/{number}-{turn}"
            assert (await world.ask("POST", path))[0] == (await world.ask(path=path))[0] == 200

    moving = asyncio.create_task(move())
    await asyncio.gather(*(user(number) for number in range(8)))
    moving.cancel()
    assert moves > len(subsets)
    assert sorted(line for peer in peers for line in peer.seen) == sorted(
        f"{method} /articles/{number}-{turn} HTTP/1.1"
        for method in ("POST", "GET")
        for number in range(8)
        for turn in range(20)
    )


async def the_monolith_has_two(world: ProxyWorld) -> None:
    """What no route matches is spread as well, and falls back to nobody."""
    path = "/elsewhere"
    assert {(await world.ask(path=path))[1] for _ in range(30)} == {"one", "two"}
    world.one.stop()
    assert {(await world.ask(path=path))[1] for _ in range(10)} == {"two"}
    world.two.answer = says(503)
    assert (await world.ask(path=path))[0] == 503
    assert (await world.ask("POST", path))[0] == 503


async def a_hedge_wins(world: ProxyWorld) -> None:
    """Reads that hang are answered by the other endpoint; writes are not hedged."""
    world.one.answer = hangs
    assert names(await world.asks(10)) == {"two": 10}
    assert world.service["hedges"] == len(world.one.seen) > 0
    await world.until(lambda: world.endpoint(world.one)["active"] == 0)
    assert not world.endpoint(world.one)["failures"], "slow is not failed"
    hedges = world.service["hedges"]
    assert {status for status, _ in await world.asks(10, "POST")} == {200, 504}
    assert world.service["hedges"] == hedges


async def a_long_answer_of_a_hedge(world: ProxyWorld) -> None:
    """What comes after the head comes from the winner, too; for HTTP/1.0 without chunks."""

    async def chunks(_: Peer, __: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 103 X\r\n\r\nHTTP/1.1 200 X\r\n")
        writer.write(b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await writer.drain()
        await world.until(lambda: not world.endpoint(world.one)["active"])
        writer.write(b"3\r\ndef\r\n0\r\n\r\n")

    world.one.answer, world.two.answer = hangs, chunks
    while not world.service["hedges"]:
        assert await world.ask(version="1.0") == (200, "abcdef")
    while world.service["hedges"] < 2:
        status, rest = await world.ask()
    assert status == 103, "interim responses of the winner are passed on"
    assert rest.startswith("HTTP/1.1 200 ")
    assert rest.endswith("\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n")


async def a_hedge_takes_over(world: ProxyWorld) -> None:
    """The first attempt fails while the second one is under way: that one is the answer."""
    failed = asyncio.Event()

    async def fails_late(_: Peer, __: Any, writer: Any) -> None:
        seen = len(world.two.seen)
        await world.until(lambda: len(world.two.seen) > seen)
        writer.write(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await world.until(lambda: world.endpoint(world.one)["failures"] == 1)
        failed.set()

    async def answers(peer: Peer, reader: Any, writer: Any) -> None:
        if world.service["hedges"]:
            await failed.wait()
        await says(200)(peer, reader, writer)

    world.one.answer, world.two.answer = fails_late, answers
    while not world.service["hedges"]:
        assert await world.ask() == (200, "two")
    assert failed.is_set()
    assert not world.old.seen


async def a_hedge_fails(world: ProxyWorld) -> None:
    """Then the first attempt is still there."""

    async def answers_late(peer: Peer, reader: Any, writer: Any) -> None:
        await world.until(lambda: world.endpoint(world.two)["failures"] == 1)
        await says(200)(peer, reader, writer)

    async def fails(peer: Peer, reader: Any, writer: Any) -> None:
        await says(500 if world.service["hedges"] else 200)(peer, reader, writer)

    world.one.answer, world.two.answer = answers_late, fails
    while not world.service["hedges"]:
        status, name = await world.ask()
        assert status == 200
    assert name == "one"
    assert world.service["retries"] == 1


@pytest.mark.parametrize(
    ("scene", "configure"),
    [
        pytest.param(both_are_used, two(), id="both"),
        pytest.param(one_is_dead, two(**GENEROUS), id="dead"),
        pytest.param(one_hangs, two(**GENEROUS), id="hangs"),
        pytest.param(one_answers_500, two(**GENEROUS), id="500"),
        pytest.param(a_success_in_between, two(**GENEROUS), id="not-in-a-row"),
        pytest.param(
            one_comes_back,
            two(
                **GENEROUS,
                outlier_detection={"base_ejection_time": 0.2, "max_ejection_time": 0.2},
                slow_start_window=30,
            ),
            id="slow-start",
        ),
        pytest.param(all_are_dead, two(), id="all-dead"),
        pytest.param(health_checks, two(**CHECK), id="health-checks"),
        pytest.param(
            breaker_opens,
            two(
                circuit_breaker={"max_connections": 1, "max_pending_requests": 1},
                timeouts={"response": 10, "connect": 10},
            ),
            id="breaker",
        ),
        pytest.param(
            waiting_ends,
            two(
                circuit_breaker={"max_connections": 1, "max_pending_requests": 1},
                timeouts={"response": 10, "connect": 0.1},
            ),
            id="waiting",
        ),
        pytest.param(the_budget_stops_a_storm, two(**NONE), id="budget"),
        pytest.param(a_reload_loses_nothing, two(timeouts={"response": 10}), id="reload"),
        pytest.param(endpoints_move, two(), id="relocate"),
        pytest.param(
            endpoints_move_all_the_time, two(timeouts={"response": 30}), id="relocate-under-load"
        ),
        pytest.param(
            the_monolith_has_two,
            lambda world: world.config(
                world.old, monolith={"endpoints": [world.one.url, world.two.url]}
            ),
            id="monolith",
        ),
        pytest.param(a_hedge_wins, two(**GENEROUS, hedge={"after": 0.05}), id="hedge-wins"),
        *(
            pytest.param(
                scene,
                two(**GENEROUS, hedge={"after": 0.02}, timeouts={"response": 10}),
                id=scene.__name__,
            )
            for scene in (a_long_answer_of_a_hedge, a_hedge_takes_over, a_hedge_fails)
        ),
    ],
)
def test_two_endpoints(
    scene: Callable[[ProxyWorld], Any],
    configure: Callable[[ProxyWorld], Any],
    monkeypatch: Patch,
) -> None:
    monkeypatch.setattr(routing.pool, "REST_SECONDS", 0.1)
    play(scene, configure, monkeypatch)
