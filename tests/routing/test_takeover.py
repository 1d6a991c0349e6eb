"""A running proxy is replaced, or its listeners change, under load: no request is lost."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.proxy.unbroken import UnbrokenLoad, origin
from routing import fleet, takeover
from routing import generation as generations
from routing.config import ProxyConfig
from routing.errors import CannotStart
from routing.fleet import Fleet
from routing.listeners import Listeners
from routing.outcomes import Outcomes
from routing.takeover import ControlSocket, Offer, predecessor

Begin = Callable[[], AbstractAsyncContextManager[Any]]
Until = Callable[[Callable[[], Any]], Any]


class Running:
    """A proxy under load, and what its figures have said."""

    def __init__(self, world: Any, http: httpx.AsyncClient, load: UnbrokenLoad, until: Until):
        self.world, self.http, self.load, self._until = world, http, load, until
        self._counted = 0
        self.config: Path = world.folder / "routes.json"
        self._settings = json.loads(self.config.read_text())
        """Of the process that runs."""

    def successor(self, *arguments: str, **changes: object) -> subprocess.Popen[bytes]:
        """`proxy serve` with the same state folder, in a process group of its own."""
        self.config = self.config.with_suffix(f"{self.config.suffix}.next")
        self.config.write_text(json.dumps({**self._settings, **changes}))
        command = (
            *(sys.executable, "-m", "migrator", "proxy", "serve", "--config", str(self.config)),
            *("--state", str(self.world.folder), *arguments),
            *("--admin-port", self.world.admin.rpartition(":")[2]),
        )
        with (self.world.folder / "proxy.log").open("ab") as log:
            return subprocess.Popen(
                command,
                env=self.world.environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    async def change(self, **changes: object) -> None:
        """Let the running process read another configuration."""
        self.config.write_text(json.dumps({**self._settings, **changes}))
        self.world.process.send_signal(signal.SIGHUP)

    def log(self) -> str:
        text: str = (self.world.folder / "proxy.log").read_text()
        return text

    async def logged(self, text: str, times: int = 1) -> None:
        async def found() -> bool:
            return self.log().count(text) >= times

        await self._until(found)

    async def numbered(self, generation: int) -> None:
        """Wait until workers of that generation are about to start."""

        async def found() -> bool:
            number: str = (self.world.folder / generations.FILE).read_text()
            return number.strip() == str(generation)

        await self._until(found)

    async def workers(self, generation: int, count: int) -> None:
        """Wait until `count` workers of that generation serve; counters never fall meanwhile."""

        async def serve() -> bool:
            with contextlib.suppress(httpx.TransportError):
                stats = await self.world.stats(self.http)
                counted = int(stats["unrouted"]["requests"])
                assert counted >= self._counted
                self._counted = counted
                return {each["generation"] for each in stats["workers"]} == {generation} and (
                    len(stats["workers"]) == count
                )
            return False

        await self._until(serve)

    async def addresses(self) -> tuple[int, int]:
        """Ports of the edge and the gateway."""
        routes = (await self.http.get(f"{self.world.admin}/routes")).json()
        return routes["edge"][1], routes["gateway"][1]


def test_a_proxy_that_changes_under_load(begin: Begin, free_port: int, wait_until: Until) -> None:
    """All steps of this file, one after another."""

    async def run() -> None:
        async with begin() as world, origin() as monolith:
            async with httpx.AsyncClient(trust_env=False) as http:
                started = {"monolith": f"http://127.0.0.1:{monolith}", "timeouts": {"drain": 3.0}}
                world.start_proxy(free_port, **started)
                await world.ready(http)
                edge = int(world.edge.rpartition(":")[2])
                async with UnbrokenLoad("127.0.0.1", edge).running(each=1) as load:
                    proxy = Running(world, http, load, wait_until)
                    for step in STEPS:
                        await step(proxy)
                assert load.failed == []
                assert len(load.answered) == 5
                await the_edge_moves(proxy)

    asyncio.run(run())


async def nobody_takes_over_unasked(proxy: Running) -> None:
    unasked = proxy.successor()
    assert await asyncio.to_thread(unasked.wait, 30) == 1
    assert "a proxy runs with the state folder" in proxy.log()
    assert "--take-over" in proxy.log()


async def a_successor_dies_before_it_is_ready(proxy: Running) -> None:
    failing = proxy.successor("--take-over")
    await proxy.logged("take_over.begins")
    await proxy.numbered(2)
    os.killpg(failing.pid, signal.SIGKILL)
    await asyncio.to_thread(failing.wait, 30)
    await proxy.logged("take_over.given_up")
    assert proxy.world.process.poll() is None
    await proxy.workers(1, 2)


async def a_successor_takes_over(proxy: Running) -> None:
    """With fewer workers, whose sockets nobody needs; a tunnel ends with the time to drain."""
    instance = (await proxy.world.stats(proxy.http))["instance"]
    addresses = await proxy.addresses()
    reader, writer = await proxy.load.websocket()
    before = proxy.world.process
    proxy.world.process = proxy.successor("--take-over", workers=1)
    await proxy.workers(3, 1)
    assert await asyncio.to_thread(before.wait, 30) == 0
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    await proxy.logged("take_over.done")
    await proxy.workers(3, 1)
    assert (await proxy.world.stats(proxy.http))["instance"] == instance
    assert await proxy.addresses() == addresses


async def the_gateway_moves(proxy: Running) -> None:
    """First to an address that is taken, then with more workers."""
    edge, gateway = await proxy.addresses()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        await proxy.change(workers=2, gateway={"port": port})
        await proxy.logged(f"cannot listen on 127.0.0.1:{port}")
        assert await proxy.addresses() == (edge, gateway)
    await proxy.change(workers=2, gateway={"port": port})
    await proxy.logged("config.applied")
    await proxy.workers(4, 2)
    assert await proxy.addresses() == (edge, port)
    assert (await proxy.http.get(f"http://127.0.0.1:{port}/a")).text == "0"


STEPS = (
    nobody_takes_over_unasked,
    a_successor_dies_before_it_is_ready,
    a_successor_takes_over,
    the_gateway_moves,
)


async def the_edge_moves(proxy: Running) -> None:
    """Who is connected to the former address gets one more answer."""
    former, gateway = await proxy.addresses()
    reader, writer = await asyncio.open_connection("127.0.0.1", former)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    drain = {"drain": 20.0}
    await proxy.change(workers=1, listen={"port": port}, gateway={"port": gateway}, timeouts=drain)
    await proxy.logged("config.applied", 2)
    assert await proxy.addresses() == (port, gateway)
    assert (await proxy.http.get(f"http://127.0.0.1:{port}/a")).text == "0"
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", former)
    writer.write(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = await reader.read()
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"\r\n\r\n0")
    writer.close()


def test_workers_that_are_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "READY_WITHIN", 0.0)
    anywhere = {"port": 0}
    config = ProxyConfig.model_validate(
        {
            "migration": "m",
            "listen": anywhere,
            "gateway": anywhere,
            "workers": 2,
            "monolith": "http://a",
        }
    )

    async def run() -> None:
        workers = Fleet(config, tmp_path, None, located={}, outcomes=Outcomes())
        with pytest.raises(CannotStart, match=r"within 0 s: worker 0: not accepting; worker 1"):
            await workers.established()
        await workers.stop()

    asyncio.run(run())


@contextlib.contextmanager
def offering(state: Path) -> Iterator[tuple[ControlSocket, Offer]]:
    with contextlib.ExitStack() as opened:
        edge, gateway, admin = (
            opened.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)
        )
        control = opened.enter_context(ControlSocket(state))
        yield control, Offer(Listeners([edge], [gateway]), admin, "one")


async def ask(
    state: Path, play: Callable[[takeover.Predecessor], Coroutine[Any, Any, None]] | None = None
) -> bool:
    """Take over; whether the one that runs has let go."""
    with offering(state) as (control, offer):
        changing = asyncio.Lock()
        serving = asyncio.create_task(control.successor(lambda: offer, changing))
        try:
            former = await asyncio.to_thread(predecessor, state, take_over=True)
            assert former is not None
            with former.admin:
                for ours, theirs in zip(former.listeners, offer.listeners, strict=True):
                    assert ours.getsockname() == theirs.getsockname()
                    assert not ours.get_inheritable()
                    ours.close()
                assert former.admin.getsockname() == offer.admin.getsockname()
            if play is None:
                former.give_up()
            else:
                taking = asyncio.create_task(play(former))
                successor = await serving
                successor.tell({"cells": [{"one": 1}]})
                await taking
                assert former.figures["cells"] == [{"one": 1}]
                successor.tell({"cells": [{"one": 2}]})
                await successor.end()
                await former.follow()
                assert former.figures["cells"] == [{"one": 2}]
            return changing.locked()
        finally:
            serving.cancel()


def test_the_conversation(tmp_path: Path) -> None:
    state = tmp_path / ("long" * 40)
    state.mkdir()
    assert asyncio.run(ask(state, takeover.Predecessor.replace))
    assert (state / takeover.FILE).stat().st_mode & 0o777 == 0o600
    asyncio.run(ask(state))
    assert predecessor(state, take_over=True) is None, "what is left of one that has ended"
    assert predecessor(state / "none", take_over=True) is None


def test_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with offering(tmp_path):
        monkeypatch.setattr("os.geteuid", lambda: 4_000_000_000)
        with pytest.raises(CannotStart, match="belongs to another user's process"):
            predecessor(tmp_path, take_over=True)


def test_a_process_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takeover, "OFFER_WITHIN", 0.01)
    with offering(tmp_path):
        with pytest.raises(CannotStart, match="does not hand over: timed out"):
            predecessor(tmp_path, take_over=True)
