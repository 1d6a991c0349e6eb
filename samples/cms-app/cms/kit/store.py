"""Documents in SQLite, and the feed of their changes.

Every row carries a version (microseconds, name of the store that wrote it) and a number that grows
with each write, so that the table is its own change log: the feed is the rows above a number. A
deleted document stays as a tombstone. Two stores follow one another's feeds and keep the newer
version of each document; both end with the same documents, whoever wrote them.

WAL with synchronous=NORMAL: a commit survives the death of the process, which is what is promised.
"""

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Document = dict[str, Any]
APPLIED = "applied"
"""Kind of the documents that say which requests have been done; see `cms.kit.copies`."""
Index = Callable[[sqlite3.Connection, str, str, Document | None], None]
"""Called in the transaction of a write with kind, id and document (None: deleted)."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL, id TEXT NOT NULL, doc TEXT,
    us INTEGER NOT NULL, source TEXT NOT NULL, seq INTEGER NOT NULL UNIQUE,
    PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_article ON documents (kind, json_extract(doc, '$.article'));
CREATE INDEX IF NOT EXISTS by_name ON documents (kind, json_extract(doc, '$.name'));
CREATE INDEX IF NOT EXISTS by_state ON documents (kind, json_extract(doc, '$.state'));
CREATE TABLE IF NOT EXISTS blobs (sha256 TEXT PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS positions (
    peer TEXT PRIMARY KEY, feed TEXT NOT NULL, seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Change:
    """One document as of one version; `doc` None: deleted."""

    kind: str
    id: str
    doc: Document | None
    us: int
    source: str
    seq: int


class Store:
    """One SQLite file. `source` names this store in versions; `relay`: its feed also carries what
    it took over from others; `request_id`: of the request that writes now, which is remembered."""

    def __init__(
        self,
        path: Path,
        source: str,
        *,
        relay: bool = False,
        index: Index | None = None,
        request_id: Callable[[], str | None] = lambda: None,
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self.source = source
        self._relay = relay
        self._index = index
        self._request_id = request_id
        self._local = threading.local()
        self._news = threading.Condition()
        self._closing = False
        with self._connection() as connection:
            connection.executescript(_SCHEMA)
            connection.execute(
                "INSERT OR IGNORE INTO meta VALUES ('feed', ?)", (secrets.token_hex(8),)
            )
            row = connection.execute("SELECT value FROM meta WHERE name = 'feed'").fetchone()
            self.feed_id: str = row[0]

    # Reading.

    def get(self, kind: str, id: str) -> Document | None:
        row = self._one("SELECT doc FROM documents WHERE kind = ? AND id = ?", (kind, id))
        return json.loads(row[0]) if row and row[0] is not None else None

    def find(
        self, kind: str, *, limit: int = 50, offset: int = 0, **fields: str | int
    ) -> list[Document]:
        """Documents whose fields have these values, newest ids first."""
        where = "".join(f" AND json_extract(doc, '$.{name}') = ?" for name in fields)
        rows = self._connection().execute(
            f"SELECT doc FROM documents WHERE kind = ? AND doc IS NOT NULL{where}"  # noqa: S608 - names come from code
            " ORDER BY id DESC LIMIT ? OFFSET ?",
            (kind, *fields.values(), limit, offset),
        )
        return [json.loads(row[0]) for row in rows]

    def count(self, kind: str) -> int:
        query = "SELECT count(*) FROM documents WHERE kind = ? AND doc IS NOT NULL"
        return int(self._one(query, (kind,))[0])

    def blob(self, sha256: str) -> bytes | None:
        row = self._one("SELECT bytes FROM blobs WHERE sha256 = ?", (sha256,))
        return row[0] if row else None

    def query(self, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """For an index's own tables."""
        return self._connection().execute(sql, values).fetchall()

    # Writing.

    @contextmanager
    def transaction(self) -> Iterator["Transaction"]:
        """All or nothing; what was written is in the file when the block is left."""
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield Transaction(connection, self.source, self._index, self._request_id())
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        with self._news:
            self._news.notify_all()

    def put(self, kind: str, doc: Document) -> None:
        """Write one document; `doc["id"]` is its id."""
        with self.transaction() as transaction:
            transaction.put(kind, doc)

    # The feed.

    def changes(self, after: int, kinds: Iterable[str], limit: int, wait: float) -> list[Change]:
        """Up to `limit` changes above number `after`, oldest first; waits `wait` s for one."""
        wanted = tuple(kinds)
        deadline = time.monotonic() + wait
        while True:
            with self._news:
                found = self._changes(after, wanted, limit)
                left = deadline - time.monotonic()
                if found or left <= 0 or self._closing:
                    return found
                self._news.wait(left)

    def close(self) -> None:
        """End all waiting for changes."""
        with self._news:
            self._closing = True
            self._news.notify_all()

    def apply(self, peer: str, feed: str, position: int, changes: Iterable[Change]) -> None:
        """Take over what is newer than here, and remember the position in the peer's feed."""
        with self.transaction() as transaction:
            for change in changes:
                if change.source != self.source:
                    transaction.take(change)
            transaction.remember(peer, feed, position)

    def position(self, peer: str) -> tuple[str, int]:
        """The peer's feed and the number up to which it was followed."""
        row = self._one("SELECT feed, seq FROM positions WHERE peer = ?", (peer,))
        return (row[0], row[1]) if row else ("", 0)

    def save_blob(self, sha256: str, content: bytes) -> None:
        with self.transaction() as transaction:
            transaction.blob(sha256, content)

    def _changes(self, after: int, kinds: tuple[str, ...], limit: int) -> list[Change]:
        own = "" if self._relay else " AND source = ?"
        rows = self._connection().execute(
            "SELECT kind, id, doc, us, source, seq FROM documents WHERE seq > ?"  # noqa: S608 - only question marks are put in
            f" AND kind IN ({', '.join('?' * len(kinds))}){own} ORDER BY seq LIMIT ?",
            (after, *kinds, *(() if self._relay else (self.source,)), limit),
        )
        return [
            Change(kind, id, None if doc is None else json.loads(doc), us, source, seq)
            for kind, id, doc, us, source, seq in rows
        ]

    def _one(self, sql: str, values: tuple[Any, ...]) -> Any:
        return self._connection().execute(sql, values).fetchone()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, isolation_level=None, timeout=10)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            self._local.connection = connection
        return connection


class Transaction:
    """Writes of one transaction."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        source: str,
        index: Index | None,
        request_id: str | None,
    ) -> None:
        self._connection = connection
        self._source = source
        self._index = index
        self._request_id = request_id

    def put(self, kind: str, doc: Document) -> None:
        self._own(kind, doc["id"], doc)

    def delete(self, kind: str, id: str) -> None:
        self._own(kind, id, None)

    def blob(self, sha256: str, content: bytes) -> None:
        self._connection.execute("INSERT OR IGNORE INTO blobs VALUES (?, ?)", (sha256, content))

    def take(self, change: Change) -> None:
        """Write a change of another store, if it is newer."""
        known = self._version(change.kind, change.id)
        if known is None or known < (change.us, change.source):
            self._write(change.kind, change.id, change.doc, change.us, change.source)

    def remember(self, peer: str, feed: str, position: int) -> None:
        self._connection.execute(
            "INSERT INTO positions VALUES (?, ?, ?) ON CONFLICT (peer) DO UPDATE SET"
            " seq = CASE WHEN feed = excluded.feed THEN max(seq, excluded.seq)"
            " ELSE excluded.seq END, feed = excluded.feed",
            (peer, feed, position),
        )

    def _own(self, kind: str, id: str, doc: Document | None) -> None:
        if self._request_id is not None:
            done, self._request_id = self._request_id, None
            self._own(APPLIED, done, {"id": done})
        known = self._version(kind, id)
        # Never older than what it replaces, whatever the clocks say.
        us = max(time.time_ns() // 1000, known[0] + 1 if known else 0)
        self._write(kind, id, doc, us, self._source)

    def _version(self, kind: str, id: str) -> tuple[int, str] | None:
        row: tuple[int, str] | None = self._connection.execute(
            "SELECT us, source FROM documents WHERE kind = ? AND id = ?", (kind, id)
        ).fetchone()
        return row

    def _write(self, kind: str, id: str, doc: Document | None, us: int, source: str) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?,"
            " (SELECT coalesce(max(seq), 0) + 1 FROM documents))",
            (kind, id, None if doc is None else json.dumps(doc), us, source),
        )
        if self._index is not None:
            self._index(self._connection, kind, id, doc)


def change_json(change: Change) -> Document:
    return {
        "kind": change.kind,
        "id": change.id,
        "doc": change.doc,
        "us": change.us,
        "source": change.source,
        "seq": change.seq,
    }


def parse_change(data: Mapping[str, Any]) -> Change:
    """The inverse of `change_json`. Raises KeyError."""
    return Change(data["kind"], data["id"], data["doc"], data["us"], data["source"], data["seq"])
