"""The connections that hear the same messages, and their sign of life."""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from flags.streams.connection import Connection
from flags.wire.encoding import chunk

HEARTBEAT: Final = 30.0
"""Seconds between comment lines; SDKs give up a stream that is silent for 5 minutes."""
BEAT: Final = chunk(b":\n\n")


class Channel:
    def __init__(self) -> None:
        self.connections: set[Connection] = set()
        self._turns: deque[Connection] = deque()

    def join(self, connection: Connection) -> None:
        self.connections.add(connection)

    def leave(self, connection: Connection) -> None:
        self.connections.discard(connection)

    def send(self, message: bytes) -> None:
        """To everyone, now."""
        message = chunk(message)
        for connection in self.connections:
            connection.send(message)

    def beat(self, share: float) -> None:
        """To the next part of everyone, so that many connections make no pause for others."""
        if not self._turns:
            self._turns.extend(self.connections)
        for _ in range(min(len(self._turns), math.ceil(len(self.connections) * share))):
            connection = self._turns.popleft()
            if connection in self.connections:
                connection.beat(BEAT)

    def close(self) -> None:
        for connection in tuple(self.connections):
            connection.close()


async def keep_alive(channels: Callable[[], Iterable[Channel]]) -> None:
    """Run until cancelled."""
    while True:
        await asyncio.sleep(1)
        for channel in channels():
            channel.beat(1 / HEARTBEAT)
