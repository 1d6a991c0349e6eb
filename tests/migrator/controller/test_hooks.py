"""Commands and webhooks of steps, with real processes and a real listener."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from migrator.controller.hooks import StepHooks
from migrator.plan.model import Step
from migrator.rollout.observation import Ended
from migrator.rollout.state import Rollout
from migrator.rollout.transitions import Phase

Serve = Callable[[ASGIApp], AbstractAsyncContextManager[str]]


def at_step(**more: Any) -> Rollout:
    step = Step.model_validate({"stage": "dualwrite", **more})
    return Rollout(
        capability="shop",
        phase=Phase.HOLDING,
        steps=(step,),
        begun=True,
        entered=0,
        applied=True,
        entry=7,
    )


def shell(script: str, timeout: str = "20s") -> dict[str, Any]:
    return {"before_leaving": {"command": ["/bin/sh", "-c", script], "timeout": timeout}}


async def until(found: Callable[[], Any]) -> Any:
    async with asyncio.timeout(20):
        while (value := found()) is None:
            await asyncio.sleep(0.01)
    return value


@pytest.mark.parametrize(
    ("script", "timeout", "problem"),
    [
        pytest.param("exit 0", "20s", "", id="success"),
        pytest.param("exit 3", "20s", "ended with code 3", id="failure"),
        pytest.param("sleep 60", "50ms", "did not end within 0.05 s", id="too long"),
    ],
)
def test_a_command(script: str, timeout: str, problem: str) -> None:
    async def run() -> None:
        hooks, rollout = StepHooks("cms"), at_step(**shell(script, timeout))
        hooks.follow(rollout, "hold")
        ended = await until(lambda: hooks.ended(rollout))
        assert ended == Ended(entry=7, problem=problem)
        assert hooks.ended(replace(rollout, entry=8)) is None
        await hooks.close()

    asyncio.run(run())


def test_a_command_that_is_not_there() -> None:
    async def run() -> None:
        hooks = StepHooks("cms")
        rollout = at_step(before_leaving={"command": ["/nowhere/backfill"]})
        hooks.follow(rollout, "hold")
        ended = await until(lambda: hooks.ended(rollout))
        assert ended.problem.startswith("cannot be run: ")

    asyncio.run(run())


def test_a_command_knows_its_step_and_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAUNCHDARKLY_ACCESS_TOKEN", "api-secret")
    told = tmp_path / "told"

    async def run() -> None:
        hooks, rollout = StepHooks("cms"), at_step(**shell(f"env >{told}"))
        hooks.follow(rollout, "hold")
        await until(lambda: hooks.ended(rollout))

    asyncio.run(run())
    lines = told.read_text().splitlines()
    assert {"MIGRATOR_CAPABILITY=shop", "MIGRATOR_STAGE=dualwrite", "MIGRATOR_ENTRY=7"} <= {*lines}
    assert "api-secret" not in told.read_text()


def test_a_step_that_is_left_stops_its_command(tmp_path: Path) -> None:
    fifo, stopped = tmp_path / "begun", tmp_path / "stopped"

    async def run() -> None:
        script = f"trap 'touch {stopped}; exit 1' TERM; touch {fifo}; sleep 60 & wait"
        hooks, rollout = StepHooks("cms"), at_step(**shell(script))
        hooks.follow(rollout, "hold")
        await until(lambda: fifo.exists() or None)
        hooks.follow(replace(rollout, phase=Phase.PAUSED), None)
        assert hooks.ended(rollout) is None
        await hooks.close()
        assert stopped.exists()

    asyncio.run(run())


def test_a_command_runs_once_for_an_entry() -> None:
    async def run() -> None:
        hooks, rollout = StepHooks("cms"), at_step(**shell("exit 0"))
        hooks.follow(replace(rollout, applied=False), "flag")
        hooks.follow(replace(rollout, command=""), "hold")
        assert hooks.ended(rollout) is None
        await hooks.close()

    asyncio.run(run())


def test_a_webhook_is_asked_until_it_opens(serve: Serve) -> None:
    asked: list[dict[str, Any]] = []

    async def may(request: Request) -> Response:
        asked.append(await request.json())
        return Response(status_code=204 if len(asked) > 1 else 409)

    async def run() -> None:
        async with serve(Starlette(routes=[Route("/may", may, methods=["POST"])])) as origin:
            hooks, rollout = (
                StepHooks("cms", ask_again=0.01),
                at_step(webhook={"url": f"{origin}/may"}),
            )
            hooks.follow(rollout, "data")
            assert not hooks._webhooks, "asked last"
            hooks.follow(rollout, "webhook")
            await until(lambda: hooks.answer(rollout) == "" or None)
            hooks.follow(rollout, "data")
            assert hooks.answer(rollout) is None, "no answer of yesterday"
            await hooks.close()

    asyncio.run(run())
    assert asked[0] == asked[1]
    assert asked[0]["capability"] == "shop"
    assert (asked[0]["stage"], asked[0]["share"], asked[0]["step"]) == ("dualwrite", 100.0, 1)


def test_a_webhook_that_does_not_answer() -> None:
    async def run() -> None:
        hooks, rollout = StepHooks("cms"), at_step(webhook={"url": "http://127.0.0.1:1/may"})
        hooks.follow(rollout, "webhook")
        assert (await until(lambda: hooks.answer(rollout))).startswith("no answer: ")
        await hooks.close()

    asyncio.run(run())
