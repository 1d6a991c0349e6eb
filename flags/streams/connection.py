"""One open event stream: a transport that is written to directly, with no task of its own.

A reader that is slower than what is said gets no backlog: from when its buffer is full nothing more
is written, and once it has caught up it gets a fresh start, the whole state of that moment.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

from flags.wire.encoding import LAST_CHUNK

STALLED: Final = 300.0
"""Seconds after which a reader that takes nothing is disconnected."""


class Audience(Protocol):
    """Whoever writes to a set of connections."""

    def leave(self, connection: "Connection") -> None: ...


class Connection(asyncio.Protocol):
    """Whoever writes gives whole chunks; nothing is copied for one connection."""

    __slots__ = ("_audience", "_fresh", "_stalled_since", "_transport", "agent", "opened", "stale")

    def __init__(self, audience: Audience, fresh: Callable[[], bytes], agent: str) -> None:
        """`fresh` gives the whole state as it is at that moment."""
        self._audience = audience
        self._fresh = fresh
        self._transport: asyncio.Transport | None = None
        self._stalled_since: float | None = None
        self.agent = agent
        self.opened = time.monotonic()
        self.stale: float | None = None
        """Since when (monotonic) it lacks something; None while it has everything."""

    def start(self, transport: asyncio.Transport, head: bytes) -> None:
        """Take the transport over and say everything."""
        self._transport = transport
        transport.set_protocol(self)
        transport.write(head + self._fresh())

    def send(self, message: bytes) -> None:
        if self._transport is None:
            return
        if self._stalled_since is None:
            self._transport.write(message)
        elif self.stale is None:
            self.stale = time.monotonic()

    def beat(self, message: bytes) -> None:
        """A sign of life, which a reader that is behind does not need; one that is dead ends."""
        if self._transport is None:
            return
        if self._stalled_since is None:
            self._transport.write(message)
        elif time.monotonic() - self._stalled_since > STALLED:
            self._transport.abort()

    def close(self) -> None:
        """End the stream after what was written; the SDK reconnects by itself."""
        if self._transport is None:
            return
        if self._stalled_since is not None:
            self._transport.abort()  # it might never take the rest
            return
        self._transport.write(LAST_CHUNK)
        self._transport.close()

    def pause_writing(self) -> None:
        self._stalled_since = time.monotonic()

    def resume_writing(self) -> None:
        self._stalled_since = None
        if self.stale is not None and self._transport is not None:
            self.stale = None
            self._transport.write(self._fresh())

    def data_received(self, data: bytes) -> None:
        """A client has nothing to say here; what it says is not kept."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._audience.leave(self)
