"""Flags and their audit log in a database.

Every change is one transaction that writes the flag, its next version and an audit entry; listeners
hear of it right after the commit, in commit order. Owns no HTTP and no streams.
"""

import secrets
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    JSON,
    URL,
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    create_engine,
    event,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DatabaseError

from flags import patch
from flags.errors import Conflict, FlagsError, NotFound, Rejected
from flags.instructions import World
from flags.model import Flag

MAX_FLAGS: Final = 5000
_METADATA: Final = MetaData()
_FLAGS: Final = Table(
    "flags",
    _METADATA,
    Column("key", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("document", Text),  # null: deleted; the version is kept, so that it never goes back
)
_AUDIT: Final = Table(
    "audit",
    _METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("date", BigInteger, nullable=False),
    Column("flag", String, nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("member", String, nullable=False),
    Column("via", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("instructions", JSON, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who changes a flag, and how they came in: `api`, `cli` or `dashboard`."""

    member: str
    via: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the audit log; `date` in epoch milliseconds."""

    id: int
    date: int
    flag: str
    version: int
    member: str
    via: str
    title: str
    comment: str
    instructions: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What listeners hear: the flag after the change, or None if it was deleted."""

    key: str
    version: int
    flag: Flag | None


Listener = Callable[[Change], None]


class Store:
    """All flags of one environment in an SQLite file. Methods may be called from any thread."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises `FlagsError` when it cannot be used."""
        self._engine = _open(path)
        self._writing = threading.Lock()
        self._listeners: list[Listener] = []

    def close(self) -> None:
        self._engine.dispose()

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def flags(self) -> list[Flag]:
        """Every flag that is not deleted, by key."""
        with self._engine.connect() as db:
            rows = db.execute(
                select(_FLAGS.c.document).where(_FLAGS.c.document.is_not(None)).order_by("key")
            )
            return [Flag.model_validate_json(row.document) for row in rows]

    def flag(self, key: str) -> Flag:
        """Raises `NotFound`."""
        with self._engine.connect() as db:
            return _get(db, key)

    def audit(self, *, flag: str | None = None, limit: int = 20, offset: int = 0) -> list[Entry]:
        """Newest first."""
        query = select(_AUDIT).order_by(_AUDIT.c.id.desc()).limit(limit).offset(offset)
        if flag is not None:
            query = query.where(_AUDIT.c.flag == flag)
        with self._engine.connect() as db:
            return [Entry(**row) for row in db.execute(query).mappings()]

    def create(self, flag: Flag, actor: Actor) -> Flag:
        """Raises `Conflict` if there is one of this key. A deleted one's versions go on."""
        with self._writing:
            with self._engine.begin() as db:
                row = _row(db, flag.key)
                if row is not None and row.document is not None:
                    raise Conflict(f"flag {flag.key!r} exists already")
                count = db.scalar(
                    select(func.count()).select_from(_FLAGS).where(_FLAGS.c.document.is_not(None))
                )
                if (count or 0) >= MAX_FLAGS:
                    raise Rejected(f"there are {MAX_FLAGS} flags already, the most there may be")
                flag = flag.changed(version=1 if row is None else row.version + 1)
                _save(db, flag)
                _log(db, flag, actor, f"created {flag.key}", "", [])
            self._tell(Change(key=flag.key, version=flag.version, flag=flag))
        return flag

    def patch(
        self, key: str, instructions: Sequence[Mapping[str, Any]], comment: str, actor: Actor
    ) -> Flag:
        """Apply a semantic patch, whole or not at all; without effect, no new version.

        Raises `NotFound` or `Rejected`.
        """
        with self._writing:
            with self._engine.begin() as db:
                before = _get(db, key)
                world = World(flag=lambda other: _find(db, other), new_id=new_id)
                after = patch.apply(before, instructions, world)
                if after == before:
                    return before
                after = after.changed(version=before.version + 1, modified=now_ms())
                _save(db, after)
                _log(db, after, actor, _title(before, instructions), comment, instructions)
            self._tell(Change(key=key, version=after.version, flag=after))
        return after

    def delete(self, key: str, actor: Actor, comment: str = "") -> None:
        """Raises `NotFound`, or `Conflict` while another flag has it as a prerequisite."""
        with self._writing:
            with self._engine.begin() as db:
                flag = _get(db, key)
                users = [
                    other.key
                    for row in db.execute(select(_FLAGS.c.document).where(_FLAGS.c.document != ""))
                    for other in (Flag.model_validate_json(row.document),)
                    if any(p.key == key for p in other.prerequisites)
                ]
                if users:
                    raise Conflict(f"flag {key!r} is a prerequisite of {', '.join(users)}")
                gone = flag.changed(version=flag.version + 1)
                _save(db, gone, deleted=True)
                _log(db, gone, actor, f"deleted {key}", comment, [{"kind": "deleteFlag"}])
            self._tell(Change(key=key, version=gone.version, flag=None))

    def _tell(self, change: Change) -> None:
        for listener in self._listeners:
            listener(change)


def new_id() -> str:
    return str(uuid.uuid4())


def new_salt() -> str:
    return secrets.token_hex(16)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def _open(path: Path) -> Engine:
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, connect_args={"timeout": 10})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _: object) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    try:
        with engine.begin() as db:
            damage = db.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
            if damage != "ok":
                raise FlagsError(f"{path}: the flag database is corrupt: {damage}", hint=_RESCUE)
            _METADATA.create_all(db)
    except DatabaseError as error:
        raise FlagsError(f"{path}: cannot use the flag database: {error.orig}", hint=_RESCUE) from (
            None
        )
    path.chmod(0o600)
    return engine


_RESCUE: Final = "restore the file from a backup, or move it away to start with no flags"


def _row(db: Connection, key: str) -> Row[Any] | None:
    return db.execute(select(_FLAGS).where(_FLAGS.c.key == key)).one_or_none()


def _find(db: Connection, key: str) -> Flag | None:
    row = _row(db, key)
    return None if row is None or row.document is None else Flag.model_validate_json(row.document)


def _get(db: Connection, key: str) -> Flag:
    flag = _find(db, key)
    if flag is None:
        raise NotFound(f"flag {key!r} does not exist")
    return flag


def _save(db: Connection, flag: Flag, *, deleted: bool = False) -> None:
    row = {
        "key": flag.key,
        "version": flag.version,
        "document": None if deleted else flag.model_dump_json(),
    }
    db.execute(upsert(_FLAGS).values(row).on_conflict_do_update(index_elements=["key"], set_=row))


def _log(
    db: Connection,
    flag: Flag,
    actor: Actor,
    title: str,
    comment: str,
    instructions: Sequence[Mapping[str, Any]],
) -> None:
    db.execute(
        insert(_AUDIT).values(
            date=now_ms(),
            flag=flag.key,
            version=flag.version,
            member=actor.member,
            via=actor.via,
            title=title,
            comment=comment,
            instructions=[dict(i) for i in instructions],
        )
    )


_TITLES: Final = {
    "turnFlagOn": "turned {key} on",
    "turnFlagOff": "turned {key} off",
    "updateFallthroughVariationOrRollout": "changed the default rule of {key}",
    "updateOffVariation": "changed the off variation of {key}",
    "archiveFlag": "archived {key}",
    "restoreFlag": "restored {key}",
}


def _title(flag: Flag, instructions: Sequence[Mapping[str, Any]]) -> str:
    """What was done, as a phrase that follows the member's name."""
    phrases = [_TITLES.get(str(i["kind"]), f"{i['kind']} on {{key}}") for i in instructions]
    return ", ".join(dict.fromkeys(phrases)).format(key=flag.key)
