"""Transactions: reads, and writes that are numbered in the order of their commits and told of.

Every write takes the one row of `revision` first. So commits happen in the order of their numbers,
also between replicas, and whoever has seen number n has seen everything up to n.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, select, text, update
from sqlalchemy.exc import DBAPIError

from flags.errors import Unavailable
from flags.store import changes
from flags.store.changes import Change
from flags.store.database import database_url, is_sqlite, open_database
from flags.store.schema import REVISION

CHANNEL: Final = "flags_changed"
"""PostgreSQL channel on which a commit is announced with its number."""
_NEXT: Final = (
    update(REVISION).values(sequence=REVISION.c.sequence + 1).returning(REVISION.c.sequence)
)
Listener = Callable[[Change], None]


@dataclass(slots=True)
class Write:
    """One transaction that changes something."""

    db: Connection
    sequence: int
    changes: list[Change] = field(default_factory=list)
    """Told to listeners after the commit."""


class Core:
    """The database of one server. Methods may be called from any thread."""

    def __init__(self, database: str, origin: Mapping[str, str]) -> None:
        """Raises `FlagsError`; see `flags.store.database`."""
        self.url = database_url(database)
        self.engine = open_database(self.url, origin)
        self._writing = threading.RLock()
        self._listeners: list[Listener] = []
        with self.engine.connect() as db:
            self.epoch: str = db.execute(select(REVISION.c.epoch)).scalar_one()
        """Names this database: positions in another one's history are not taken for ours."""
        self._told = -1
        """Number of the last change that listeners know."""

    def close(self) -> None:
        self.engine.dispose()

    def follow(self, listener: Listener) -> None:
        """Tell `listener` everything there is, then each change, in the order of commits.

        It is called on the thread that makes the change, or hears of it.
        """
        with self._writing:
            with self.reading() as db:
                now = int(db.scalar(select(REVISION.c.sequence)) or 0)
                for change in changes.since(db, -1):
                    listener(change)
            if not self._listeners:  # the others may not have heard of all of it
                self._told = now
            self._listeners.append(listener)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Raises `Unavailable` while the database cannot be reached."""
        with _reachable(), self.engine.connect() as db:
            yield db

    @contextmanager
    def writing(self) -> Iterator[Write]:
        """A transaction; rolled back when the block raises. Raises `Unavailable`."""
        with self._writing:
            with _reachable(), self.engine.begin() as db:
                sequence = db.scalar(_NEXT)
                write = Write(db, int(sequence or 0))
                yield write
                if write.changes and not is_sqlite(self.url):
                    db.execute(
                        text("SELECT pg_notify(:channel, :number)"),
                        {"channel": CHANNEL, "number": str(write.sequence)},
                    )
            # Another replica may have committed before us what nobody has told of here yet.
            gap = bool(self._listeners) and write.sequence > self._told + 1
            self._tell(self._since(self._told) if gap else write.changes)
            self._told = max(self._told, write.sequence)

    @contextmanager
    def unnumbered(self) -> Iterator[Connection]:
        """A transaction that changes nothing SDKs see: sessions, counts, schedules."""
        with self._writing, _reachable(), self.engine.begin() as db:
            yield db

    def catch_up(self) -> None:
        """Tell listeners what other replicas have changed."""
        with self._writing:
            self._tell(self._since(self._told))

    def _since(self, sequence: int) -> list[Change]:
        with self.reading() as db:
            return changes.since(db, sequence)

    def _tell(self, heard: list[Change]) -> None:
        for change in heard:
            for listener in self._listeners:
                listener(change)
        self._told = max([self._told, *(change.sequence for change in heard)])


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise Unavailable(
            f"the database cannot be used now: {type(error.orig).__name__}"
        ) from error
