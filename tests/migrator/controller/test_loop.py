"""Whole rollouts: a real flag server, real HTTP, a virtual clock, two looks a second."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from migrator.controller.foreign import MAX_UNEXPLAINED
from migrator.controller.status import status
from migrator.errors import InvalidInput, StateError
from migrator.flagclient import AuditEntry, Flag, FlagClient
from migrator.plan.model import Migration
from migrator.rollout.events import Event, Kind
from migrator.rollout.state import Rollout
from migrator.rollout.transitions import Phase
from migrator.rollout.verbs import IllegalVerb, Verb

if TYPE_CHECKING:
    from tests.migrator.controller.conftest import Play

Begin = Callable[..., AbstractAsyncContextManager["Play"]]
FULL = 100_000


def moved_on(step: int, rollout: Rollout) -> bool:
    return rollout.step > step or rollout.phase is Phase.COMPLETE


def test_a_whole_schedule(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            shown = []
            await world.tick()
            while world.rollout.phase is not Phase.COMPLETE:
                before = world.rollout.step
                await world.until(partial(moved_on, before))
                shown.append(await world.flag())
            assert shown == [
                (True, {"dualwrite": 95_000, "live": 5_000}),
                (True, {"live": FULL}),
                (True, {"complete": FULL}),
                (True, {"complete": FULL}),
            ]
            assert world.kinds() == [
                Kind.STARTED,
                *[Kind.STEP_ENTERED, Kind.FLAG_APPLIED, Kind.STEP_PASSED] * 4,
                Kind.COMPLETED,
            ]
            entered = [e.at for e in world.events() if e.kind is Kind.STEP_ENTERED]
            assert all(b - a >= 10 for a, b in pairwise(entered))

    asyncio.run(run())


def test_it_stays_complete_and_watched(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.COMPLETE)
            events = len(world.events())
            for _ in range(50):
                await world.tick()
            assert len(world.events()) == events
            world.errors = 10
            await world.reach(Phase.ROLLED_BACK)
            await world.tick()
            assert (await world.flag())[0] is False

    asyncio.run(run())


def test_errors_roll_back_and_the_flag_stays_off(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.HOLDING, step=1)
            world.errors = 6
            rollout = await world.reach(Phase.ROLLED_BACK)
            assert "errors" in rollout.reason
            assert (await world.flag())[0] is False
            async with world.client("alice") as flags:
                newest = (await flags.audit("shop", limit=1))[0]
            assert (newest.by, newest.comment) == ("migrator-controller", rollout.reason)
            world.errors = 0
            for _ in range(40):
                assert (await world.tick()).phase is Phase.ROLLED_BACK
            assert (await world.flag())[0] is False
            world.controller.act("shop", Verb.RESUME, by="alice", reason="mended")
            await world.tick()
            assert (await world.flag()) == (True, {"dualwrite": FULL}), "from the first step"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("via", "comment", "told"),
    [
        pytest.param("cli", "", "alice turned shop off with the command line", id="cli"),
        pytest.param(None, "", "alice turned shop off through the API", id="api"),
        pytest.param(
            "cli",
            "it burns",
            'alice turned shop off with the command line ("it burns")',
            id="with-a-reason",
        ),
    ],
)
def test_a_persons_off_pauses_and_is_not_undone(
    play: Begin, via: str | None, comment: str, told: str
) -> None:
    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.HOLDING, step=1)
            await world.turn("shop", False, comment, via)
            rollout = await world.tick()
            assert (rollout.phase, rollout.reason) == (Phase.PAUSED, told)
            for _ in range(40):
                await world.tick()
            assert (await world.flag())[0] is False
            world.controller.act("shop", Verb.RESUME, by="alice", reason="")
            await world.tick()
            assert (await world.flag()) == (True, {"dualwrite": 95_000, "live": 5_000})
            await world.reach(Phase.COMPLETE)

    asyncio.run(run())


def test_off_and_on_again_between_two_looks_is_seen(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.HOLDING, step=1)
            await world.turn("shop", False)
            await world.turn("shop", True)
            rollout = await world.tick()
            assert (rollout.phase, rollout.reason) == (
                Phase.PAUSED,
                "alice changed shop through the API",
            )

    asyncio.run(run())


@pytest.mark.parametrize("service", ["cart", "stock"])
def test_a_service_that_is_switched_off_pauses(play: Begin, service: str) -> None:
    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.HOLDING, step=1)
            await world.turn(f"{service}-service", False, "leaks")
            rollout = await world.tick()
            assert rollout.phase is Phase.PAUSED
            assert rollout.reason == f'{service}-service is off (alice through the API: "leaks")'
            shown = status(world.controller, world.now)
            assert (shown["capabilities"][0]["stage"], shown["capabilities"][0]["share"]) == (
                "off",
                FULL,
            )
            assert {"name": service, "enabled": False} in shown["services"]
            with pytest.raises(IllegalVerb, match=f"{service}-service is off"):
                world.controller.act("shop", Verb.RESUME, by="alice", reason="")
            await world.turn(f"{service}-service", True)
            assert (await world.tick()).phase is Phase.PAUSED
            world.controller.act("shop", Verb.RESUME, by="alice", reason="")
            await world.reach(Phase.COMPLETE)

    asyncio.run(run())


def test_a_restart_goes_on_where_it_was(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.HOLDING, step=1)
            await world.tick()
            before, flag = world.rollout, await world.flag()
            await world.stop()
            await world.start()
            assert world.rollout == before
            await world.tick()
            assert (world.rollout, await world.flag()) == (before, flag)
            await world.reach(Phase.COMPLETE)
            assert world.kinds().count(Kind.STEP_ENTERED) == 4
            assert world.kinds().count(Kind.STARTED) == 1

    asyncio.run(run())


def test_killed_at_every_look_it_still_completes(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            for _ in range(60):
                if (await world.tick(2.0, requests=40)).phase is Phase.COMPLETE:
                    break
                await world.stop()
                await world.start()
            assert world.rollout.phase is Phase.COMPLETE
            assert world.kinds().count(Kind.STEP_ENTERED) == 4

    asyncio.run(run())


def test_killed_between_changing_the_flag_and_recording_it(
    play: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with play() as world:

            def die(events: tuple[Event, ...]) -> tuple[Event, ...]:
                if events[0].kind is Kind.FLAG_APPLIED:
                    raise KeyError("killed")
                return type(world.log).append(world.log, events)

            monkeypatch.setattr(world.log, "append", die)
            with pytest.raises(KeyError, match="killed"):
                await world.tick()
            assert (await world.flag())[0] is True
            await world.stop()
            await world.start()
            rollout = await world.tick()
            assert (rollout.phase, rollout.applied) == (Phase.HOLDING, True), "it was its own"

    asyncio.run(run())


def test_the_flag_server_goes_and_comes_back(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.HOLDING, step=1)
            await world.stop_flags()
            for _ in range(3):
                rollout = await world.tick(60)
                assert (rollout.phase, rollout.step) == (Phase.WAITING, 1)
                assert "does not answer" in status(world.controller, world.now)["problems"][0]
            assert rollout.reason == "the flag server does not answer"
            await world.start_flags()
            rollout = await world.tick()
            assert world.controller.world.problems == ()
            assert rollout.reason != "the flag server does not answer"
            await world.reach(Phase.COMPLETE)

    asyncio.run(run())


def test_without_figures_nothing_goes_on(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.HOLDING, step=1)
            world.proxy.broken = True
            for _ in range(3):
                rollout = await world.tick(60)
            assert (rollout.step, rollout.reason) == (1, "the proxy's figures are not available")
            world.proxy.broken = False
            await world.reach(Phase.COMPLETE)

    asyncio.run(run())


def test_a_restarted_proxy_does_not_confuse(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.HOLDING, step=1)
            await world.tick()
            world.proxy.instance, world.proxy.cells = "proxy-2", {}
            await world.reach(Phase.COMPLETE)

    asyncio.run(run())


def test_too_few_requests_wait_with_figures(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.HOLDING, step=1)
            for _ in range(40):
                rollout = await world.tick(requests=1)
            assert (rollout.phase, rollout.step) == (Phase.WAITING, 1)
            (shown,) = status(world.controller, world.now)["capabilities"]
            assert shown["reason"] == "not enough data: 40 of 100 requests at live"
            assert shown["origins"]["new"]["requests"] == 40
            await world.reach(Phase.COMPLETE)

    asyncio.run(run())


def test_approval_waits_for_a_person(play: Begin) -> None:
    async def run() -> None:
        async with play(("hold: 10s, min_requests: 100}", "hold: 10s, approval: true}")) as world:
            await world.reach(Phase.WAITING, step=1)
            for _ in range(20):
                assert (await world.tick()).step == 1
            world.controller.act("shop", Verb.PROMOTE, by="alice", reason="")
            assert (await world.tick()).step == 2

    asyncio.run(run())


def test_a_flag_that_was_on_before_is_left_alone(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await world.controller.tick()
            world.log.close()
            (world.folder / "rollout.db").unlink()
            flag = await world.flag()
            await world.stop()
            await world.start()
            rollout = await world.tick()
            assert rollout.phase is Phase.PAUSED
            assert rollout.reason.startswith("shop is already on")
            assert await world.flag() == flag
            world.controller.act("shop", Verb.RESUME, by="alice", reason="")
            await world.reach(Phase.COMPLETE)

    asyncio.run(run())


def test_a_deleted_flag_pauses_and_resume_makes_it_anew(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.HOLDING, step=1)
            await world.delete("shop")
            rollout = await world.tick()
            assert rollout.phase is Phase.PAUSED
            assert "by deleting the flag" in rollout.reason
            for _ in range(5):
                await world.tick()
            world.controller.act("shop", Verb.RESUME, by="alice", reason="")
            await world.reach(Phase.COMPLETE)
            assert await world.flag() == (True, {"complete": FULL})

    asyncio.run(run())


def test_a_rollout_moves_to_another_flag_server(play: Begin) -> None:
    """The flags begin anew there, the rollout does not: it shows them where it was."""

    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.HOLDING, step=1)
            before = await world.flag()
            await world.stop()
            await world.stop_flags()
            for file in world.folder.glob("flags.db*"):
                file.unlink()
            await world.start_flags()
            await world.start()
            rollout = await world.tick()
            assert (rollout.phase, rollout.step) == (Phase.HOLDING, 1)
            assert await world.flag() == before
            await world.reach(Phase.COMPLETE)

    asyncio.run(run())


def test_flags_are_made_once_and_keep_what_they_say(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await world.tick()
            assert [(await world.flag(key))[0] for key in ("cart-service", "stock-service")] == [
                True,
                True,
            ]
            async with world.client("alice") as flags:
                shop = await flags.get("shop")
            needs = {p.key for p in shop.environment.prerequisites}
            assert needs == {"cart-service", "stock-service"}
            assert [v.value for v in shop.variations] == [
                *("off", "dualwrite", "shadow", "live", "rampdown", "complete")
            ]
            await world.turn("cart-service", False)
            await world.stop()
            await world.start()
            await world.tick()
            assert (await world.flag("cart-service"))[0] is False, "somebody wanted it off"

    asyncio.run(run())


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(("hold: 10s, min_requests: 100}", "hold: 20s}"), id="holds"),
        pytest.param(("        - {stage: dualwrite, hold: 10s}\n", ""), id="a step less"),
    ],
)
def test_a_changed_plan_asks_a_person(
    play: Begin, make_plan: Callable[..., Migration], change: tuple[str, str]
) -> None:
    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.HOLDING, step=1)
            flag = await world.flag()
            await world.stop()
            await world.start(make_plan(change))
            rollout = await world.tick()
            assert rollout.phase is Phase.PAUSED
            assert "the plan's schedule changed" in rollout.reason
            assert await world.flag() == flag
            world.controller.act("shop", Verb.RESUME, by="alice", reason="")
            await world.reach(Phase.COMPLETE)
            assert world.rollout.steps == world.controller.schedule("shop")

    asyncio.run(run())


def test_promoted_in_the_moment_in_which_it_fails(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.HOLDING, step=1)
            world.errors = 9
            await world.until(lambda r: world.controller.watches["shop"].suspected is not None)
            world.controller.act("shop", Verb.PROMOTE, by="alice", reason="")
            assert (await world.tick(1.0)).phase is Phase.ROLLED_BACK
            assert (await world.flag())[0] is False

    asyncio.run(run())


def test_abort_turns_off(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.HOLDING, step=1)
            world.controller.act("shop", Verb.ABORT, by="alice", reason="enough")
            rollout = await world.tick()
            assert (rollout.phase, rollout.reason) == (Phase.ABORTED, "alice: enough")
            assert (await world.flag())[0] is False

    asyncio.run(run())


def test_an_unknown_capability_is_refused(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            with pytest.raises(InvalidInput, match="no capability 'shoe'") as refused:
                world.controller.act("shoe", Verb.PAUSE, by="alice", reason="")
            assert refused.value.hint == "there are: shop"

    asyncio.run(run())


def test_a_log_that_cannot_have_happened_is_refused(
    play: Begin, event: Callable[..., Event]
) -> None:
    async def run() -> None:
        async with play() as world:
            world.log.append([event(Kind.STEP_PASSED, step=0)])
            await world.stop()
            with pytest.raises(StateError, match="step_passed cannot happen while pending"):
                await world.start()

    asyncio.run(run())


STATUS_KEYS: dict[str, Any] = {
    "name": "shop",
    "phase": "holding",
    "stage": "live",
    "share": 5_000,
    "step": 2,
    "steps": 4,
}


def test_status(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            (before,) = status(world.controller, world.now)["capabilities"]
            assert (before["phase"], before["step"], before["stage"]) == ("pending", 0, "off")
            await world.reach(Phase.HOLDING, step=1)
            await world.tick()
            document = status(world.controller, world.now)
            assert document.keys() == {"migration", "at", "problems", "capabilities", "services"}
            (shown,) = document["capabilities"]
            assert {key: shown[key] for key in STATUS_KEYS} == STATUS_KEYS
            hold_since = world.rollout.hold_since
            assert hold_since is not None
            assert shown["hold_until"] == hold_since + 10
            assert shown["origins"]["new"] == {"requests": 20, "errors": 0, "p99_ms": 9.9}
            assert document["services"] == [
                {"name": "cart", "enabled": True},
                {"name": "stock", "enabled": True},
            ]

    asyncio.run(run())


def test_run_looks_until_it_is_stopped(play: Begin) -> None:
    async def run() -> None:
        async with play() as world:
            stop = asyncio.Event()
            news = world.controller.news
            running = asyncio.create_task(world.controller.run(stop))
            async with asyncio.timeout(20):
                await news.wait()
                stop.set()
                await running
            assert world.controller.stopping
            assert world.kinds()[:2] == [Kind.STARTED, Kind.STEP_ENTERED]

    asyncio.run(run())


def test_an_audit_log_that_lags_decides_nothing(
    play: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it says who it was, a person's change must not pass for the controller's own."""

    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.HOLDING, step=1)
            up_to_date = world.rollout
            audit = FlagClient.audit

            async def yesterday(
                client: FlagClient, key: str, *, limit: int = 20
            ) -> tuple[AuditEntry, ...]:
                found = await audit(client, key, limit=20)
                older = [each.model_copy(update={"date": each.date - 86_400_000}) for each in found]
                return tuple(older[1 : limit + 1])

            monkeypatch.setattr(FlagClient, "audit", yesterday)
            await world.turn("shop", False, "it burns", "cli")
            for _ in range(MAX_UNEXPLAINED):
                assert (await world.tick(0.0)).phase is up_to_date.phase
                assert (await world.flag())[0] is False, "never turned on again meanwhile"
                problems = status(world.controller, world.now)["problems"]
                assert problems == ["the audit log does not say yet who changed shop"]
            assert (await world.tick(0.0)).reason == "someone turned shop off"
            monkeypatch.undo()
            assert (await world.tick()).phase is Phase.PAUSED

    asyncio.run(run())


def test_a_flag_that_may_not_be_changed_is_a_problem_and_no_end(
    play: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with play() as world:
            await world.reach(Phase.HOLDING, step=1)
            refused = InvalidInput("the access token lacks a role for this")

            async def refuse(*_: object, **__: object) -> Flag:
                raise refused

            monkeypatch.setattr(FlagClient, "patch", refuse)
            world.controller.act("shop", Verb.ABORT, by="alice", reason="enough")
            for _ in range(3):
                await world.tick()
                assert status(world.controller, world.now)["problems"] == [str(refused)]
            monkeypatch.undo()
            await world.tick()
            assert status(world.controller, world.now)["problems"] == []
            assert (await world.flag())[0] is False

    asyncio.run(run())
