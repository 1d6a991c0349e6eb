"""Server-sent events out of the bytes of a stream, as HTML's standard has them (9.2.6).

Pure. Lines end with LF or CRLF; a lone CR, which the standard also takes, is part of a line here.
"""

from dataclasses import dataclass


class TooLong(ValueError):
    """An event is longer than is allowed."""


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    data: str


class EventReader:
    """One stream. No event of it, with all of its lines, is longer than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        """Of the event that has begun."""
        self._line: list[bytes] = []
        self._name = ""
        self._data: list[str] = []

    def feed(self, content: bytes) -> list[Event]:
        """The events that `content` completes. Raises TooLong, and UnicodeDecodeError."""
        events = []
        *ends, rest = content.split(b"\n")
        for end in ends:
            self._take(end)
            line = b"".join(self._line).removesuffix(b"\r").decode()
            self._line = []
            if line:
                self._field(line)
                continue
            if self._data:
                events.append(Event(self._name or "message", "\n".join(self._data)))
            self._name, self._data, self._size = "", [], 0
        self._take(rest)
        return events

    def _take(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._limit:
            raise TooLong(f"an event is longer than {self._limit} bytes")
        if part:
            self._line.append(part)

    def _field(self, line: str) -> None:
        """Comments have no name; `id` and `retry` do not matter to somebody who always begins anew
        with everything."""
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._name = value
        elif name == "data":
            self._data.append(value)
