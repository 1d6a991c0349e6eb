"""Bodies of second writes until they are in the journal: in memory, and beyond that on disk.

Room is claimed before an origin sees a byte of what it is for, so that no write is done at one side
and found too long for the other. A thread writes the files, since a slow disk must not hold up the
event loop. What it has not written is in memory, and stays there if the disk refuses it.
"""

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic
from typing import IO, Any, Final

from routing.config import SecondWrites
from routing.copies import Room
from routing.errors import NoRoom
from routing.message import CHUNKED

IN_MEMORY: Final = 64 * 1024
"""Bytes of one body that are held in memory before it goes to a file."""
BACKLOG: Final = 256 * 1024
"""Bytes of one body that may wait for the disk before its client does."""
SLOWEST: Final = 4 * 1024
"""Bytes a second; where room is wanted, a body that comes slower gives way."""
PATIENCE: Final = 5.0
"""Seconds that each body has at least."""

logger = logging.getLogger(__name__)


class Spool:
    """All bodies of one worker. Call it, and what it gives, on the event loop."""

    def __init__(
        self,
        folder: Path,
        rules: SecondWrites,
        submit: Callable[[Callable[[], None]], object],
        tell: Callable[..., object],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`submit` has something done in the thread that writes, in order; `tell` calls back from
        there on the loop; it raises RuntimeError when there is none any more."""
        self.clock = clock
        self.coming: dict[SpooledBody, None] = {}
        """Those that have claimed more than has come, the oldest first."""
        self.folder = folder
        self.room = Room(rules.capture)
        self.in_memory = 0
        """Bytes of all bodies."""
        self.lock = threading.Lock()
        """Of all files; never taken on the loop."""
        self.submit = submit
        self.tell = tell
        self._rules = rules

    def apply(self, rules: SecondWrites) -> None:
        """Obey `rules` from now on."""
        self.room.give(rules.capture - self._rules.capture)
        self._rules = rules

    @property
    def longest(self) -> int:
        """Bytes of one body."""
        return min(self._rules.body, self._rules.capture)

    @property
    def presses(self) -> bool:
        """Whether memory is short enough for everything to go to disk at once."""
        return self.in_memory > self._rules.memory // 2

    def body(self, length: int, changed: Callable[[], None]) -> "SpooledBody":
        """Claim room for a body of `length` bytes, or CHUNKED. `changed`: called when `full` or
        `broken` may have. Raises NoRoom."""
        if self.in_memory > self._rules.memory:
            raise busy()
        return SpooledBody(self, 0 if length == CHUNKED else length, changed)

    def claim(self, size: int, total: int) -> None:
        """`size` more bytes, of a body that has `total` with them. Raises NoRoom."""
        if total > self.longest:
            raise NoRoom(413, f"The body is longer than {self.longest} bytes.")
        if not self.room.take(size) and not self._make_way(size):
            raise busy()

    def _make_way(self, size: int) -> bool:
        """Claim `size` bytes by calling off bodies that hold room and hardly fill it: otherwise a
        few clients that send nothing would keep everybody from writing."""
        now = self.clock()
        for body in [each for each in self.coming if each.lags(now)]:
            body.give_way()
            if self.room.take(size):
                return True
        return False


class SpooledBody:
    """One body. `close` it."""

    __slots__ = (
        "_changed",
        "_claimed",
        "_closed",
        "_file",
        "_in_memory",
        "_pieces",
        "_sealed",
        "_since",
        "_size",
        "_spool",
        "_under_way",
        "_writing",
        "_written",
        "broken",
    )

    def __init__(self, spool: Spool, claimed: int, changed: Callable[[], None]) -> None:
        spool.claim(claimed, claimed)
        self._spool = spool
        self._claimed = claimed
        self._changed = changed
        self._since = spool.clock()
        self._size = 0
        self._in_memory = 0
        self._pieces: list[bytes] = []
        self._writing: list[bytes] = []
        """Pieces before those, that the thread has been given."""
        self._under_way = False
        """The thread has been given some and has not told of it yet."""
        self._file: IO[Any] | None = None
        self._written = 0
        """Bytes in the file that count."""
        self._sealed = False
        self._closed = False
        self.broken = False
        """It cannot be kept: the disk has refused some of it, or it gives way to others."""
        if claimed:
            spool.coming[self] = None

    @property
    def full(self) -> bool:
        """No more should come before the disk has taken some."""
        return self._in_memory > BACKLOG

    def add(self, data: bytes) -> None:
        """Raises NoRoom: nothing of it is kept then."""
        spool = self._spool
        size = len(data)
        total = self._size + size
        if total > self._claimed:
            spool.claim(total - self._claimed, total)
            self._claimed = total
        self._size = total
        if total == self._claimed:
            spool.coming.pop(self, None)
        self._pieces.append(data)
        self._in_memory += size
        spool.in_memory += size
        if self._in_memory > IN_MEMORY or spool.presses:
            self._hand_over()

    def lags(self, now: float) -> bool:
        """Whether it comes so slowly that others go first."""
        return now - self._since > max(PATIENCE, self._size / SLOWEST)

    def give_way(self) -> None:
        """Have the write called off."""
        self._spool.coming.pop(self, None)
        self.broken = True
        self._changed()

    def seal(self) -> Callable[[], bytes]:
        """Nothing will be added. What gives all of it, in any thread, until `close`; it raises
        OSError."""
        self._sealed = True
        return self._content

    def close(self) -> None:
        """Nothing of it is needed any more."""
        if self._closed:
            return
        self._closed = True
        spool = self._spool
        spool.coming.pop(self, None)
        spool.room.give(self._claimed)
        spool.in_memory -= self._in_memory
        if self._under_way or self._file is not None:
            with contextlib.suppress(RuntimeError):  # the thread has ended, and the file with it
                spool.submit(self._discard)

    def _hand_over(self) -> None:
        if self._under_way or self._sealed or self.broken:
            return
        self._under_way = True
        self._writing, self._pieces = self._pieces, []
        self._spool.submit(self._write)

    def _landed(self, size: int, broken: bool) -> None:
        """The thread has written `size` bytes, or the disk has refused them."""
        self._under_way = False
        if self._closed:
            return
        self._in_memory -= size
        self._spool.in_memory -= size
        self.broken = broken
        if self._pieces and (self._in_memory > IN_MEMORY or self._spool.presses):
            self._hand_over()
        self._changed()

    # In threads.

    def _write(self) -> None:
        size = 0
        broken = False
        try:
            with self._spool.lock:
                size = self._append(b"".join(self._writing))
                self._writing = []
        except OSError as error:
            logger.error("second_write.not_spooled %s", error)
            broken = True
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._spool.tell(self._landed, size, broken)

    def _append(self, data: bytes) -> int:
        """Bytes that are in the file now and were not before: all of `data`."""
        if self._file is None:
            self._file = TemporaryFile(buffering=0, dir=self._spool.folder)  # noqa: SIM115 - closed by _discard
        size = 0
        while size < len(data):
            size += os.pwrite(self._file.fileno(), data[size:], self._written + size)
        self._written += size
        return size

    def _content(self) -> bytes:
        with self._spool.lock:
            kept = b"" if self._file is None else os.pread(self._file.fileno(), self._written, 0)
            return b"".join((kept, *self._writing, *self._pieces))

    def _discard(self) -> None:
        with self._spool.lock:
            if self._file is not None:
                self._file.close()


def busy() -> NoRoom:
    """What a client is told that may try again."""
    return NoRoom(503, "Too many writes are under way.")
