"""The proxy's admin address: health, readiness, routes, flags and configuration in force, counters,
second writes that wait.

Served by the parent, on loopback by default. Read-only: nothing here changes anything.
"""

import contextlib
import time
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from routing.config import ProxyConfig
from routing.fleet import Fleet
from routing.journal import Journal
from routing.metrics import WorkerState, exposition
from routing.parity.report import counters, parity_report
from routing.stats import empty

UNKNOWN = {"version": None, "on": None}
"""Of a flag that a worker does not have."""

MAX_WRITES = 1000
"""Entries of the journal in one answer."""
MAX_DIGITS = 18
"""Of the number of an entry: more do not fit in the 64 bits of SQLite."""


def application(
    fleet: Fleet, config: Callable[[], ProxyConfig], state: Path, endpoint_source: Callable[[], str]
) -> Starlette:
    """`config` gives the configuration in force; `state`: the folder with the journal of second
    writes; `endpoint_source`: see `EndpointFollower.source`."""

    async def index(_: Request) -> Response:
        """These paths."""
        return JSONResponse(
            {route.path: (route.endpoint.__doc__ or "").partition("\n")[0] for route in paths}
        )

    async def healthz(_: Request) -> Response:
        """200 while this process lives."""
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        """200 once every worker accepts connections and knows flags."""
        if waiting := fleet.waiting:
            return JSONResponse({"status": "starting", "waiting": waiting}, 503)
        return JSONResponse({"status": "ok"})

    async def routes(_: Request) -> Response:
        """Routes and endpoints in force, and the addresses of both listeners."""
        shown = fleet.in_force.shown()
        return JSONResponse(
            {
                "edge": list(fleet.edge),
                "gateway": list(fleet.gateway),
                "endpoint_source": endpoint_source(),
                **{
                    name: shown[name]
                    for name in ("migration", "monolith", "services", "capabilities")
                },
            }
        )

    async def stats(_: Request) -> Response:
        """Counters and latency histograms since the start that `instance` names.

        It is the start of this proxy, or of the first of those that took over from one another.
        """
        cells = fleet.cells()
        routed = [cell for cell in cells if cell["capability"] is not None]
        rest = [cell for cell in cells if cell["capability"] is None]
        return JSONResponse(
            {
                "instance": fleet.instance,
                "at": time.time(),
                "workers": [
                    {
                        "id": member.id,
                        "generation": member.generation,
                        "pid": member.pid,
                        "flags": member.flags,
                        "requests": member.requests,
                        "connections": member.report.get("connections", 0),
                    }
                    for member in fleet.members
                ],
                "cells": routed,
                "copies": fleet.copies(),
                "parity": counters(fleet.parity()),
                "second_writes": await run_in_threadpool(_waiting, state),
                "unrouted": rest[0] if rest else empty(None, None, "old"),
            }
        )

    async def flags(_: Request) -> Response:
        """Each capability's flag as each worker has it."""
        keys: dict[str, list[str]] = {}
        for name, capability in config().capabilities.items():
            keys.setdefault(capability.flag, []).append(name)
        return JSONResponse(
            {
                "flags": [
                    {
                        "key": key,
                        "capabilities": names,
                        "workers": [
                            {"id": member.id, **member.report.get("known", {}).get(key, UNKNOWN)}
                            for member in fleet.members
                        ],
                    }
                    for key, names in keys.items()
                ]
            }
        )

    async def metrics(_: Request) -> Response:
        """The counters for Prometheus."""
        workers = [
            WorkerState(
                id=member.id,
                accepting=member.accepting,
                flags=member.flags,
                connections=member.report.get("connections", 0),
                lines_dropped=member.report.get("lines_dropped", 0),
            )
            for member in fleet.members
        ]
        waiting = await run_in_threadpool(_waiting, state)
        text = exposition(
            fleet.cells(),
            fleet.outcomes(),
            workers,
            origins=fleet.endpoints(),
            endpoint_source=endpoint_source(),
            copies=fleet.copies(),
            waiting=waiting,
            parity=fleet.parity(),
        )
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    async def endpoints(_: Request) -> Response:
        """The endpoints of every origin; `service` is null for the monolith."""
        return JSONResponse(
            {"at": time.time(), "source": endpoint_source(), "origins": fleet.endpoints()}
        )

    async def writes(request: Request) -> Response:
        """Entries of the journal of second writes, oldest first; never what they say."""
        asked = request.query_params
        after = asked.get("after", "0")
        if not after.isdecimal() or len(after) > MAX_DIGITS:
            return JSONResponse({"message": f"after: {after!r} is not a number"}, 400)

        def read() -> list[Mapping[str, Any]]:
            with contextlib.closing(Journal(state)) as journal:
                return journal.entries(
                    limit=MAX_WRITES,
                    after=int(after),
                    state=asked.get("state"),
                    capability=asked.get("capability"),
                )

        return JSONResponse({"writes": await run_in_threadpool(read)})

    async def parity(_: Request) -> Response:
        """How the answers of both sides to mirrored reads agree, and where they differ."""
        return JSONResponse(
            {"instance": fleet.instance, "at": time.time(), "parity": parity_report(fleet.parity())}
        )

    async def configuration(_: Request) -> Response:
        """The whole configuration in force with its defaults; secrets are hidden."""
        return JSONResponse(config().shown())

    paths = [
        Route("/", index),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/routes", routes),
        Route("/flags", flags),
        Route("/stats", stats),
        Route("/metrics", metrics),
        Route("/endpoints", endpoints),
        Route("/writes", writes),
        Route("/parity", parity),
        Route("/config", configuration),
    ]
    return Starlette(
        routes=paths, middleware=[Middleware(BaseHTTPMiddleware, dispatch=_by_address)]
    )


async def _by_address(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """On loopback, nobody but a browser that was led there asks for another machine's name (DNS
    rebinding): the page that led it may read the answer."""
    server = request.scope.get("server")
    host = request.url.hostname or ""
    if server and _is_loopback(server[0]) and host != "localhost" and _address(host) is None:
        return JSONResponse({"message": f"Host: {host!r} is not served, expected an address"}, 421)
    return await call_next(request)


def _is_loopback(text: str) -> bool:
    address = _address(text)
    return address is not None and address.is_loopback


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _waiting(state: Path) -> list[dict[str, Any]]:
    """How much waits in the journal; see `Journal.summary`."""
    now = time.time()
    with contextlib.closing(Journal(state)) as journal:
        return [
            {**each, "oldest_seconds": max(now - each.pop("oldest_at"), 0.0)}
            for each in journal.summary()
        ]
