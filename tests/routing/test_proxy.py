"""The whole proxy: real workers, real SDK, real sockets."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest

Begin = Callable[[], AbstractAsyncContextManager[Any]]
Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
ALICE = {"x-user": "alice"}


def scenario(
    begin: Begin, play: Callable[[Any, httpx.AsyncClient], Awaitable[None]], **changes: object
) -> None:
    """Run `play` against a ready proxy with `changes` in its configuration."""

    async def run() -> None:
        async with begin() as world, httpx.AsyncClient(trust_env=False, timeout=20) as http:
            world.start_proxy(**changes)
            await world.ready(http)
            await play(world, http)

    asyncio.run(run())


def test_messages(begin: Begin) -> None:
    """One proxy, many shapes of messages: all of them pass through unchanged."""

    async def play(world: Any, http: httpx.AsyncClient) -> None:
        await world.stage(http, "live")

        async def chunks() -> Any:
            for _ in range(50):
                yield b"x" * 1000

        url = f"{world.edge}/articles/1"
        large = b"y" * 3_000_000
        for content, size in ((b"", 0), (b"abc", 3), (large, len(large))):
            answer = await http.post(url, content=content, headers=ALICE)
            assert answer.text == f"new {size}"
        answer = await http.post(url, content=chunks(), headers=ALICE)
        assert answer.text == "new 50000"
        assert (await http.get(f"{world.edge}/other")).text == "old 0"

        pipelined = b"GET /articles/1 HTTP/1.1\r\nHost: a\r\n\r\n" * 3
        last = b"GET /other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        answers = await world.on_wire(pipelined + last)
        assert (answers.count(b"new 0"), answers.count(b"old 0")) == (3, 1)
        assert answers.endswith(b"old 0")

        oldest = await world.on_wire(b"GET /other HTTP/1.0\r\n\r\n")
        assert oldest.startswith(b"HTTP/1.1 200 OK\r\n")
        assert oldest.endswith(b"\r\n\r\nold 0")

        slow = await world.on_wire(b"GET /articles/1 HTTP/1.1\r\nHost:")
        assert slow.startswith(b"HTTP/1.1 408 ")
        refused = await world.on_wire(b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n")
        assert refused.startswith(b"HTTP/1.1 400 ")
        assert b"application/problem+json" in refused

        async def no_body(_head: bytes, _reader: Any, writer: Any) -> None:
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

        world.new.answer = no_body
        assert (await http.get(url, headers=ALICE)).status_code == 204
        assert (await http.get(url, headers=ALICE)).status_code == 204, "the connection is in step"

        async def chunked(_head: bytes, _reader: Any, writer: Any) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            writer.write(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

        world.new.answer = chunked
        assert (await http.get(url, headers=ALICE)).text == "abcde"
        bare = await world.on_wire(b"GET /articles/1 HTTP/1.0\r\nX-User: alice\r\n\r\n")
        assert bare.endswith(b"\r\n\r\nabcde")

        async def interim(_head: bytes, reader: Any, writer: Any) -> None:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await reader.readexactly(2)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + body)

        world.new.answer = interim
        asked = b"PUT /articles/1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
        asked += b"Content-Length: 2\r\nConnection: close\r\n\r\nok"
        told = await world.on_wire(asked)
        assert told.startswith(b"HTTP/1.1 100 ")
        assert told.endswith(b"ok")

        async def upgrade(_head: bytes, reader: Any, writer: Any) -> None:
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n")
            writer.write(b"Upgrade: websocket\r\n\r\n")
            writer.write(b"echo " + await reader.readexactly(4))
            await writer.drain()
            writer.close()

        world.new.answer = upgrade
        asked = b"GET /articles/1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
        tunnel = await world.on_wire(asked + b"Upgrade: websocket\r\n\r\nping")
        assert tunnel.startswith(b"HTTP/1.1 101 ")
        assert tunnel.endswith(b"echo ping")

    scenario(begin, play)


def test_limits(begin: Begin) -> None:
    """What is beyond a limit is refused, and the connection closes."""

    async def play(world: Any, http: httpx.AsyncClient) -> None:
        start = b"POST /other HTTP/1.1\r\nHost: a\r\n"
        for data, status in (
            (b"GET /" + b"a" * 200 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
            (b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 600 + b"\r\n\r\n", 431),
            (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-A: 1\r\n" * 9 + b"\r\n", 431),
            (start + b"Content-Length: 11\r\n\r\n", 413),
            (start + b"Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\nabcde\r\n", 413),
            (start + b"Content-Length: 10\r\nConnection: close\r\n\r\n0123456789", 200),
            (
                start + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                b"a\r\n0123456789\r\n0\r\n\r\n",
                200,
            ),
        ):
            answer = await world.on_wire(data)
            assert answer.startswith(b"HTTP/1.1 %d " % status), data

        async def tunnel(_head: bytes, reader: Any, writer: Any) -> None:
            writer.write(SWITCHES)
            writer.write(await reader.readexactly(4))

        world.old.answer = tunnel
        host, _, port = world.edge.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(WEBSOCKET)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        world.old.answer = stalls
        late = await world.on_wire(start + b"Content-Length: 1\r\nConnection: close\r\n\r\na")
        assert late.startswith(b"HTTP/1.1 504 ")

        async def half(_head: bytes, reader: Any, writer: Any) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            await reader.read()

        world.old.answer = half
        with contextlib.suppress(ConnectionResetError):
            cut = await world.on_wire(b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n")
            assert cut.endswith(b"half")

        # By now the time for a whole request is long over for the tunnel, but it has none.
        writer.write(b"ping")
        assert await reader.readexactly(4) == b"ping"
        writer.close()
        # Two workers with two connections each: the fifth is one too many wherever it lands.
        opened = [await asyncio.open_connection(host, int(port)) for _ in range(5)]
        ends = [asyncio.create_task(reader.read()) for reader, _ in opened]
        done, waiting = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED, timeout=20)
        assert all(end.result().startswith(b"HTTP/1.1 429 ") for end in done)
        assert done
        for end in waiting:
            end.cancel()
        for _, writer in opened:
            writer.close()

    limits = {"request_line": 128, "head": 512, "fields": 8, "body": 10}
    limits["connections_per_client"] = 2
    scenario(begin, play, limits=limits, timeouts={"total": 0.5})


WEBSOCKET = b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCHES = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


async def resets(_head: bytes, _reader: Any, writer: Any) -> None:
    writer.transport.abort()


async def garbage(_head: bytes, _reader: Any, writer: Any) -> None:
    writer.write(b"hello\r\n\r\n")


async def fails(_head: bytes, _reader: Any, writer: Any) -> None:
    writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\ndown")


async def stalls(_head: bytes, reader: Any, _writer: Any) -> None:
    await reader.read()


def test_a_failing_service(begin: Begin) -> None:
    """Reads are answered by the monolith; writes that may have been seen are not repeated."""

    async def play(world: Any, http: httpx.AsyncClient) -> None:
        url = f"{world.edge}/articles/1"
        for stage in ("rampdown", "complete"):
            await world.stage(http, stage)
            for answer, status in ((resets, 502), (garbage, 502), (fails, 503), (stalls, 504)):
                world.new.answer = answer
                world.old.seen.clear()
                world.new.seen.clear()
                read = await http.get(url, headers=ALICE)
                assert (read.status_code, read.text) == (200, "old 0"), answer
                assert "fallback=old" in read.headers["x-migrator-decision"]
                assert len(world.old.seen) == 1
                world.new.seen.clear()
                written = await http.post(url, content=b"abc", headers=ALICE)
                assert written.status_code == status, answer
                assert len(world.new.seen) == 1, "a write was sent twice"
                assert len(world.old.seen) == 1, "a write was repeated at the monolith"
            world.new.answer = world.new.echo
        world.new.stop()
        await world.stage(http, "live")
        assert (await http.post(url, content=b"abc", headers=ALICE)).text == "old 3"
        await world.stage(http, "complete")
        refused = await http.post(url, content=b"abc", headers=ALICE)
        assert refused.status_code == 503, "at complete the monolith takes no writes"
        assert refused.headers["retry-after"] == "1"
        assert (await http.get(url, headers=ALICE)).text == "old 0"

    scenario(begin, play)


def test_the_monolith_comes_back_within_the_time_for_retries(begin: Begin) -> None:
    async def play(world: Any, http: httpx.AsyncClient) -> None:
        world.old.stop()
        asked = asyncio.create_task(http.get(f"{world.edge}/other"))
        written = asyncio.create_task(http.post(f"{world.edge}/other", content=b"abc"))
        await asyncio.sleep(0)
        await world.old.start()
        assert (await asked).text == "old 0"
        assert (await written).text == "old 3"

    scenario(begin, play)


def test_the_same_user_on_the_same_side(begin: Begin) -> None:
    async def play(world: Any, http: httpx.AsyncClient) -> None:
        await world.stage(http, "live", share=50_000)
        sides: dict[str, set[str]] = {}
        for number in range(160):
            user = f"user-{number % 40}"
            async with httpx.AsyncClient(trust_env=False, timeout=20) as fresh:
                answer = await fresh.get(f"{world.edge}/articles/1", headers={"x-user": user})
            sides.setdefault(user, set()).add(answer.text)
        assert all(len(side) == 1 for side in sides.values())
        assert {side for one in sides.values() for side in one} == {"old 0", "new 0"}
        # What the edge sends along is the context at the gateway, whatever the cookie says.
        for user, side in sides.items():
            if side == {"new 0"}:
                head = next(seen for seen in world.new.seen if user.encode() in seen)
                header = head.split(b"X-Migrator-Context: ")[1].split(b"\r\n")[0].decode()
                passed = {"X-Migrator-Context": header, "Cookie": "uid=somebody-else"}
                answer = await http.get(f"{world.gateway}/articles/1", headers=passed)
                assert answer.text == "new 0"

    scenario(begin, play)


def test_processes_die(begin: Begin, wait_until: Until) -> None:
    async def play(world: Any, http: httpx.AsyncClient) -> None:
        await world.stage(http, "live")
        for _ in range(10):
            await http.get(f"{world.edge}/articles/1", headers=ALICE)

        async def counted() -> bool:
            return requests(await world.stats(http)) >= 10

        await wait_until(counted)
        before = await world.stats(http)
        dead = before["workers"][0]["pid"]
        os.kill(dead, signal.SIGKILL)

        async def replaced() -> bool:
            pids = {worker["pid"] for worker in (await world.stats(http))["workers"]}
            ready = await http.get(f"{world.admin}/readyz")
            return ready.is_success and dead not in pids and None not in pids

        # Connections that come meanwhile wait for the successor instead of being refused.
        for _ in range(20):
            async with httpx.AsyncClient(trust_env=False, timeout=20) as fresh:
                assert (await fresh.get(f"{world.edge}/other")).text == "old 0"
        await wait_until(replaced)
        assert requests(await world.stats(http)) >= requests(before)

        workers = [worker["pid"] for worker in (await world.stats(http))["workers"]]
        assert world.process is not None
        world.process.kill()
        world.process.wait()
        try:
            for _ in range(10):
                async with httpx.AsyncClient(trust_env=False, timeout=20) as fresh:
                    assert (await fresh.get(f"{world.edge}/articles/1")).text == "new 0"
        finally:
            for pid in workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)

    scenario(begin, play)


def requests(stats: dict[str, Any]) -> int:
    return sum(int(cell["requests"]) for cell in stats["cells"])


def test_routes_change_while_it_runs(begin: Begin, wait_until: Until) -> None:
    async def play(world: Any, http: httpx.AsyncClient) -> None:
        await world.stage(http, "live")
        routes = (await http.get(f"{world.admin}/routes")).json()
        path = world.folder / "routes.json"
        good = json.loads(path.read_text())
        route = {"path": "/more/{id}", "service": "articles"}
        good["capabilities"]["publishing"]["routes"].append(route)

        path.write_text(json.dumps({**good, "capabilities": {"publishing": {"flag": 7}}}))
        world.process.send_signal(signal.SIGHUP)

        async def refused() -> bool:
            return "config.refused" in (world.folder / "proxy.log").read_text()

        await wait_until(refused)
        assert (await http.get(f"{world.admin}/routes")).json() == routes
        path.write_text(json.dumps(good))
        world.process.send_signal(signal.SIGHUP)

        async def moved() -> bool:
            return (await http.get(f"{world.edge}/more/1", headers=ALICE)).text == "new 0"

        await wait_until(moved)

    scenario(begin, play)


def test_last_known_flags(begin: Begin, free_port: int) -> None:
    """A proxy that starts while the flag server is away decides by the flags on disk."""

    async def run() -> None:
        async with begin() as world, httpx.AsyncClient(trust_env=False, timeout=20) as http:
            world.start_proxy()
            await world.ready(http)
            await world.stage(http, "live")
            world.end()
            cache = world.folder / "flags.json"
            assert cache.stat().st_mode & 0o777 == 0o600
            world.flags = f"http://127.0.0.1:{free_port}"
            world.start_proxy()
            await world.ready(http)
            assert (await http.get(f"{world.edge}/articles/1", headers=ALICE)).text == "new 0"
            assert {w["flags"] for w in (await world.stats(http))["workers"]} == {"cached"}
            world.end()
            cache.write_text("{ broken")
            world.start_proxy()

            async def serves() -> bool:
                with contextlib.suppress(httpx.TransportError):
                    await http.get(f"{world.admin}/healthz")
                    return True
                return False

            while not await serves():
                await asyncio.sleep(0.02)
            routes = (await http.get(f"{world.admin}/routes")).json()
            edge = "http://{}:{}".format(*routes["edge"])
            answer = await http.get(f"{edge}/articles/1", headers=ALICE)
            assert answer.text == "old 0", "no flags at all: the monolith answers"
            assert (await http.get(f"{world.admin}/readyz")).status_code == 503

    asyncio.run(run())


@pytest.mark.parametrize(
    ("key", "words"),
    [
        pytest.param(
            "sdk-00000000-wrong", "refuses the SDK key that ends in ...rong", id="wrong-key"
        )
    ],
)
def test_it_does_not_start(begin: Begin, key: str, words: str) -> None:
    async def run() -> None:
        async with begin() as world:
            config = world.folder / "routes.json"
            config.write_text(json.dumps(world.config()))
            done = await asyncio.to_thread(
                subprocess.run,
                [
                    *(sys.executable, "-m", "migrator", "proxy", "serve"),
                    *("--config", str(config), "--state", str(world.folder)),
                ],
                env=world.environment(key),
                capture_output=True,
                text=True,
                timeout=30,
            )
        assert done.returncode == 1
        assert words in done.stderr
        assert key not in done.stderr

    asyncio.run(run())
