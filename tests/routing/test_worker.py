"""One worker process without a parent: it obeys orders, and refuses what cannot be."""

import asyncio
import contextlib
import json
import select
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from routing.key_files import make_decision_key

Begin = Callable[[], AbstractAsyncContextManager[Any]]
Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
Report = dict[str, Any]
MAX_LINE = 1024 * 1024


class Worker:
    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reports: asyncio.StreamReader,
        orders: asyncio.StreamWriter,
    ) -> None:
        self.process = process
        self._reports = reports
        self._orders = orders

    def order(self, **order: Any) -> None:
        self._orders.write(json.dumps(order).encode() + b"\n")

    async def report(self) -> Report:
        """The next one."""
        async with asyncio.timeout(30):
            report: Report = json.loads(await self._reports.readline())
            return report

    async def leave(self) -> None:
        """Be gone with a report unread, as a parent is that was killed."""
        transport = self._orders.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        unread = select.poll()
        unread.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        await asyncio.to_thread(unread.poll, 30_000)
        transport.abort()

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
            *(sys.executable, "-m", "routing", str(theirs.fileno())),
            pass_fds=handles,
            env=environment,
            stderr=log,
        )
        sockets = {"edge": edge.fileno(), "gateway": gateway.fileno()}
        reports, orders = await asyncio.open_unix_connection(sock=ours, limit=MAX_LINE)
        worker = Worker(process, reports, orders)
        worker.order(id=0, generation=1, flags_first=False, state=str(state), **sockets, **start)
        theirs.close()
        try:
            yield worker
        finally:
            if not orders.is_closing():
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


def test_a_parent_that_was_killed(begin: Begin, wait_until: Until) -> None:
    async def run() -> None:
        async with begin() as world:
            make_decision_key(world.folder)
            log = world.folder / "worker.log"

            async def noticed() -> bool:
                return "parent.gone" in log.read_text()

            async with working(
                world.folder, world.environment(), config=world.config(), endpoints={}
            ) as worker:
                await worker.report()
                await worker.leave()
                await wait_until(noticed)
                worker.process.send_signal(signal.SIGTERM)

    asyncio.run(run())
