"""One worker process without a parent: it obeys orders, and refuses what cannot be."""

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from routing.key_files import make_decision_key

Begin = Callable[[], AbstractAsyncContextManager[Any]]
Report = dict[str, Any]
MAX_LINE = 1024 * 1024


class Worker:
    def __init__(self, reports: asyncio.StreamReader, orders: asyncio.StreamWriter) -> None:
        self._reports = reports
        self._orders = orders

    def order(self, **order: Any) -> None:
        self._orders.write(json.dumps(order).encode() + b"\n")

    async def report(self) -> Report:
        """The next one."""
        async with asyncio.timeout(30):
            report: Report = json.loads(await self._reports.readline())
            return report

    async def until(self, done: Callable[[Report], bool]) -> None:
        while not done(await self.report()):
            pass


@contextlib.asynccontextmanager
async def working(state: Path, environment: dict[str, str], **start: Any) -> AsyncIterator[Worker]:
    ours, theirs = socket.socketpair()
    with (
        theirs,
        socket.create_server(("127.0.0.1", 0)) as edge,
        socket.create_server(("127.0.0.1", 0)) as gateway,
        (state / "worker.log").open("ab") as log,
    ):
        handles = [each.fileno() for each in (theirs, edge, gateway)]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "routing.worker", str(theirs.fileno())),
            pass_fds=handles,
            env=environment,
            stderr=log,
        )
        sockets = {"edge": edge.fileno(), "gateway": gateway.fileno()}
        reports, orders = await asyncio.open_unix_connection(sock=ours, limit=MAX_LINE)
        worker = Worker(reports, orders)
        worker.order(id=0, generation=1, flags_first=False, state=str(state), **sockets, **start)
        theirs.close()
        try:
            yield worker
        finally:
            worker.order(stop=True)
            async with asyncio.timeout(30):
                while await reports.readline():
                    pass
            orders.close()
            assert await process.wait() == 0


def in_force(*services: str) -> Callable[[Report], bool]:
    """Whether the service's endpoints are these, and the flag that of the first configuration."""

    def look(report: Report) -> bool:
        origins = {each["service"]: each["endpoints"] for each in report["endpoints"]}
        addresses = [each["address"] for each in origins["articles"]]
        return [*report["known"]] == ["publishing"] and addresses == [*services]

    return look


def test_orders(begin: Begin) -> None:
    one, two, three = (f"http://127.0.0.1:{port}" for port in (1, 2, 3))

    async def run() -> None:
        async with begin() as world:
            make_decision_key(world.folder)
            good = {**world.config(), "services": {"articles": one}}
            capability = {
                "flag": "other",
                "routes": [{"path": "/articles/{id}", "service": "articles"}],
            }
            other = {**good, "capabilities": {"other": capability}, "services": {"articles": three}}
            route = capability["routes"][0]
            conflict = {"other": {**capability, "routes": [route, route]}}
            refused = [
                {**other, "decisions": {"key_file": "/nowhere"}},
                {**other, "capabilities": conflict},
                {**other, "workers": 0},
            ]
            async with working(
                world.folder, world.environment(), config=good, endpoints={"articles": [two]}
            ) as worker:
                await worker.until(in_force(two))
                for config in refused:
                    worker.order(config=config)
                worker.order(endpoints={"articles": [two, three], "unknown": [one]})
                await worker.until(in_force(two, three))
                worker.order(endpoints={})
                await worker.until(in_force(one))
                worker.order(config=other)
                await worker.until(lambda report: [*report["known"]] == ["other"])
            log = (world.folder / "worker.log").read_text()
            assert log.count("config.refused") == len(refused)

    asyncio.run(run())
