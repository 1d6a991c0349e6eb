"""A whole proxy whose service's endpoints come and go by the stream: no reload, nothing lost."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx

from endpoint_server import TOKEN, EndpointServer, endpoint_server, event
from proxy_in_process import NO_TRUST
from routing.config import ProxyConfig
from routing.endpoint_follower import recall
from routing.explain import explain
from routing.known_flags import known_flags

Begin = Callable[[], AbstractAsyncContextManager[Any]]
Until = Callable[[Callable[[], Any]], Any]
ALICE = {"x-user": "alice"}


def test_endpoints_come_and_go(begin: Begin, wait_until: Until, tmp_path: Path) -> None:
    """`old`, the monolith, becomes the service's second endpoint, and then its only one."""

    async def play(world: Any, server: EndpointServer, http: httpx.AsyncClient) -> None:
        old, new = (f"http://127.0.0.1:{each.port}" for each in (world.old, world.new))
        held, release = asyncio.Event(), asyncio.Event()

        async def hold(head: bytes, reader: Any, writer: Any) -> None:
            held.set()
            await release.wait()
            await world.new.echo(head, reader, writer)

        async def ask(path: str = "/articles/1") -> str:
            answer = await http.get(f"{world.edge}{path}", headers=ALICE)
            return answer.raise_for_status().text

        async def said() -> dict[str, Any]:
            document: dict[str, Any] = (await http.get(f"{world.admin}/endpoints")).json()
            return document

        async def in_force(*addresses: str) -> bool:
            origins = (await said())["origins"]
            service = next(each for each in origins if each["service"] == "articles")
            return [each["address"] for each in service["endpoints"]] == [*addresses]

        def explained(world: Any, stream: dict[str, str]) -> tuple[tuple[str, ...], str]:
            """Endpoints of the service and their source, by what is on disk."""
            config = ProxyConfig.model_validate(world.config(endpoints=stream))
            with known_flags(world.folder, world.environment()["LAUNCHDARKLY_SDK_KEY"]) as flags:
                told = explain(
                    *(config, b"GET /articles/1 HTTP/1.1\r\nHost: a\r\n\r\n", flags, NO_TRUST, 0.0),
                    peer="127.0.0.1",
                    edge=True,
                    located=recall(world.folder, config),
                )
            return tuple(told.origin.endpoints), told.source

        async def updates(outcome: str, count: int) -> bool:
            text = (await http.get(f"{world.admin}/metrics")).text
            line = f'migrator_proxy_endpoint_updates_total{{outcome="{outcome}"}} {count}.0'
            return line in text

        server.greeting = event("snapshot", articles=[new])
        token = tmp_path / "token"
        token.write_text(TOKEN)
        stream = {"url": server.url, "token_file": str(token)}
        world.start_proxy(endpoints=stream, timeouts={"response": 30})
        await world.ready(http)
        await world.stage(http, "complete")
        assert len(server.heads) == 1, "one stream for all workers"

        world.new.answer = hold
        asked = asyncio.create_task(ask())
        await held.wait()
        server.say(event("change", articles=[old]))
        await wait_until(lambda: in_force(old))
        routes = (await http.get(f"{world.admin}/routes")).json()
        assert (routes["services"], routes["endpoint_source"]) == ({"articles": old}, "stream")
        assert [await ask() for _ in range(8)] == ["old 0"] * 8
        release.set()
        assert await asked == "new 0", "it ends where it began"

        server.greeting = server.greeting.replace(b"http", b"ftp")
        server.say(event("change", articles=["no-origin"]))
        await wait_until(lambda: updates("refused", 1))
        assert await updates("applied", 2)
        assert await ask() == "old 0"

        server.stop()
        world.end()
        world.new.answer = world.new.echo
        world.start_proxy(endpoints=stream)
        await world.ready(http)
        assert (await said())["source"] == "kept"
        assert (await http.get(f"{world.admin}/routes")).json()["endpoint_source"] == "kept"
        assert explained(world, stream) == ((old,), "kept")
        assert await in_force(old)
        assert await ask() == "old 0"
        server.greeting = event("snapshot", articles=[new, old])
        await server.start()
        await wait_until(lambda: in_force(new, old))
        assert (await said())["source"] == "stream"
        assert {await ask() for _ in range(40)} == {"old 0", "new 0"}

    async def run() -> None:
        async with (
            endpoint_server() as server,
            begin() as world,
            httpx.AsyncClient(trust_env=False, timeout=30) as http,
        ):
            await play(world, server, http)

    asyncio.run(run())
