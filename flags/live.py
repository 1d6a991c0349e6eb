"""What the dashboard and the health endpoints may ask of the streams, from any thread."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

from flags.dashboard.live import Stream
from flags.errors import NotFound, Unavailable
from flags.evaluation.context import Context
from flags.model import Snapshot
from flags.sdk.seen import Seen
from flags.store import Change
from flags.streams.hub import EnvironmentHub, Hub
from flags.wire.encoding import compact

_T = TypeVar("_T")
_PATIENCE = 5.0
"""Seconds that the event loop may take to answer another thread."""
_MOST_MESSAGES = 1000
"""That wait for one dashboard page; beyond them it is ended, and loads anew."""


class Live:
    """Made on the event loop's thread; the methods without `async` are for other threads."""

    def __init__(self, hub: Hub, seen: Seen, loop: asyncio.AbstractEventLoop) -> None:
        self._hub = hub
        self._seen = seen
        self._loop = loop
        self._pages: set[asyncio.Queue[bytes | None]] = set()

    def connections(self, project: str, environment: str) -> int:
        """SDKs that have a stream open."""
        return self._ask(
            project,
            environment,
            lambda found: sum(len(c.connections) for _, c in found.channels),
        )

    def streams(self, project: str, environment: str) -> list[Stream]:
        """Each of them: `sdk`, `kind`, `connected_seconds`, `behind_seconds`."""
        found = self._ask(project, environment, lambda hub: list(hub.streams()))
        return [
            Stream(
                sdk=info.agent,
                kind=info.kind,
                connected_seconds=round(info.connected, 1),
                behind_seconds=round(info.behind, 1),
            )
            for info in found
        ]

    def snapshot(self, project: str, environment: str) -> Snapshot:
        """Raises `NotFound`."""
        return self._ask(project, environment, lambda hub: hub.state.snapshot)

    def recent(self, project: str, environment: str) -> Sequence[Context]:
        """Contexts that were seen lately."""
        return self._seen.recent(project, environment)

    async def follow(self, heartbeat: float) -> AsyncIterator[bytes]:
        """Server-sent events that name what changes, for one dashboard page."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_MOST_MESSAGES)

        def tell(change: Change) -> None:
            item = change.item
            message = {
                "project": change.project,
                "environment": change.environment,
                "kind": type(item).__name__.lower(),
                "key": item.key,
            }
            if queue.full():
                end()
                _end(queue)
            else:
                queue.put_nowait(b"data: " + compact(message) + b"\n\n")

        self._pages.add(queue)
        end = self._hub.watch(tell)
        try:
            while True:
                try:
                    message = await asyncio.wait_for(queue.get(), heartbeat)
                except TimeoutError:
                    message = b":\n\n"
                if message is None:
                    return
                yield message
        finally:
            end()
            self._pages.discard(queue)

    def close(self) -> None:
        """End the dashboard pages' streams. On the event loop's thread."""
        for queue in self._pages:
            _end(queue)

    def _ask(self, project: str, environment: str, ask: Callable[[EnvironmentHub], _T]) -> _T:
        """Raises `NotFound`, or `Unavailable` while the server stops."""

        async def answer() -> _T:
            found = self._hub.get(project, environment)
            if found is None:
                raise NotFound(f"environment {environment!r} of {project!r} does not exist")
            return ask(found)

        waiting = asyncio.run_coroutine_threadsafe(answer(), self._loop)
        try:
            return waiting.result(_PATIENCE)
        except TimeoutError:
            waiting.cancel()
            raise Unavailable("the server is stopping") from None


def _end(queue: asyncio.Queue[bytes | None]) -> None:
    """Let whoever reads it come to the end."""
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(None)
