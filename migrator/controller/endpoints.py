"""The endpoints of services, streamed to every proxy as they come and go.

What the runtime says is ready, except that a service of which nothing is ready keeps the endpoints
that were: whether they are asked, or the monolith, is the proxy's to decide. The wire format is in
docs/proxy.md; its reader is `routing.endpoint_updates`.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from migrator.controller.bearer import guarded
from migrator.errors import MigratorError

LOOK_EVERY: Final = 0.25
"""Seconds between two looks at the runtime's record."""
ALIVE_EVERY: Final = 15.0
"""Seconds of silence on a stream before a comment shows that it lives."""

Endpoints = Mapping[str, tuple[str, ...]]
"""Origins by the service's name."""

logger = logging.getLogger(__name__)


def known_after(known: Endpoints, ready: Endpoints) -> Endpoints:
    """What to stream when `ready` are ready and `known` was streamed before."""
    last = {name: ready[name] or known.get(name, ()) for name in ready}
    return {name: origins for name, origins in last.items() if origins}


def event(before: Endpoints | None, now: Endpoints) -> str:
    """What tells a proxy that knows `before` of `now`; empty if nothing is new."""
    if before is None or before.keys() - now.keys():
        return _event("snapshot", now)
    changed = {name: now[name] for name in now if now[name] != before.get(name)}
    return _event("change", changed) if changed else ""


class EndpointFeed:
    """`run` looks, `stream` tells."""

    def __init__(self, read: Callable[[], Endpoints]) -> None:
        """`read` gives what is ready now, of each service; it may raise MigratorError."""
        self._read = read
        self._known: Endpoints = {}
        self._news = asyncio.Event()
        self._closed = False
        self._problem = ""

    def look(self) -> None:
        """Once."""
        try:
            now = known_after(self._known, self._read())
        except MigratorError as error:
            if str(error) != self._problem:
                logger.warning("endpoints.unknown %s", error)
            self._problem = str(error)
            return
        self._problem = ""
        if now != self._known:
            self._known = now
            self._tell()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY)

    async def stream(self) -> AsyncIterator[str]:
        """Server-sent events: all that is known, then what changes, until `close`."""
        told: Endpoints | None = None
        while not self._closed:
            news = self._news
            if said := event(told, self._known):
                told = self._known
                yield said
            try:
                async with asyncio.timeout(ALIVE_EVERY):
                    await news.wait()
            except TimeoutError:
                yield ": alive\n\n"

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def endpoints_route(feed: EndpointFeed, *tokens: str) -> Route:
    """`GET /v1/endpoints` for those who present one of `tokens`."""

    async def endpoints(_: Request) -> Response:
        return StreamingResponse(
            feed.stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    return Route("/v1/endpoints", guarded(endpoints, *tokens))


def _event(name: str, services: Endpoints) -> str:
    return f"event: {name}\ndata: {json.dumps({'services': services})}\n\n"
