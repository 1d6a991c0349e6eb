"""What a flag server sends to an SDK, byte by byte, so that a bare writer can send the same."""

import http.client
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from bench.flags.events import at_version
from bench.flags.flag_server import PATIENCE, SDK_KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Events of one stream, each with its empty line."""

    put: bytes
    patches: tuple[bytes, bytes]
    """Two changes of the same flag, back and forth."""

    def patch(self, number: int) -> bytes:
        """The patch of change `number`, from 0, after `put`: alternating, versions growing."""
        return at_version(self.patches[number % 2], FIRST_VERSION + number)


FIRST_VERSION = 1_000_000
"""Of versions that are higher than any of a put, and all as long as each other."""


def capture(port: int, switch: Callable[[], object]) -> Capture:
    """Read the put of a new stream, and the patches of two calls of `switch`."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("GET", "/all", headers={"Authorization": SDK_KEY})
        stream = connection.getresponse()
        put = _event(stream)
        switch()
        first = _event(stream)
        switch()
        return Capture(put=put, patches=(first, _event(stream)))


def _event(stream: http.client.HTTPResponse) -> bytes:
    """The next event that is not a comment."""
    while True:
        event = b"".join(iter(stream.readline, b"\n")) + b"\n"
        if not event.startswith(b":") and event != b"\n":
            return event
