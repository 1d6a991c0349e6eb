"""The admin address of a running proxy."""

import asyncio
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

Begin = Callable[[], AbstractAsyncContextManager[Any]]
Until = Callable[[Callable[[], Any]], Any]


def test_metrics_and_configuration(begin: Begin, wait_until: Until) -> None:
    async def run() -> None:
        async with begin() as world, httpx.AsyncClient(trust_env=False, timeout=20) as http:
            world.start_proxy()
            await world.ready(http)
            for _ in range(3):
                assert (await http.get(f"{world.edge}/articles/1")).status_code == 200

            async def counted() -> bool:
                text = (await http.get(f"{world.admin}/metrics")).text
                return bool(re.search(r'requests_total\{.*stage="off"\} 3\.0', text))

            await wait_until(counted)
            answer = await http.get(f"{world.admin}/metrics")
            assert answer.headers["content-type"].startswith("text/plain")
            values = {
                (sample.name, sample.labels.get("worker"), sample.labels.get("state")): sample.value
                for family in text_string_to_metric_families(answer.text)
                for sample in family.samples
            }
            for worker in ("0", "1"):
                assert values["migrator_proxy_worker_accepting", worker, None] == 1
                assert values["migrator_proxy_flags", worker, "streaming"] == 1
            document = (await http.get(f"{world.admin}/config")).json()
            assert document["capabilities"]["publishing"]["flag"] == "publishing"
            assert document["timeouts"]["idle"] == 75.0, "defaults are filled in"
            for number in ("x", "9" * 30, "9" * 5000):
                answer = await http.get(f"{world.admin}/writes?after={number}")
                assert answer.status_code == 400
            for host, status in (
                ("evil.example", 421),
                ("127.0.0.1.evil.example:80", 421),
                ("LOCALHOST:1", 200),
                ("[::1]:80", 200),
            ):
                answer = await http.get(f"{world.admin}/healthz", headers={"Host": host})
                assert answer.status_code == status, host
            listed = (await http.get(f"{world.admin}/")).json()
            assert {"/", "/healthz", "/readyz", "/flags", "/config"} <= set(listed)
            assert all(listed.values()), "each path says what it is"

            async def on_everywhere() -> bool:
                (flag,) = (await http.get(f"{world.admin}/flags")).json()["flags"]
                assert (flag["key"], flag["capabilities"]) == ("publishing", ["publishing"])
                assert [worker["id"] for worker in flag["workers"]] == [0, 1]
                return all(worker["on"] and worker["version"] > 1 for worker in flag["workers"])

            assert not await on_everywhere()
            await world.stage(http, "live")
            await wait_until(on_everywhere)

    asyncio.run(run())
