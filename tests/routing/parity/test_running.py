"""Parity of a running proxy: two workers, real sockets, one answer of the admin address."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx

Begin = Callable[[], AbstractAsyncContextManager[Any]]
Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


def says(document: dict[str, object]) -> Callable[..., Awaitable[None]]:
    async def answer(head: bytes, reader: Any, writer: Any) -> None:
        body = json.dumps(document).encode()
        lines = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        # In chunks, to see that neither side's framing is compared.
        writer.write(lines + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body))
        writer.write(body + b"\r\n0\r\n\r\n")

    return answer


def test_a_running_proxy(begin: Begin, free_port: int, wait_until: Until) -> None:
    async def run() -> None:
        async with begin() as world, httpx.AsyncClient(trust_env=False, timeout=20) as http:
            world.old.answer = says({"title": "a", "views": 1, "email": "a@example.org"})
            world.new.answer = says({"title": "a", "views": 2, "email": "b@example.org"})
            world.start_proxy(free_port, parity={"per_second": 1000})
            await world.ready(http)
            await world.stage(http, "shadow")
            for number in range(30):
                headers = {"x-user": f"u{number}", "connection": "close"}
                url = f"{world.edge}/articles/1?api_key=secret"
                assert (await http.get(url, headers=headers)).json()["views"] == 1
            parity: dict[str, Any] = {}

            async def compared() -> bool:
                answer = (await http.get(f"{world.admin}/parity")).json()
                parity.update(*answer["parity"])
                return bool(parity) and parity["compared"] >= 30

            await wait_until(compared)
            assert parity["capability"] == "publishing"
            assert parity["different"] > 15, "the first ones of each worker were open"
            groups = {group["path"]: group for group in parity["groups"]}
            assert {group["class"] for group in groups.values()} == {"real"}
            assert set(groups) == {"body.views", "body.email"}
            text = json.dumps(parity)
            assert "example.org" not in text
            assert "secret" not in text
            stats = await world.stats(http)
            assert stats["parity"][0]["most"]["path"] in groups
            metrics = (await http.get(f"{world.admin}/metrics")).text
            assert (
                'migrator_proxy_parity_compared_total{access="read",capability="publishing"}'
                in metrics
            )
            await world.stage(http, "live")
            assert (await http.get(f"{world.edge}/articles/1")).json()["views"] == 2

    asyncio.run(run())
