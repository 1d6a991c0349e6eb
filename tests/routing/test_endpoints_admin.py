"""What the admin address of a running proxy says of endpoints, also after a reload."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx

Begin = Callable[[], AbstractAsyncContextManager[Any]]
Until = Callable[[Callable[[], Any]], Any]


def test_endpoints(begin: Begin, wait_until: Until) -> None:
    async def run() -> None:
        async with begin() as world, httpx.AsyncClient(trust_env=False, timeout=20) as http:
            one, two = (f"http://127.0.0.1:{each.port}" for each in (world.old, world.new))
            world.start_proxy(monolith={"endpoints": [one, two]})
            await world.ready(http)
            told = [(await http.get(f"{world.edge}/other")).text for _ in range(20)]
            assert set(told) == {"old 0", "new 0"}

            async def said() -> dict[str, Any]:
                document = (await http.get(f"{world.admin}/endpoints")).json()
                monolith = next(each for each in document["origins"] if each["service"] is None)
                return {each["address"]: each for each in monolith["endpoints"]}

            async def counted() -> bool:
                requests: int = sum(each["requests"] for each in (await said()).values())
                return requests == 20

            await wait_until(counted)
            endpoints = await said()
            assert endpoints[two]["requests"] == told.count("new 0")
            assert endpoints[one]["healthy"]
            metrics = (await http.get(f"{world.admin}/metrics")).text
            assert f'endpoint_requests_total{{endpoint="{two}",service=""}}' in metrics

            path = world.folder / "routes.json"
            path.write_text(json.dumps({**json.loads(path.read_text()), "monolith": one}))

            async def gone() -> bool:
                return two not in await said()

            await wait_until(gone)
            assert (await http.get(f"{world.admin}/routes")).json()["monolith"] == one

    asyncio.run(run())
