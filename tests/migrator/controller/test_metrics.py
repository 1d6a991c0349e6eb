"""Metrics of users' own, from real HTTP servers to the verdict on a real rollout."""

import asyncio
import contextlib
import json
import math
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from flag_server import PATIENCE, SDK_KEY
from migrator.controller.api import application
from migrator.controller.push import MAX_BODY, metrics_route
from migrator.controller.status import status
from migrator.rollout.events import Kind
from migrator.rollout.state import Rollout, fold
from migrator.rollout.transitions import Phase

if TYPE_CHECKING:
    from tests.migrator.controller.conftest import Play

Begin = Callable[..., AbstractAsyncContextManager["Play"]]
Serve = Callable[[ASGIApp], AbstractAsyncContextManager[str]]
pytestmark = pytest.mark.parametrize("server", ["embedded"], indirect=True)


LONG = 60.0
"""Seconds that a whole rollout may take on a loaded machine."""


class Source:
    """Somebody's program that counts; each time it is asked, both origins have had 100 more."""

    def __init__(self) -> None:
        self.bad = {"old": 0.01, "new": 0.01}
        self.value: float | None = None
        self.status = 200
        self.asked: list[dict[str, Any]] = []
        self.totals = {"old": 1000, "new": 1000}
        self.counts = {"old": 500.0, "new": 20.0}
        self.stuck = asyncio.Event()
        self.stuck.set()

    async def webhook(self, request: Request) -> Response:
        self.asked.append(await request.json())
        await self.stuck.wait()
        if self.status != 200:
            return Response("no", self.status)
        if self.value is not None:
            return JSONResponse({"old": {"value": 1.0}, "new": {"value": self.value}})
        for origin, bad in self.bad.items():
            self.totals[origin] += 100
            self.counts[origin] += 100 * bad
        return JSONResponse(
            {
                origin: {"count": self.counts[origin], "total": self.totals[origin]}
                for origin in ("old", "new")
            }
        )


@contextlib.asynccontextmanager
async def source(serve: Serve) -> AsyncIterator[tuple[Source, str]]:
    made = Source()
    app = Starlette(routes=[Route("/judge", made.webhook, methods=["POST"])])
    async with serve(app) as origin:
        try:
            yield made, f"{origin}/judge"
        finally:
            made.stuck.set()


def judged_by(**metric: Any) -> tuple[str, str]:
    """A change of the plan: `shop` has this metric."""
    whole = {"name": "checkout-failures", "interval": "100ms", **metric}
    return "needs: [stock]", f"analysis: {{metrics: [{json.dumps(whole)}]}}"


async def until(world: "Play", done: Callable[[Rollout], bool]) -> Rollout:
    """Users come, and sources are read meanwhile: in real time, which they need."""
    async with asyncio.timeout(LONG):
        while not done(await world.tick()):
            await asyncio.sleep(0.01)
    return world.rollout


def shown(world: "Play") -> Mapping[str, Any]:
    (capability,) = status(world.controller, world.now)["capabilities"]
    found: dict[str, Any] = capability
    return found


def test_one_that_stays_good_lets_it_pass(play: Begin, serve: Serve) -> None:
    async def run() -> None:
        async with source(serve) as (judge, url):
            change = judged_by(webhook={"url": url}, max_increase="2%")
            async with play(change) as world:
                await until(world, lambda rollout: rollout.phase is Phase.COMPLETE)
                passed = [e.why for e in world.events() if e.kind is Kind.STEP_PASSED]
                assert "checkout-failures" not in passed[0], "dualwrite: it answers nobody"
                assert all("; checkout-failures: new " in why for why in passed[1:])
                facts = next(each for each in judge.asked if each["stage"] == "live")
                assert facts["metric"] == "checkout-failures"
                assert (facts["migration"], facts["capability"]) == ("cms", "shop")
                assert facts["share"] == 5.0
                assert shown(world)["metrics"] == [], "nobody asks once it is complete"

    asyncio.run(run())


def test_one_that_gets_worse_rolls_back(play: Begin, serve: Serve) -> None:
    async def run() -> None:
        async with source(serve) as (judge, url):
            judge.bad["new"] = 0.3
            change = judged_by(webhook={"url": url}, max_increase="2%")
            async with play(change) as world:
                rollout = await until(world, lambda rollout: rollout.phase is Phase.ROLLED_BACK)
                assert rollout.reason.startswith("checkout-failures: new ")
                assert "limit +2%" in rollout.reason
                assert rollout.step == 1, "at the first step with users"
                await world.tick()
                assert (await world.flag())[0] is False

    asyncio.run(run())


def test_a_source_that_fails_holds_and_never_rolls_back(play: Begin, serve: Serve) -> None:
    async def run() -> None:
        async with source(serve) as (judge, url):
            judge.status, judge.bad["new"] = 503, 0.9
            change = judged_by(webhook={"url": f"{url}?token=abc"}, max_increase="2%")
            async with play(change) as world:
                await until(world, lambda rollout: "data" in rollout.said)
                (why,) = [e.why for e in world.events() if e.kind is Kind.HELD]
                assert (
                    why == f"not enough data: checkout-failures: {url}?token=REDACTED answered 503"
                )
                assert shown(world)["metrics"] == [
                    {
                        "name": "checkout-failures",
                        "old": {"count": 0, "total": 0},
                        "new": {"count": 0, "total": 0},
                        "problem": f"{url}?token=REDACTED answered 503",
                    }
                ]
                assert world.rollout.phase is Phase.WAITING
                judge.status, judge.bad["new"] = 200, 0.0
                await until(world, lambda rollout: rollout.phase is Phase.COMPLETE)

    asyncio.run(run())


def test_a_slow_source_delays_no_look(play: Begin, serve: Serve) -> None:
    """Looks go on while it is asked; what they say is that they know nothing yet."""

    async def run() -> None:
        async with source(serve) as (judge, url):
            judge.stuck.clear()
            change = judged_by(webhook={"url": url, "timeout": "60s"}, max_increase="2%")
            async with play(change) as world:
                await until(world, lambda rollout: "data" in rollout.said)
                assert shown(world)["reason"] == "not enough data: checkout-failures: not read yet"
                world.errors = 20
                await until(world, lambda rollout: rollout.phase is Phase.ROLLED_BACK)
                assert "errors" in world.rollout.reason

    asyncio.run(run())


def test_a_value_rolls_back_after_several_readings(play: Begin, serve: Serve) -> None:
    async def run() -> None:
        async with source(serve) as (judge, url):
            judge.value = 5.0
            change = judged_by(name="queue", webhook={"url": url}, max_ratio=2, consecutive=3)
            async with play(change) as world:
                rollout = await until(world, lambda rollout: rollout.phase is Phase.ROLLED_BACK)
                assert "queue: new 5, old 1; limit max ×2, at 3 readings" in rollout.reason

    asyncio.run(run())


def test_the_monoliths_counts_outlive_the_step_and_the_controller(
    play: Begin, serve: Serve
) -> None:
    async def run() -> None:
        async with source(serve) as (judge, url):
            judge.bad = {"old": 0.0, "new": 0.0}
            change = judged_by(webhook={"url": url}, max_increase="2%")
            async with play(change) as world:
                await until(world, lambda rollout: rollout.step == 2)
                before = world.rollout.metrics["checkout-failures"]
                assert before.total >= 100
                await world.stop()
                await world.start()
                assert world.rollout.metrics["checkout-failures"] == before
                assert fold(world.events(), "shop") == world.rollout

    asyncio.run(run())


async def pay(world: "Play", users: int) -> None:
    """A service tells the flag server, as SDKs do, that each one checked out and paid."""
    events = [
        {"kind": "custom", "key": key, "context": {"kind": "user", "key": f"user-{number}"}}
        for number in range(users)
        for key in ("checkout", "paid")
    ]
    async with httpx.AsyncClient(headers={"Authorization": SDK_KEY}, timeout=PATIENCE) as http:
        (await http.post(f"{world.flags.origin}/bulk", json=events)).raise_for_status()


def test_custom_events_are_compared_by_variation(play: Begin) -> None:
    """At 50 % each user's events count for the side that the flag gives that user."""

    async def run() -> None:
        track = {"count": "paid", "total": "checkout"}
        half = ("share: 5%", "share: 50%")
        async with play(judged_by(track=track, max_decrease="2%"), half) as world:
            await until(world, lambda rollout: rollout.step == 1 and rollout.applied)
            async with asyncio.timeout(LONG):
                while world.rollout.step == 1:
                    await pay(world, 400)
                    await world.tick()
            passed = [e.why for e in world.events() if e.kind is Kind.STEP_PASSED]
            found = re.search(r"checkout-failures: new (\d+)/(\d+) .*, old (\d+)/(\d+) ", passed[1])
            assert found is not None
            new_paid, new, old_paid, old = map(int, found.groups())
            assert (new_paid, old_paid) == (new, old)
            assert 0.5 < old / new < 2, "about half of the users"

    asyncio.run(run())


def api(world: "Play") -> ASGIApp:
    """The controller's."""
    route = metrics_route(world.controller.metrics.received, "push")
    return application(world.controller, "secret", route)


def pushing(
    origin: str, token: str, service: str
) -> tuple[MeterProvider, Callable[[int, int], None]]:
    """A service with OpenTelemetry's own SDK, and what it does for users."""
    exporter = OTLPMetricExporter(
        f"{origin}/v1/metrics", headers={"authorization": f"Bearer {token}"}, timeout=PATIENCE
    )
    provider = MeterProvider(
        metric_readers=[PeriodicExportingMetricReader(exporter, export_interval_millis=math.inf)],
        resource=Resource({"service.name": service}),
    )
    meter = provider.get_meter("shop")
    failed, payments = meter.create_counter("failed"), meter.create_counter("payments")

    def serve(total: int, bad: int) -> None:
        payments.add(total)
        failed.add(bad)
        assert provider.force_flush(PATIENCE * 1000)

    return provider, serve


def test_what_services_push_is_compared(play: Begin, serve: Serve) -> None:
    async def run() -> None:
        names = {"count": "failed", "total": "payments", "old": "monolith", "new": "cart"}
        async with (
            play(judged_by(otlp=names, max_increase="2%")) as world,
            serve(api(world)) as origin,
        ):
            await until(world, lambda rollout: rollout.step == 1 and rollout.applied)
            with contextlib.ExitStack() as stack:
                sides = []
                for service in ("monolith", "cart"):
                    provider, done = pushing(origin, "push", service)
                    stack.callback(provider.shutdown)
                    sides.append(done)
                async with asyncio.timeout(LONG):
                    while world.rollout.phase is not Phase.ROLLED_BACK:
                        for done, bad in zip(sides, (1, 40), strict=True):
                            await asyncio.to_thread(done, 100, bad)
                        await world.tick()
            assert "checkout-failures: new" in world.rollout.reason

    asyncio.run(run())


ZIPPED = {"Content-Encoding": "gzip"}
PUSHES: list[tuple[str, bytes, dict[str, str], int]] = [
    ("push", b"", {}, 200),
    ("push", b"{}", {}, 400),
    ("push", b"x" * (MAX_BODY + 1), {}, 413),
    ("push", b"{}", ZIPPED, 400),
    ("secret", b"", {}, 401),
    ("wrong", b"", {}, 401),
]


def test_who_may_push_what(play: Begin, serve: Serve) -> None:
    """Services have a token of their own, which opens nothing else."""

    async def run() -> None:
        async with (
            play() as world,
            serve(api(world)) as origin,
            httpx.AsyncClient(base_url=origin, timeout=PATIENCE) as http,
        ):
            for token, body, more, expected in PUSHES:
                headers = {"Authorization": f"Bearer {token}", **more}
                answer = await http.post("/v1/metrics", content=body, headers=headers)
                assert answer.status_code == expected, (token, body[:9], more)
            headers = {"Authorization": "Bearer push"}
            assert (await http.get("/v1/status", headers=headers)).status_code == 401

    asyncio.run(run())
