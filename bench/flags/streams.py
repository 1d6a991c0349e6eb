"""Many event streams read by one thread: no HTTP client, no SDK, so that the server is measured."""

import select
import socket
import time
from typing import Final, NamedTuple

from bench.flags.errors import BenchError
from bench.flags.events import Counter
from bench.flags.flag_server import SDK_KEY

PATIENCE: Final = 60.0
"""Seconds without any byte until a measurement counts as failed."""
AT_ONCE: Final = 100
"""Streams that may wait for their put together while many are opened."""
CHUNK: Final = 64 * 1024
"""Bytes read at a time."""
_REQUEST: Final = (
    f"GET /all HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {SDK_KEY}\r\n"
    "Accept: text/event-stream\r\n\r\n"
).encode()


class Arrival(NamedTuple):
    """When one patch was read in full, in seconds of CLOCK_MONOTONIC."""

    first: float
    """By the first stream that was read."""
    last: float
    """By the last one."""


class Streams:
    """Streams of the server at `port`; one thread opens and reads them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._counters: dict[int, Counter] = {}

    def close(self) -> None:
        self._epoll.close()
        for each in self._sockets.values():
            each.close()

    def open(self, count: int, at_once: int = AT_ONCE) -> list[float]:
        """Add `count` streams: for each, the seconds from its connect until its put was read.

        At most `at_once` of them wait for their put at any time.
        """
        started: dict[int, float] = {}
        seconds: list[float] = []
        while len(seconds) < count:
            while len(started) < min(at_once, count - len(seconds)):
                start = time.monotonic()
                started[self._connect()] = start
            for descriptor in self._readable():
                if self._read(descriptor) and descriptor in started:
                    seconds.append(time.monotonic() - started.pop(descriptor))
                    self._counters[descriptor] = Counter(b"patch")
        return seconds

    def patched(self) -> Arrival:
        """One more patch on every stream."""
        missing = set(self._sockets)
        first = None
        while missing:
            for descriptor in self._readable():
                if self._read(descriptor):
                    first = first or time.monotonic()
                    missing.discard(descriptor)
        last = time.monotonic()
        return Arrival(first=first or last, last=last)

    def _connect(self) -> int:
        stream = socket.create_connection(("127.0.0.1", self._port), PATIENCE)
        stream.sendall(_REQUEST)
        descriptor = stream.fileno()
        self._sockets[descriptor] = stream
        self._counters[descriptor] = Counter(b"put")
        self._epoll.register(descriptor, select.EPOLLIN)
        return descriptor

    def _readable(self) -> list[int]:
        found = self._epoll.poll(PATIENCE, max(len(self._sockets), 1))
        if not found:
            raise BenchError(f"{len(self._sockets)} streams were silent for {PATIENCE:.0f} s")
        return [descriptor for descriptor, _ in found]

    def _read(self, descriptor: int) -> int:
        data = self._sockets[descriptor].recv(CHUNK)
        if not data:
            raise BenchError("the server ended a stream")
        return self._counters[descriptor].feed(data)
