"""The event streams of connected SDKs: one encoded message shared by all of them.

Lives on one event loop. Keeps the whole state encoded, so that a new connection, or one that reads
too slowly, gets a fresh put without touching the database.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from hashlib import sha256
from typing import Final

from flags import wire
from flags.model import Flag
from flags.store import Change

HEARTBEAT: Final = b":\n\n"
MAX_BACKLOG: Final = 64
"""Messages that may wait for a slow reader before they are replaced by one put."""


class Hub:
    """Create it, and call every method, on the loop's thread."""

    def __init__(self, flags: Iterable[Flag]) -> None:
        self._members = {flag.key: wire.member(flag) for flag in flags}
        self._subscriptions: set[Subscription] = set()
        self._watchers: set[Watcher] = set()
        self.closed = False

    @property
    def connections(self) -> int:
        """SDKs that are connected now."""
        return len(self._subscriptions)

    def poll(self) -> tuple[bytes, str]:
        """Body and ETag of a poll of everything."""
        body = wire.all_data(self._members.values())
        return body, f'"{sha256(body).hexdigest()[:32]}"'

    def put(self) -> bytes:
        return wire.put_event(self._members.values())

    def publish(self, change: Change) -> None:
        """Tell every connection of one committed change."""
        if change.flag is None:
            self._members.pop(change.key, None)
            message = wire.delete_event(change.key, change.version)
        else:
            self._members[change.key] = wire.member(change.flag)
            message = wire.patch_event(change.flag)
        for subscription in self._subscriptions:
            subscription.offer(message)
        for watcher in self._watchers:
            watcher.offer(change.key)

    def subscribe(self) -> "Subscription":
        subscription = Subscription(self)
        self._subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: "Subscription") -> None:
        self._subscriptions.discard(subscription)

    def watch(self) -> "Watcher":
        """For the dashboard: keys of changed flags."""
        watcher = Watcher()
        self._watchers.add(watcher)
        return watcher

    def unwatch(self, watcher: "Watcher") -> None:
        self._watchers.discard(watcher)

    def close(self) -> None:
        """End every stream; SDKs reconnect by themselves."""
        self.closed = True
        for wake in [s.wake for s in self._subscriptions] + [w.wake for w in self._watchers]:
            wake.set()


class Subscription:
    """One SDK's stream: a put, then what changes."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._backlog: deque[bytes] = deque([hub.put()])
        self.wake = asyncio.Event()

    def offer(self, message: bytes) -> None:
        if len(self._backlog) >= MAX_BACKLOG:
            self._backlog.clear()
            message = self._hub.put()
        self._backlog.append(message)
        self.wake.set()

    async def messages(self, heartbeat: float) -> AsyncIterator[bytes]:
        """Encoded events until the hub closes; a comment line after `heartbeat` silent seconds."""
        try:
            while not self._hub.closed:
                if self._backlog:
                    waiting = b"".join(self._backlog)
                    self._backlog.clear()
                    yield waiting
                    continue
                self.wake.clear()
                try:
                    await asyncio.wait_for(self.wake.wait(), heartbeat)
                except TimeoutError:
                    yield HEARTBEAT
        finally:
            self._hub.unsubscribe(self)


class Watcher:
    """One dashboard page's stream: keys of flags that changed, each once."""

    def __init__(self) -> None:
        self._keys: dict[str, None] = {}
        self.wake = asyncio.Event()

    def offer(self, key: str) -> None:
        self._keys[key] = None
        self.wake.set()

    async def events(self, hub: Hub, heartbeat: float) -> AsyncIterator[bytes]:
        try:
            while not hub.closed:
                self.wake.clear()
                try:
                    await asyncio.wait_for(self.wake.wait(), heartbeat)
                except TimeoutError:
                    yield HEARTBEAT
                keys, self._keys = self._keys, {}
                for key in keys:
                    yield b"data: " + wire.compact(key) + b"\n\n"
        finally:
            hub.unwatch(self)
