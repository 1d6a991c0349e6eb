"""How many connections each client has open. Pure."""


class ConnectionCounts:
    """Of one worker, for as long as the configuration limits them."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: dict[bytes, int] = {}

    def take(self, client: bytes, most: int) -> bool:
        """Count one more, to be given back; False if there are `most` already."""
        count = self._open.get(client, 0)
        if count >= most:
            return False
        self._open[client] = count + 1
        return True

    def give(self, client: bytes) -> None:
        left = self._open[client] - 1
        if left:
            self._open[client] = left
        else:
            del self._open[client]
