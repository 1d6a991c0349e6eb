"""When second writes last reached the other side, by path and by user, for all workers of a proxy.

One worker sends them, and each compares reads that one of them may have overtaken. So the times are
in a file that all workers have mapped: slots that paths and contexts are hashed into. Where two
share a slot, a read looks overtaken that is not: that costs nothing but its comparison.
"""

import mmap
import os
from hashlib import blake2b
from pathlib import Path
from typing import Final

from routing.errors import CannotStart
from routing.journal import FILE
from routing.journal_order import above

SLOTS: Final = 64 * 1024
_BYTES: Final = 8
_AT: Final = b"at"
_AT_OR_BELOW: Final = b"in"
_BY: Final = b"by"


class Settled:
    """Times are `time.monotonic()`, which all processes of a machine share."""

    def __init__(self, folder: Path) -> None:
        """Raises CannotStart."""
        path = folder / f"{FILE}-settled"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.ftruncate(descriptor, SLOTS * _BYTES)
                self._map = mmap.mmap(descriptor, SLOTS * _BYTES)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise CannotStart(
                f"{path}: cannot be used: {error}", hint="give it 512 KiB on a local disk"
            ) from None
        self._times = memoryview(self._map).cast("d")

    def close(self) -> None:
        self._times.release()
        self._map.close()

    def note(self, capability: str, path: str, context: bytes, now: float) -> None:
        """An attempt to send a write of `context`, the value of the context header, to `path` has
        ended."""
        self._times[_slot(_BY, capability, context)] = now
        self._times[_slot(_AT, capability, path.encode())] = now
        for each in (path, *above(path)):
            self._times[_slot(_AT_OR_BELOW, capability, each.encode())] = now

    def since(self, capability: str, path: str, context: bytes, then: float, now: float) -> bool:
        """Whether one has from `then` on that a read of `path` by `context` may show: a write to
        that path, to one below it, or to one above it, which is where it may have been made; or
        one of the same user."""
        slots = (
            _slot(_BY, capability, context),
            _slot(_AT_OR_BELOW, capability, path.encode()),
            *(_slot(_AT, capability, each.encode()) for each in above(path)),
        )
        # What is later than now is from before the machine was started anew.
        return any(then <= self._times[slot] <= now for slot in slots)


def _slot(kind: bytes, capability: str, key: bytes) -> int:
    digest = blake2b(b"%b %b %b" % (kind, capability.encode(), key), digest_size=_BYTES).digest()
    return int.from_bytes(digest) % SLOTS
