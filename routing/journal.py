"""The journal of second writes: one SQLite file in the proxy's state folder.

One for all workers, and not one for each: the numbers of its entries are the order in which first
writes were answered, whichever worker answered them, and a change of the number of workers leaves
nothing behind. WAL lets everybody read while one writes. With synchronous=FULL a commit survives a
power failure, with NORMAL the death of the process.

The file holds requests as they came, with their cookies and credentials: mode 0600.
"""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from routing.errors import CannotStart
from routing.journal_order import Entry, Stream, above
from routing.stages import Side

FILE: Final = "second-writes.db"
"""Its name in the proxy's state folder."""
FORMAT: Final = 1
WINDOW: Final = 1000
"""Entries of one capability and side that are looked at together."""
BUSY: Final = 10.0
"""Seconds to wait for another process's transaction."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS writes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    state TEXT NOT NULL,
    capability TEXT NOT NULL,
    service TEXT NOT NULL,
    side TEXT NOT NULL,
    stage TEXT NOT NULL,
    method TEXT NOT NULL,
    target TEXT NOT NULL,
    path TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    context BLOB NOT NULL,
    head BLOB NOT NULL,
    body BLOB NOT NULL,
    probe BLOB NOT NULL DEFAULT x'',
    attempts INTEGER NOT NULL DEFAULT 0,
    status INTEGER,
    problem TEXT,
    tried_at REAL);
CREATE INDEX IF NOT EXISTS by_stream ON writes (state, capability, side, id);
CREATE INDEX IF NOT EXISTS by_path ON writes (state, capability, side, path, id);
CREATE TABLE IF NOT EXISTS discarded (
    id INTEGER PRIMARY KEY, discarded_at REAL NOT NULL, reason TEXT NOT NULL, by TEXT NOT NULL,
    at REAL NOT NULL, state TEXT NOT NULL, capability TEXT NOT NULL, side TEXT NOT NULL,
    method TEXT NOT NULL, target TEXT NOT NULL, idempotency_key TEXT NOT NULL);
"""
_ADD_PROBES = "ALTER TABLE writes ADD COLUMN probe BLOB NOT NULL DEFAULT x''"
_SHOWN = (
    "id, at, state, capability, service, side, stage, method, target, idempotency_key,"
    " length(body) AS size, attempts, status, problem, tried_at"
)


class State(StrEnum):
    """What an entry waits for."""

    PENDING = "pending"
    """To be sent."""
    REFUSED = "refused"
    """An operator: the other side does not want it."""
    INCOMPLETE = "incomplete"
    """An operator: the first side answered before the body was over, or a disk does not give it
    back, so that it cannot be sent."""
    UNKNOWN = "unknown"
    """An operator: it was sent to the first side, and nobody learned what became of it."""


_ANY_STATE = "state IN ({})".format(", ".join(f"'{state}'" for state in State))


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One second write as it is put into the journal."""

    at: float
    """Unix time, in seconds."""
    state: State
    capability: str
    service: str
    side: Side
    stage: str
    method: str
    target: str
    path: str
    idempotency_key: str
    context: bytes
    """The value of the context header."""
    head: bytes
    """The whole head as it is to be sent."""
    body: bytes
    """As on the wire: with its chunks if it came in chunks."""
    probe: bytes = b""
    """Head of the read by which both sides are to be compared afterwards; empty: none."""


@dataclass(frozen=True, slots=True)
class Content:
    """What of an entry is needed to send it."""

    method: str
    context: bytes
    head: bytes
    body: bytes
    probe: bytes
    stage: str
    """That its context had."""


class Journal:
    """One connection to the file. Use it from one thread at a time. Methods raise sqlite3.Error."""

    def __init__(self, folder: Path, *, fsync: bool = True) -> None:
        """Makes the file when there is none. Raises CannotStart."""
        path = folder / FILE
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Only a new file: closing any descriptor of one that SQLite has open in this process
            # would drop SQLite's locks (fcntl(2), POSIX record locks).
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            self._turns = os.open(folder / f"{FILE}-turns", os.O_RDWR | os.O_CREAT, 0o600)
            self._sql = sqlite3.connect(
                path, timeout=BUSY, isolation_level=None, check_same_thread=False
            )
            self._sql.row_factory = sqlite3.Row
            self._sql.execute("PRAGMA journal_mode = WAL")
            self._sql.execute(f"PRAGMA synchronous = {'FULL' if fsync else 'NORMAL'}")
            found = self._one("PRAGMA user_version")
            if found not in (0, FORMAT):
                raise CannotStart(
                    f"{path}: has format {found}, expected {FORMAT}",
                    hint="replay it with the version of this program that wrote it",
                )
            self._sql.executescript(_SCHEMA)
            if not found:
                self._sql.execute(f"PRAGMA user_version = {FORMAT}")
            if not self._has_probes():
                # A file of an earlier version of this program, which can go on with it.
                with self.transaction():
                    if not self._has_probes():
                        self._sql.execute(_ADD_PROBES)
        except (OSError, sqlite3.Error) as error:
            raise CannotStart(
                f"{path}: the journal of second writes cannot be used: {error}",
                hint="repair it, or move it away: what is in it has not reached the other side yet",
            ) from None

    def close(self) -> None:
        self._sql.close()
        os.close(self._turns)

    # Writing.

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, in turn with other processes: SQLite alone would have them sleep and try
        again, which takes longer than a commit."""
        fcntl.flock(self._turns, fcntl.LOCK_EX)
        try:
            self._sql.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._sql.execute("COMMIT")
            except BaseException:
                if self._sql.in_transaction:
                    self._sql.execute("ROLLBACK")
                raise
        finally:
            fcntl.flock(self._turns, fcntl.LOCK_UN)

    def append(self, write: Write) -> None:
        """Add an entry; within a transaction."""
        self._sql.execute(
            "INSERT INTO writes (at, state, capability, service, side, stage, method, target, path,"
            " idempotency_key, context, head, body, probe) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                *(write.at, write.state, write.capability, write.service, write.side),
                *(write.stage, write.method, write.target, write.path, write.idempotency_key),
                *(write.context, write.head, write.body, write.probe),
            ),
        )

    def remove(self, id: int) -> None:
        """The other side has it; within a transaction."""
        self._sql.execute("DELETE FROM writes WHERE id = ?", (id,))

    def tried(
        self, id: int, at: float, status: int | None, problem: str | None, state: State
    ) -> None:
        """An attempt has failed; within a transaction."""
        self._sql.execute(
            "UPDATE writes SET attempts = attempts + 1, tried_at = ?, status = ?, problem = ?,"
            " state = ? WHERE id = ?",
            (at, status, problem, state, id),
        )

    def replay(self, ids: Iterable[int]) -> None:
        """Have these sent again; within a transaction."""
        self._sql.executemany(
            "UPDATE writes SET state = 'pending', attempts = 0 WHERE id = ?", ((id,) for id in ids)
        )

    def discard(self, ids: Iterable[int], at: float, reason: str, by: str) -> None:
        """Give these up; that they were there is kept, what they said is not. Within a
        transaction."""
        for id in ids:
            self._sql.execute(
                "INSERT INTO discarded SELECT id, ?, ?, ?, at, state, capability, side, method,"
                " target, idempotency_key FROM writes WHERE id = ?",
                (at, reason, by, id),
            )
            self.remove(id)

    # Reading.

    def changes(self) -> int:
        """A number that differs once another connection has committed something."""
        return int(self._one("PRAGMA data_version"))

    def pending(self, window: int = WINDOW) -> list[Entry]:
        """The oldest entries to be sent, up to `window` of each capability and side: one that
        cannot be reached does not keep the others from being seen."""
        streams = self._sql.execute(
            "SELECT DISTINCT capability, side FROM writes WHERE state = 'pending'"
        ).fetchall()
        return [
            _entry(row)
            for capability, side in streams
            for row in self._sql.execute(
                "SELECT id, capability, service, side, path, attempts FROM writes"
                " WHERE state = 'pending' AND capability = ? AND side = ? ORDER BY id LIMIT ?",
                (capability, side, window),
            )
        ]

    def heads(self, stream: Stream, after: int, window: int) -> list[Entry]:
        """Of each path of `stream` the oldest entry to be sent, if that is above number `after`;
        the oldest `window` of these. Takes time with all that waits."""
        rows = self._sql.execute(
            # SQLite takes the other columns from the row with the minimum.
            "SELECT min(id), capability, service, side, path, attempts FROM writes"
            " INDEXED BY by_path WHERE state = 'pending' AND capability = ? AND side = ?"
            " GROUP BY path HAVING min(id) > ? ORDER BY min(id) LIMIT ?",
            (*stream, after, window),
        )
        return [_entry(row) for row in rows]

    def oldest(self, stream: Stream, path: str) -> int | None:
        """The number of the oldest entry to be sent for a path of `stream`."""
        found: int | None = self._one(
            "SELECT min(id) FROM writes INDEXED BY by_path"
            " WHERE state = 'pending' AND capability = ? AND side = ? AND path = ?",
            *(*stream, path),
        )
        return found

    def waiting(self, ids: Iterable[int]) -> set[int]:
        """Those of `ids` that are still to be sent."""
        one = "SELECT count(*) FROM writes WHERE id = ? AND state = 'pending'"
        return {id for id in ids if self._one(one, id)}

    def disturbs(self, done: Entry, read: str, but: Collection[int]) -> bool:
        """Whether a read of path `read` may not show what `done` has left: there is an entry,
        whatever it waits for, for that path or one below it, or an older one for the path of `done`
        itself. Those numbered `but` do not count."""
        below = read.rstrip("/")
        return any(
            row["id"] not in but
            for where, values in (
                ("path = ?", (read,)),
                ("path >= ? AND path < ?", (f"{below}/", f"{below}0")),
                ("path = ? AND id < ?", (done.path, done.id)),
            )
            for row in self._sql.execute(
                f"SELECT id FROM writes INDEXED BY by_path WHERE {_ANY_STATE} AND capability = ?"  # noqa: S608 - of our own
                f" AND side IN ('old', 'new') AND {where}",
                (done.capability, *values),
            )
        )

    def owes(self, capability: str, path: str, context: bytes) -> bool:
        """Whether something is to be sent that a read of `path` by `context` may show: for that
        path, one below it, or one above it; or one of that context's last ones."""
        below = path.rstrip("/")
        paths = (path, *above(path))
        return any(
            self._one(
                "SELECT EXISTS (SELECT 1 FROM writes INDEXED BY by_path WHERE state = 'pending'"  # noqa: S608 - of our own
                f" AND capability = ? AND side IN ('old', 'new') AND {where})",
                *(capability, *values),
            )
            for where, values in (
                (f"path IN ({', '.join('?' * len(paths))})", paths),
                ("path >= ? AND path < ?", (f"{below}/", f"{below}0")),
            )
        ) or any(
            self._one(
                "SELECT EXISTS (SELECT 1 FROM (SELECT context FROM writes INDEXED BY by_stream"
                " WHERE state = 'pending' AND capability = ? AND side = ?"
                " ORDER BY id DESC LIMIT ?) WHERE context = ?)",
                *(capability, side, WINDOW, context),
            )
            for side in Side
        )

    def contents(self, ids: Sequence[int]) -> dict[int, Content]:
        """What is to be sent, by id; an entry that is not pending any more is missing."""
        found: dict[int, Content] = {}
        for id in ids:
            row = self._sql.execute(
                "SELECT method, context, head, body, probe, stage FROM writes"
                " WHERE id = ? AND state = 'pending'",
                (id,),
            ).fetchone()
            if row is not None:
                found[id] = Content(*row)
        return found

    def summary(self) -> list[dict[str, Any]]:
        """How many entries wait for what, and since when, for each capability, side and state."""
        rows = self._sql.execute(
            "SELECT capability, side, state, count(*) AS entries, min(at) AS oldest_at FROM writes"
            " GROUP BY capability, side, state ORDER BY capability, side, state"
        )
        return [dict(row) for row in rows]

    def entries(
        self, *, limit: int, after: int = 0, **fields: str | None
    ) -> list[Mapping[str, Any]]:
        """Entries above number `after`, oldest first, without context, head and body. `fields`:
        state, capability or side that is wanted; None: any."""
        given = {name: value for name, value in fields.items() if value is not None}
        where = "".join(f" AND {name} = ?" for name in given)
        rows = self._sql.execute(
            f"SELECT {_SHOWN} FROM writes WHERE id > ?{where} ORDER BY id LIMIT ?",  # noqa: S608 - names come from code
            (after, *given.values(), limit),
        )
        return [dict(row) for row in rows]

    def _has_probes(self) -> bool:
        return bool(
            self._one("SELECT count(*) FROM pragma_table_info('writes') WHERE name='probe'")
        )

    def _one(self, sql: str, *values: object) -> Any:
        return self._sql.execute(sql, values).fetchone()[0]


def _entry(row: sqlite3.Row) -> Entry:
    id, capability, service, side, path, attempts = row
    return Entry(id, capability, service, Side(side), path, attempts)


def exists(folder: Path) -> bool:
    """Whether a proxy with this state folder has ever kept a journal."""
    return (folder / FILE).exists()
