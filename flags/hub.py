"""The event streams of connected SDKs: one encoded message shared by all of them.

Lives on one event loop. Keeps the whole state encoded, so that a new connection, or one that reads
too slowly, gets a fresh put without touching the database.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from hashlib import sha256
from typing import Final, TypeVar

from flags import wire
from flags.model import Flag
from flags.store import Change

HEARTBEAT: Final = b":\n\n"
MAX_BACKLOG: Final = 64
"""Messages that may wait for a slow reader before they are replaced by one put."""


class Subscription:
    """What waits for one SDK."""

    def __init__(self, put: Callable[[], bytes]) -> None:
        self._put = put
        self._backlog: list[bytes] | None = None
        """None: a put is due, which makes every message before it needless."""
        self.wake = asyncio.Event()

    def offer(self, message: bytes) -> None:
        if self._backlog is not None and len(self._backlog) < MAX_BACKLOG:
            self._backlog.append(message)
        else:
            self._backlog = None
        self.wake.set()

    def take(self) -> bytes:
        waiting = self._put() if self._backlog is None else b"".join(self._backlog)
        self._backlog = []
        return waiting


class Watcher:
    """What waits for one dashboard page: keys of flags, each once."""

    def __init__(self) -> None:
        self._keys: dict[str, None] = {}
        self.wake = asyncio.Event()

    def offer(self, key: str) -> None:
        self._keys[key] = None
        self.wake.set()

    def take(self) -> bytes:
        waiting = b"".join(b"data: " + wire.compact(key) + b"\n\n" for key in self._keys)
        self._keys = {}
        return waiting


Reader = TypeVar("Reader", Subscription, Watcher)


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

    def subscribe(self, heartbeat: float) -> AsyncIterator[bytes]:
        """One SDK's events: a put, then what changes; a comment after `heartbeat` silent seconds.

        Counts as a connection from the first event asked for until the iterator is closed.
        """
        return self._follow(Subscription(self.put), self._subscriptions, heartbeat)

    def watch(self, heartbeat: float) -> AsyncIterator[bytes]:
        """One dashboard page's events: keys of flags that change."""
        return self._follow(Watcher(), self._watchers, heartbeat)

    def close(self) -> None:
        """End every stream; SDKs reconnect by themselves."""
        self.closed = True
        for wake in [s.wake for s in self._subscriptions] + [w.wake for w in self._watchers]:
            wake.set()

    async def _follow(
        self, reader: Reader, readers: set[Reader], heartbeat: float
    ) -> AsyncIterator[bytes]:
        readers.add(reader)
        try:
            while not self.closed:
                if waiting := reader.take():
                    yield waiting
                    continue
                reader.wake.clear()
                try:
                    await asyncio.wait_for(reader.wake.wait(), heartbeat)
                except TimeoutError:
                    yield HEARTBEAT
        finally:
            readers.discard(reader)
