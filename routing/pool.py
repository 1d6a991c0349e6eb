"""Connections to one origin: the idle ones, and new ones.

Idle connections stay watched: one that the origin closes leaves the pool at once, so that a
request is not sent into a closed connection when that could be known.
"""

import asyncio
from collections.abc import Callable
from math import inf
from typing import Any, Protocol

from routing.breaker import Breaker
from routing.config import CircuitBreaker, OriginTls, Timeouts
from routing.dial import Dialler
from routing.health import Health
from routing.message import ResponseReader
from routing.outbox import Outbox
from routing.outcomes import Outcomes
from routing.outlier import Ejection
from routing.upstream_side import UpstreamConnection

MAX_IDLE = 128
IDLE_SECONDS = 30.0
FRESH_SECONDS = 1.0
"""A request that cannot be repeated only takes a connection that was used this lately: an origin
may be about to close an older one. Gunicorn does so after 2 seconds, others later."""
REST_SECONDS = 0.5
"""How long an origin that could not be reached is not tried by requests that have a fallback."""


class Clock(Protocol):
    """`now`: monotonic seconds, a little behind."""

    now: float


class Asker(Protocol):
    """Who wants a connection."""

    def connected(self, connection: UpstreamConnection) -> None: ...

    def unreached(self) -> None: ...

    def overflowed(self) -> None:
        """None has become free in time."""
        ...


class Waiter:
    """A request in the queue for a connection."""

    __slots__ = ("asker", "cancel")

    def __init__(self, asker: Asker) -> None:
        self.asker = asker
        self.cancel: Callable[[], object] | None = None
        """Calls off the connection that is being opened for it."""


class Endpoint:
    """One address of an origin as one worker sees it: its connections and its standing."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        timeouts: Timeouts,
        loop: asyncio.AbstractEventLoop,
        outbox: Outbox,
        tls: OriginTls | None = None,
    ) -> None:
        self.address = url
        self.tls = tls
        self.dial = Dialler(url, tls, loop)
        self.reader = ResponseReader()
        self._clock = clock
        self._timeouts = timeouts
        self._loop = loop
        self._outbox = outbox
        self._breaker: Breaker[Waiter] = Breaker()
        self._max_idle = MAX_IDLE
        self._idle: list[UpstreamConnection] = []
        self._rests_until = 0.0
        self._renewals = 0
        self.closed = False
        self.health = Health()
        self.ejection = Ejection()
        self.failing = 0
        """Failures since the last success."""
        self.usable_since = -inf
        """Monotonic time at which it came back, or was added."""
        self.warmth = 1.0
        """The part of its share of requests that it takes, see `slow_start`."""
        self.requests = 0
        """Sent, so far; also what was repeated here."""
        self.failures = 0
        self.overflows = 0

    def configure(self, timeouts: Timeouts, limits: CircuitBreaker | None) -> None:
        """Take over what a new configuration says; what is open stays open."""
        self._timeouts = timeouts
        self._breaker.limits = limits
        self._admit()

    @property
    def resting(self) -> bool:
        """Whether requests that have a fallback should not be sent here: it could not be reached a
        moment ago, or its health checks fail."""
        return self._clock.now < self._rests_until or not self.health.healthy

    @property
    def usable(self) -> bool:
        """Whether it is to get requests while other endpoints are there."""
        return not (self.closed or self.resting or self.ejection.active(self._clock.now))

    @property
    def load(self) -> int:
        """Requests in flight, and those that wait for a connection."""
        breaker = self._breaker
        return breaker.open - len(self._idle) + breaker.connecting + len(breaker.queue)

    @property
    def busy(self) -> bool:
        """Whether one more request would have to wait."""
        return not self._idle and not self._breaker.may_connect

    @property
    def full(self) -> bool:
        """Whether one more request may not even wait."""
        return self._breaker.full

    @property
    def at_rest(self) -> bool:
        """Whether it has no connections and nobody waits for one."""
        return not self._breaker.open and not self.load

    def take(self, *, repeatable: bool) -> UpstreamConnection | None:
        """The idle connection that was used last; None if a new one is needed."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.usable and (
                repeatable or connection.idle_since > self._clock.now - FRESH_SECONDS
            ):
                self.requests += 1
                return connection
            connection.close()
        return None

    def give_back(self, connection: UpstreamConnection) -> None:
        """Keep a connection whose exchange is complete on both sides."""
        if connection.renewals != self._renewals:
            connection.close()
            return
        if self._breaker.queue:
            waiter, _ = self._breaker.queue.popitem(last=False)
            self.requests += 1
            waiter.asker.connected(connection)
            return
        if len(self._idle) >= self._max_idle:
            connection.close()
            return
        connection.idle_since = self._clock.now
        self._idle.append(connection)

    def forget(self, connection: UpstreamConnection) -> None:
        """The connection is closed."""
        if connection in self._idle:
            self._idle.remove(connection)
        if connection.counted:
            self._breaker.open -= 1
            self._admit()

    def connect(self, asker: Asker) -> Callable[[], object]:
        """Open a connection, or wait for one while there are as many as there may be, and tell
        `asker` how that went; returns how to call it off."""
        waiter = Waiter(asker)
        self._breaker.queue[waiter] = self._clock.now + self._timeouts.connect
        self._admit()
        return lambda: self._call_off(waiter)

    def renew(self, outcomes: Outcomes) -> bool:
        """Look at the files for TLS. If they have changed, let no request use a connection that was
        made by the former ones; whether they have."""
        if not self.dial.renew(outcomes):
            return False
        self._renewals += 1
        self.drop_idle()
        return True

    def tick(self) -> None:
        """Close what has been idle for too long, and send away who has waited for too long."""
        limit = self._clock.now - IDLE_SECONDS
        for connection in [each for each in self._idle if each.idle_since < limit]:
            self._idle.remove(connection)
            connection.close()
        while (waiter := self._breaker.expired(self._clock.now)) is not None:
            self.overflows += 1
            waiter.asker.overflowed()

    def close(self) -> None:
        """Close the idle connections now and each other one after its exchange."""
        self.closed = True
        self._max_idle = 0
        self.drop_idle()

    def drop_idle(self) -> None:
        """Close the idle connections."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def document(self, wall: float) -> dict[str, Any]:
        """JSON. `wall` is what Unix time is ahead of the clock."""
        ejected = self.ejection.active(self._clock.now)
        return {
            "address": self.address,
            "healthy": self.health.healthy,
            "ejected_until": self.ejection.until + wall if ejected else None,
            "active": self._breaker.open - len(self._idle),
            "idle": len(self._idle),
            "connecting": self._breaker.connecting,
            "pending": len(self._breaker.queue),
            "requests": self.requests,
            "failures": self.failures,
            "ejections": self.ejection.count,
            "overflows": self.overflows,
        }

    def _admit(self) -> None:
        """Open connections for those who wait, as far as there may be more."""
        while (waiter := self._breaker.admit()) is not None:
            task = self._loop.create_task(self._connect(waiter.asker))
            task.add_done_callback(self._settled)
            waiter.cancel = task.cancel

    def _settled(self, _: asyncio.Task[None]) -> None:
        self._breaker.connecting -= 1
        self._admit()

    def _call_off(self, waiter: Waiter) -> None:
        if waiter.cancel is not None:
            waiter.cancel()
        else:
            self._breaker.queue.pop(waiter, None)

    async def _connect(self, asker: Asker) -> None:
        renewals = self._renewals
        try:
            async with asyncio.timeout(self._timeouts.connect):
                _, connection = await self.dial(lambda: UpstreamConnection(self, self._outbox))
            if not connection.usable:
                raise ConnectionError("closed at once")
        except (OSError, TimeoutError):
            self._rests_until = self._clock.now + REST_SECONDS
            asker.unreached()
            return
        # Not when it was made: uvloop does not tell of the end of one that was called off then.
        connection.counted = True
        connection.renewals = renewals
        self._breaker.open += 1
        self._rests_until = 0.0
        self.requests += 1
        asker.connected(connection)
