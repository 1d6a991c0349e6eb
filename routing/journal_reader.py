"""Which entries of the journal the sender knows of: the oldest ones, and who would wait in vain.

Memory and time for a journal of millions are bounded by looking at a window of the oldest entries
of each capability and side. When that window is full and still there is room for more in flight,
what is in it cannot go now: a path that fails, or users whose flag is off. Then the first entries
of further paths are looked for behind it, a window at a time, so that these starve nobody.
"""

from collections.abc import Iterator
from typing import Final

from routing.journal import WINDOW, Journal
from routing.journal_order import Entry, Stream, above

EXPLORE_EVERY: Final = 1.0
"""Seconds between two looks behind the window; they go through an index of all that waits."""


class JournalReader:
    """Reads `journal` from one thread at a time. Its methods raise sqlite3.Error."""

    def __init__(self, journal: Journal, window: int = WINDOW) -> None:
        self._journal = journal
        self._window = window
        self._seen = -1
        self._full: dict[Stream, int] = {}
        """The newest entry in the window of each stream that has more than fit into it."""
        self._behind: dict[int, Entry] = {}
        """What was found behind windows, by id."""
        self._reached: dict[Stream, int] = {}
        """Where the next look behind a window begins, unless at its end."""
        self._next = 0.0

    def read(self, now: float, *, room: bool) -> list[Entry] | None:
        """What may be sent; None if that has not changed. `room`: more could be in flight."""
        version = self._journal.changes()
        explores = room and bool(self._full) and now >= self._next
        if version == self._seen and not explores:
            return None
        near = self._journal.pending(self._window)
        self._full = self._newest(near)
        if explores:
            self._next = now + EXPLORE_EVERY
            found = (each for stream in self._full for each in self._explore(stream))
            self._behind = {each.id: each for each in found}
        elif self._behind:
            waiting = self._journal.waiting(self._behind)
            self._behind = {id: each for id, each in self._behind.items() if id in waiting}
        self._seen = version
        known = {each.id for each in near}
        return [*near, *(each for id, each in self._behind.items() if id not in known)]

    def _newest(self, near: list[Entry]) -> dict[Stream, int]:
        counts: dict[Stream, list[int]] = {}
        for each in near:
            counts.setdefault(each.stream, []).append(each.id)
        return {stream: ids[-1] for stream, ids in counts.items() if len(ids) == self._window}

    def _explore(self, stream: Stream) -> Iterator[Entry]:
        """The next window of entries of `stream` that wait for no earlier one."""
        after = max(self._full[stream], self._reached.pop(stream, 0))
        heads = self._journal.heads(stream, after, self._window)
        if len(heads) == self._window:
            self._reached[stream] = heads[-1].id
        oldest: dict[str, int | None] = {}
        for each in heads:
            for path in above(each.path):
                if path not in oldest:
                    oldest[path] = self._journal.oldest(stream, path)
                first = oldest[path]
                if first is not None and first < each.id:
                    break
            else:
                yield each
