"""Programs under the supervisor: real ones, whose state it writes down."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from migrator.runtimes.local import program
from migrator.runtimes.local.endpoints import ready_endpoints
from migrator.runtimes.local.ports import choose
from migrator.runtimes.local.program import ProcessEvent
from migrator.runtimes.local.spec import ProcessSpec
from migrator.runtimes.local.supervisor import Supervisor
from migrator.state import StateDir

SICK = """
import http.server, os, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if os.path.exists(sys.argv[2]) else 200)
        self.end_headers()

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not done():
            await asyncio.sleep(0.01)


def test_a_replica_is_out_of_use_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "KEEP_PROBING_EVERY", 0.01)
    state = StateDir(tmp_path / "state")
    state.create()
    sick = tmp_path / "sick"
    ports = choose({"cart": 0, "cart.2": 0}, {}, ())
    specs = [
        ProcessSpec(
            name=name,
            command=(sys.executable, "-c", SICK, str(port), str(sick if name == "cart.2" else "")),
            cwd=tmp_path,
            env=os.environ,
            port=port,
            ready=f"http://127.0.0.1:{port}/",
            level=0,
            service="cart",
            keep_probing=True,
        )
        for name, port in ports.items()
    ]
    first, second = (f"http://127.0.0.1:{port}" for port in ports.values())
    events: list[ProcessEvent] = []

    async def run() -> None:
        supervisor = Supervisor(state, specs, events.append)
        try:
            await supervisor.start()
            assert ready_endpoints(state) == {"cart": (first, second)}
            sick.touch()
            await until(lambda: ready_endpoints(state) == {"cart": (first,)})
            sick.unlink()
            await until(lambda: ready_endpoints(state) == {"cart": (first, second)})
        finally:
            await supervisor.stop()
        assert ready_endpoints(state) == {"cart": ()}

    asyncio.run(run())
    told = [each.event for each in events if each.process == "cart.2"]
    assert told == ["started", "ready", "unready", "ready", "stopped"]
    unready = next(each for each in events if each.event == "unready")
    assert unready.detail == f"3 probes in vain ({second}/)"
