"""Writes held until the end of one pass of the event loop, and made together then.

A write to a socket wakes the process that reads it, which is the dearest part of a write when that
process sleeps. Under load one pass of the loop serves many connections; their writes made right
after one another find the reader awake. What is written to one connection in one pass becomes one
write.
"""

import asyncio
import socket
from typing import Final, cast

DIRECT: Final = 16 * 1024
"""Bytes. More than this is written at once: copying it would cost more than it saves."""

PROBES: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
)
"""Gone is who has not said anything for a minute, nor anything to four questions in another."""


class Outbox:
    """The connections of one event loop that have something to write."""

    __slots__ = ("_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[BatchedProtocol] = []

    def add(self, connection: "BatchedProtocol") -> None:
        """Flush `connection` at the end of this pass."""
        waiting = self._waiting
        if not waiting:
            self._loop.call_soon(self._flush)
        waiting.append(connection)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for connection in waiting:
            connection.flush()


class BatchedProtocol(asyncio.Protocol):
    """A connection that writes through an outbox."""

    __slots__ = ("_outbox", "_transport", "_unsent")

    _transport: asyncio.Transport

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._unsent = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def write(self, data: bytes) -> None:
        """Send `data`; ignored once the peer is gone (`connection_lost` tells)."""
        if len(data) > DIRECT:
            before, self._unsent = self._unsent, b""
            if not self._transport.is_closing():
                self._transport.writelines((before, data) if before else (data,))
        elif self._unsent:
            self._unsent += data
        else:
            self._unsent = data
            self._outbox.add(self)

    def flush(self) -> None:
        """Write now what is held."""
        data, self._unsent = self._unsent, b""
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def probe_peer(self) -> None:
        """Have the system ask now and then whether the peer is still there (RFC 9293, 3.8.4): one
        that has vanished ends this connection, though nobody has to say anything on it."""
        connection = self._transport.get_extra_info("socket")
        if connection is not None:
            for level, option, value in PROBES:
                connection.setsockopt(level, option, value)

    def write_eof(self) -> None:
        """Close the sending side after what has been written; with TLS both sides."""
        self.flush()
        if not self._transport.is_closing():
            if self._transport.can_write_eof():
                self._transport.write_eof()
            else:
                self._transport.close()

    def close(self) -> None:
        """Close after what has been written."""
        self.flush()
        self._transport.close()
