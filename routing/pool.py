"""Connections to one origin: the idle ones, and new ones.

Idle connections stay watched: one that the origin closes leaves the pool at once, so that a
request is not sent into a closed connection when that could be known.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from routing.config import OriginTls, Timeouts
from routing.dial import Dialler
from routing.outbox import Outbox
from routing.upstream_side import UpstreamConnection

MAX_IDLE = 128
IDLE_SECONDS = 30.0
FRESH_SECONDS = 2.0
"""A request that cannot be repeated only takes a connection that was used this lately: an origin
may be about to close an older one."""
REST_SECONDS = 0.5
"""How long an origin that could not be reached is not tried by requests that have a fallback."""


class Clock(Protocol):
    """`now`: monotonic seconds, a little behind."""

    now: float


class Asker(Protocol):
    """Who wants a connection."""

    def connected(self, connection: UpstreamConnection) -> None: ...

    def unreached(self) -> None: ...


class Endpoint:
    """One origin as one worker sees it."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        timeouts: Timeouts,
        loop: asyncio.AbstractEventLoop,
        outbox: Outbox,
        tls: OriginTls | None = None,
    ) -> None:
        self._dial = Dialler(url, tls, loop)
        self._clock = clock
        self._timeouts = timeouts
        self._loop = loop
        self._outbox = outbox
        self._idle: list[UpstreamConnection] = []
        self._rests_until = 0.0

    @property
    def resting(self) -> bool:
        """Whether it could not be reached a moment ago."""
        return self._clock.now < self._rests_until

    def take(self, *, repeatable: bool) -> UpstreamConnection | None:
        """The idle connection that was used last; None if a new one is needed."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.usable and (
                repeatable or connection.idle_since > self._clock.now - FRESH_SECONDS
            ):
                return connection
            connection.close()
        return None

    def give_back(self, connection: UpstreamConnection) -> None:
        """Keep a connection whose exchange is complete on both sides."""
        if len(self._idle) >= MAX_IDLE:
            connection.close()
            return
        connection.idle_since = self._clock.now
        self._idle.append(connection)

    def forget(self, connection: UpstreamConnection) -> None:
        """The connection is closed."""
        if connection in self._idle:
            self._idle.remove(connection)

    def connect(self, asker: Asker) -> Callable[[], object]:
        """Open a connection and tell `asker` how that went; returns how to call it off."""
        return self._loop.create_task(self._connect(asker)).cancel

    def tick(self) -> None:
        """Close what has been idle for too long."""
        limit = self._clock.now - IDLE_SECONDS
        for connection in [each for each in self._idle if each.idle_since < limit]:
            self._idle.remove(connection)
            connection.close()

    def close(self) -> None:
        """Close the idle connections."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _connect(self, asker: Asker) -> None:
        try:
            async with asyncio.timeout(self._timeouts.connect):
                connection = await self._dial(lambda: UpstreamConnection(self, self._outbox))
        except (OSError, TimeoutError):
            self._rests_until = self._clock.now + REST_SECONDS
            asker.unreached()
            return
        self._rests_until = 0.0
        asker.connected(connection)
