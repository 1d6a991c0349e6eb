"""The beginning of a request's body, while there is no connection to an origin. Pure."""

MAX_PENDING = 64 * 1024
"""Bytes beyond which the client is paused."""


class PendingBody:
    """Of one request after another."""

    __slots__ = ("_parts", "_size")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def full(self) -> bool:
        return self._size > MAX_PENDING

    def add(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)

    def take(self) -> bytes:
        """All of it; nothing is left."""
        if not self._parts:
            return b""
        data = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        return data
