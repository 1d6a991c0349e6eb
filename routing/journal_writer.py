"""Commits to the journal in a thread of its own, as many at a time as have come meanwhile.

A commit waits for the disk, and the event loop must not. While one commit runs, the next ones
gather, so that a slow disk makes writes wait for two commits at most, and not in a row.
"""

import asyncio
import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from routing.journal import Journal

AGAIN: Final = 0.5
"""Seconds after a failed commit."""
MOST_UNWRITTEN: Final = 10_000
"""Changes that wait for the disk before no more should be made."""

Change = Callable[[Journal], None]
Told = Callable[[bool], None]
logger = logging.getLogger(__name__)


class JournalWriter:
    """Call `submit` on the event loop."""

    def __init__(self, folder: Path, loop: asyncio.AbstractEventLoop, *, fsync: bool) -> None:
        """Raises CannotStart."""
        self._journal = Journal(folder, fsync=fsync)
        self._loop = loop
        self._queue: SimpleQueue[tuple[Change, Told] | None] = SimpleQueue()
        self._unwritten = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """The disk takes nothing: whoever makes changes should make no more of them. What is
        submitted all the same is kept."""
        return self._unwritten >= MOST_UNWRITTEN

    def submit(self, change: Change, told: Told) -> None:
        """Commit `change`. `told` is called on the loop: with True once it is durable; before that
        with False, each time that the disk does not take it and it has to be tried again."""
        self._unwritten += 1
        self._queue.put((change, told))

    def close(self) -> None:
        """Commit what is left; returns when that has been tried. Blocks: not for the loop."""
        self._stopping.set()
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        late: list[tuple[Change, Told]] = []
        last = False
        while not last:
            taken, last = self._take(wait=not late)
            batch = [*late, *taken]
            written = not batch or self._commit([change for change, _ in batch])
            self._tell([told for _, told in batch], written)
            late = [] if written else batch
            if late and last:
                logger.error("journal.lost changes=%d", len(late))
            elif late:
                self._stopping.wait(AGAIN)
        self._journal.close()

    def _take(self, *, wait: bool) -> tuple[list[tuple[Change, Told]], bool]:
        """What has come, and whether that was the last."""
        taken = []
        try:
            item = self._queue.get(block=wait)
            while item is not None:
                taken.append(item)
                item = self._queue.get_nowait()
        except Empty:
            return taken, False
        return taken, True

    def _commit(self, changes: list[Change]) -> bool:
        try:
            with self._journal.transaction():
                for change in changes:
                    change(self._journal)
        except (sqlite3.Error, OSError) as error:
            logger.error("journal.failed changes=%d %r", len(changes), error)
            return False
        return True

    def _tell(self, waiting: list[Told], written: bool) -> None:
        def tell() -> None:
            if written:
                self._unwritten -= len(waiting)
            for told in waiting:
                told(written)

        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(tell)
