"""A controller with a real flag server, a scripted proxy behind real HTTP, and a virtual clock."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from flag_server import ACCESS_TOKEN, PATIENCE, TOKENS, flag_server, manners
from ld_stand_in import Manners, StandIn, served, standing_in
from migrator.controller.loop import Controller
from migrator.controller.observe import ProxyStats
from migrator.controller.store import EventLog
from migrator.flagclient import FlagClient, Target
from migrator.plan.load import parse
from migrator.plan.model import Migration
from migrator.plan.schedule import steps
from migrator.rollout.events import Event, Kind
from migrator.rollout.state import Rollout
from migrator.rollout.transitions import Phase

PLAN = """\
apiVersion: migrator.dev/v1alpha1
kind: Migration
metadata: {name: cms}
spec:
  flags: {project: cms, environment: production}
  monolith: {url: "http://10.0.0.5:8000"}
  services:
    cart: {command: [python, -m, cart], restore: {interval: 10ms}}
    stock: {command: [python, -m, stock]}
  capabilities:
    shop:
      routes:
        - {path: /cart, service: cart}
      needs: [stock]
      schedule:
        - {stage: dualwrite, hold: 10s}
        - {stage: live, share: 5%, hold: 10s, min_requests: 100}
        - {stage: live, hold: 10s, min_requests: 100}
        - {stage: complete, hold: 0s}
"""


class ScriptedProxy:
    """Cumulative counters that tests write; /stats and /endpoints tell them."""

    def __init__(self) -> None:
        self.instance = "proxy-1"
        self.cells: dict[tuple[str, str], list[int]] = {}
        self.parity: list[dict[str, Any]] = []
        self.broken = False
        self.second_writes: list[dict[str, Any]] = []
        self.origins: dict[str | None, list[int]] = {}

    def ask(self, service: str | None, asked: int, failed: int, unreached: int = 0) -> None:
        """What users of one service, or of the monolith, saw."""
        counts = self.origins.setdefault(service, [0, 0, 0])
        for index, more in enumerate((asked, failed, unreached)):
            counts[index] += more

    async def endpoints(self, _: Request) -> Response:
        names = ("asked", "failed", "unreached")
        origins: list[dict[str, Any]] = [
            {"service": service, **dict(zip(names, counts, strict=True)), "endpoints": []}
            for service, counts in self.origins.items()
        ]
        return JSONResponse({"at": 0.0, "origins": origins})

    def serve(self, stage: str, origin: str, requests: int, errors: int = 0) -> None:
        cell = self.cells.setdefault((stage, origin), [0, 0])
        cell[0] += requests
        cell[1] += errors

    async def stats(self, _: Request) -> Response:
        if self.broken:
            return Response("no", 500)
        cells = [
            {
                "capability": "shop",
                "stage": stage,
                "origin": origin,
                "requests": requests,
                "errors": errors,
                "latency": {"bounds_ms": [10, 100], "counts": [requests, 0, 0]},
            }
            for (stage, origin), (requests, errors) in self.cells.items()
        ]
        return JSONResponse(
            {
                "instance": self.instance,
                "cells": cells,
                "parity": self.parity,
                "second_writes": self.second_writes,
            }
        )


class FlagServer:
    """Our own flag server, which can go and come back; or, to its clients, LaunchDarkly."""

    def __init__(self, folder: Path, manners: Manners | None) -> None:
        self.folder = folder
        self.manners = manners
        self.origin = ""
        """Of the flag server itself."""
        self.stand_in: StandIn
        self._server = contextlib.AsyncExitStack()
        self._front = contextlib.AsyncExitStack()

    async def start(self) -> None:
        """On the same port as before, with what it knew."""
        port = int(self.origin.rpartition(":")[2] or 0)
        first = not self.origin
        self.origin = await self._server.enter_async_context(flag_server(self.folder, port))
        if first and self.manners is not None:
            self.stand_in = await self._front.enter_async_context(
                standing_in(self.origin, self.manners)
            )

    async def stop(self) -> None:
        await self._server.aclose()

    async def close(self) -> None:
        await self._front.aclose()
        await self.stop()

    def target(self, who: str, via: str | None = None) -> Target:
        """Where and with which token the controller, and alice, change flags."""
        if self.manners is None:
            return Target(
                address=self.origin, token=TOKENS[who], project="cms", environment="production"
            )
        # Only our own programs sign what they change.
        signs = who == "migrator-controller" or via == "cli"
        return Target(
            address=self.stand_in.address,
            token=ACCESS_TOKEN,
            project="cms",
            environment="production",
            author=who if signs else None,
            signatures=True,
        )


class Play:
    """One migration: `tick` lets time pass and users come, then the controller look."""

    def __init__(
        self, folder: Path, plan: Migration, proxy: ScriptedProxy, admin: str, flags: FlagServer
    ) -> None:
        self.folder = folder
        self.plan = plan
        self.proxy = proxy
        self.flags = flags
        self.now = 1_700_000_000.0
        self.errors = 0
        """Of each 20 requests that the service answers."""
        self.controller: Controller
        self.ready = True
        """Whether the services' probes are answered well."""
        self._admin = admin
        self._process = contextlib.AsyncExitStack()
        self._known: dict[str, int] = {}

    async def start_flags(self) -> None:
        await self.flags.start()

    async def stop_flags(self) -> None:
        await self.flags.stop()

    async def start(self, plan: Migration | None = None) -> None:
        """A new controller process on the same log."""
        self.plan = plan or self.plan
        enter = self._process.enter_async_context
        flags = await enter(self.client("migrator-controller"))
        proxy = await enter(ProxyStats(self._admin))
        self.log = self._process.enter_context(EventLog(self.folder / "rollout.db"))
        schedules = {name: steps(c) for name, c in self.plan.spec.capabilities.items()}
        self.controller = Controller(
            self.plan,
            schedules,
            self.log,
            flags=flags,
            proxy=proxy,
            services=dict.fromkeys(self.plan.spec.services, self._admin),
            clock=lambda: self.now,
        )
        self._process.push_async_callback(self.controller.close)

    async def stop(self) -> None:
        await self._process.aclose()

    def client(self, who: str, via: str | None = None) -> FlagClient:
        return FlagClient(self.flags.target(who, via), via=via, timeout=PATIENCE)

    async def turn(self, key: str, on: bool, comment: str = "", via: str | None = None) -> None:
        """As alice."""
        async with self.client("alice", via) as flags:
            await flags.turn(key, on=on, comment=comment)

    async def delete(self, key: str) -> None:
        async with httpx.AsyncClient(headers={"Authorization": TOKENS["alice"]}) as http:
            (await http.delete(f"{self.flags.origin}/api/v2/flags/cms/{key}")).raise_for_status()

    async def flag(self, key: str = "shop") -> tuple[bool, Mapping[str, int]]:
        """On, and the shares by stage, as alice sees them."""
        async with self.client("alice") as flags:
            flag = await flags.get(key)
        return flag.on, {str(stage): share for stage, share in flag.weights() or ()}

    async def tick(self, seconds: float = 0.5, requests: int = 20) -> Rollout:
        self.now += seconds
        rollout = self.rollout
        if rollout.begun and rollout.entered is not None:
            stage = str(rollout.steps[rollout.entered].stage)
            for origin, errors in (("old", 0), ("new", self.errors)):
                self.proxy.serve(stage, origin, requests, requests * errors // 20)
        await self.controller.switches.beat()
        await self.controller.tick()
        return self.rollout

    async def probe(self, _: Request) -> Response:
        return Response(status_code=204 if self.ready else 503)

    async def until(self, done: Callable[[Rollout], bool], most: int = 200) -> Rollout:
        for _ in range(most):
            if done(await self.tick()):
                return self.rollout
        raise AssertionError(f"not within {most} looks: {self.rollout}")

    async def reach(self, phase: Phase, step: int | None = None) -> Rollout:
        return await self.until(
            lambda rollout: rollout.phase is phase and step in (None, rollout.step)
        )

    @property
    def rollout(self) -> Rollout:
        return self.controller.rollouts["shop"]

    def events(self) -> list[Event]:
        return self.log.read()

    def kinds(self) -> list[Kind]:
        return [event.kind for event in self.events()]

    async def close(self) -> None:
        await self.stop()
        await self.flags.close()


Begin = Callable[..., AbstractAsyncContextManager[Play]]


@pytest.fixture
def make_plan() -> Callable[..., Migration]:
    """The plan of these tests after textual replacements."""

    def make(*changes: tuple[str, str]) -> Migration:
        text = PLAN
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        return parse(text, "plan.yaml")

    return make


@pytest.fixture(params=["embedded", "launchdarkly"])
def server(tmp_path: Path, request: pytest.FixtureRequest) -> FlagServer:
    return FlagServer(tmp_path, manners() if request.param == "launchdarkly" else None)


@pytest.fixture
def play(tmp_path: Path, make_plan: Callable[..., Migration], server: FlagServer) -> Begin:
    @contextlib.asynccontextmanager
    async def begin(*changes: tuple[str, str]) -> AsyncIterator[Play]:
        proxy = ScriptedProxy()
        app = Starlette(routes=[Route("/stats", proxy.stats), Route("/endpoints", proxy.endpoints)])
        async with served(app) as admin:
            world = Play(tmp_path, make_plan(*changes), proxy, admin, server)
            app.router.routes.append(Route("/readyz", world.probe))
            try:
                await world.start_flags()
                await world.start()
                yield world
            finally:
                await world.close()

    return begin


@pytest.fixture(scope="session")
def serve() -> Callable[[ASGIApp], AbstractAsyncContextManager[str]]:
    return served


@pytest.fixture
def event() -> Callable[..., Event]:
    def make(kind: Kind = Kind.PAUSED, capability: str = "shop", **data: Any) -> Event:
        return Event(at=5.5, capability=capability, kind=kind, by="alice", why="so", data=data)

    return make
