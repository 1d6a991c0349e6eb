"""An event stream as a client without any library sees it: a raw socket, chunks, lines."""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

PATIENCE: Final = 20.0
"""Seconds that anything awaited may take on a loaded machine."""
Event = tuple[str, Any]
"""Its name, and its data as JSON."""


class RawConnection:
    """One HTTP connection; answers are read to their last byte and not a byte further."""

    def __init__(self, origin: str, *, receive_buffer: int | None = None) -> None:
        address = urlsplit(origin)
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect((address.hostname, address.port))
        self._input = self.socket.makefile("rb")
        self._text = ""
        self.status = 0
        self.headers: dict[str, str] = {}

    def close(self) -> None:
        self._input.close()
        self.socket.close()

    def request(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> None:
        """Send it and read the head of the answer."""
        fields = {"Host": "localhost", **(headers or {})}
        if body or method in ("POST", "REPORT"):
            fields["Content-Length"] = str(len(body))
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.socket.sendall(f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        self.read_head()

    def read_head(self) -> None:
        self.status = int(self._line().split(" ")[1])
        self.headers = {}
        while line := self._line():
            name, value = line.split(": ", 1)
            self.headers[name.lower()] = value

    def body(self) -> bytes:
        """Of an answer with Content-Length."""
        return self._input.read(int(self.headers["content-length"]))

    def chunk(self) -> bytes:
        """The next chunk of the answer; empty for the last one."""
        size = int(self._line(), 16)
        data = self._input.read(size)
        assert len(data) == size, "the connection ended within a chunk"
        assert self._input.read(2) == b"\r\n"
        return data

    def at_end(self) -> bool:
        """Whether the server has closed the connection, after everything that was said."""
        return self._input.read(1) == b""

    def event(self) -> Event:
        """The next one; comment lines are skipped."""
        while True:
            while "\n\n" not in self._text:
                chunk = self.chunk()
                assert chunk, "the stream ended"
                self._text += chunk.decode()
            block, self._text = self._text.split("\n\n", 1)
            if not block.startswith(":"):
                name, data = block.split("\n")
                return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))

    def events(self, last: str) -> list[Event]:
        """Up to the first one of that name."""
        found = [self.event()]
        while found[-1][0] != last:
            found.append(self.event())
        return found

    def ended(self) -> bool:
        """Whether the stream ends properly, without another event."""
        return not self._text and self.chunk() == b"" and self.at_end()

    def _line(self) -> str:
        return self._input.readline().decode().removesuffix("\r\n")


@contextmanager
def connection(origin: str, *, receive_buffer: int | None = None) -> Iterator[RawConnection]:
    raw = RawConnection(origin, receive_buffer=receive_buffer)
    try:
        yield raw
    finally:
        raw.close()


@contextmanager
def stream(
    origin: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    body: bytes = b"",
) -> Iterator[RawConnection]:
    """One that the server accepts."""
    with connection(origin) as raw:
        raw.request(method, target, headers, body)
        assert raw.status == 200, raw.headers
        yield raw


def parsed(text: bytes) -> list[Event]:
    """Name and data of every event in `text`; comment lines are skipped."""
    found = []
    for block in text.decode().split("\n\n"):
        if block and not block.startswith(":"):
            name, data = block.split("\n")
            found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def unchunked(raw: bytes) -> bytes:
    """The content of whole chunks."""
    data = b""
    while raw:
        size, _, rest = raw.partition(b"\r\n")
        length = int(size, 16)
        data += rest[:length]
        assert rest[length : length + 2] == b"\r\n", "a chunk is longer or shorter than it says"
        raw = rest[length + 2 :]
    return data
