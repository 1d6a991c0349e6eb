"""How many connections each address has open. Pure."""


class ConnectionCounts:
    """Of one worker, for as long as the configuration limits them."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: dict[bytes, int] = {}

    def take(self, address: bytes, most: int) -> bool:
        """Count one more, to be given back; False if there are `most` already."""
        count = self._open.get(address, 0)
        if count >= most:
            return False
        self._open[address] = count + 1
        return True

    def give(self, address: bytes) -> None:
        left = self._open[address] - 1
        if left:
            self._open[address] = left
        else:
            del self._open[address]
