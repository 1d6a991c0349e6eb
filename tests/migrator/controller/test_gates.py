"""Gates whose keepers are outside of the controller, with a real proxy address and processes."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from migrator.controller.status import status
from migrator.rollout.events import Kind
from migrator.rollout.transitions import Phase
from migrator.rollout.verbs import Verb

Begin = Callable[..., AbstractAsyncContextManager[Any]]
DUALWRITE = "{stage: dualwrite, hold: 10s}"


def test_no_live_while_second_writes_wait(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            row = {"capability": "shop", "side": "new", "state": "pending", "entries": 12}
            world.proxy.second_writes = [{**row, "oldest_seconds": 90.2}]
            await world.reach(Phase.WAITING, step=0)
            (shown,) = status(world.controller, world.now)["capabilities"]
            assert shown["reason"] == "12 second writes wait, the oldest for 90 s"
            for _ in range(5):
                assert (await world.tick(60.0)).step == 0
            world.proxy.second_writes = []
            await world.reach(Phase.COMPLETE)

    asyncio.run(run())


def test_a_freeze_holds_what_moves_by_itself(play: Begin) -> None:
    async def run() -> None:
        # The tests' clock begins on a Tuesday at 22:13:20 UTC.
        frozen = ("  capabilities:", '  freeze: [{from: "22:00", to: "23:00"}]\n  capabilities:')
        async with play(frozen) as world:
            for _ in range(5):
                assert not (await world.tick(60.0)).begun
            assert world.controller.waiting_for["shop"] == "frozen until Tue 23:00 UTC"
            await world.tick(3000.0)
            assert world.rollout.begun
            world.now -= 3000.0
            world.controller.act("shop", Verb.PROMOTE, by="alice", reason="")
            assert (await world.tick()).entered == 1, "a person may"

    asyncio.run(run())


def test_a_command_runs_again_when_the_controller_was_stopped(play: Begin, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    script = f"echo run >>{runs}; test $(wc -l <{runs}) -gt 1 || exec sleep 60"
    command = f'before_leaving: {{command: [/bin/sh, -c, "{script}"]}}'
    step = DUALWRITE.replace("hold: 10s", f"hold: 10s, {command}")

    async def run() -> None:
        async with play((DUALWRITE, step)) as world:
            while not (runs.exists() and runs.read_text()):
                await world.tick()
            await world.controller.hooks.close()
            await world.stop()
            await world.start()
            await world.until(lambda _: Kind.COMMAND_ENDED in world.kinds(), most=1000)
            await world.reach(Phase.COMPLETE)
            assert runs.read_text() == "run\nrun\n"
            assert world.kinds().count(Kind.COMMAND_ENDED) == 1

    asyncio.run(run())
