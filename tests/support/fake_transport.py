"""A transport that keeps what is written to it, and pauses its protocol as asyncio does."""

import asyncio
from typing import cast


class FakeTransport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.writes = 0
        self.closed = False
        self.aborted = False
        self._protocol: asyncio.BaseProtocol | None = None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed, "written after the end"
        self.written += bytes(data)
        self.writes += 1

    def close(self) -> None:
        self.closed = True
        self.lose()

    def abort(self) -> None:
        self.aborted = True
        self.close()

    def take(self) -> bytes:
        """What was written since the last time."""
        taken, self.written = self.written, b""
        return taken

    def pause(self) -> None:
        """The reader has a full buffer."""
        cast(asyncio.Protocol, self._protocol).pause_writing()

    def resume(self) -> None:
        cast(asyncio.Protocol, self._protocol).resume_writing()

    def lose(self) -> None:
        """The connection is gone."""
        cast(asyncio.Protocol, self._protocol).connection_lost(None)
