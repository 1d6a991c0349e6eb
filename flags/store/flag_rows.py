"""Rows of flags: found, listed, saved and buried. What may be changed, and why, is `flags.py`'s."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, select

from flags.errors import NotFound
from flags.model import Flag
from flags.store.changes import Change, Deleted
from flags.store.core import Write
from flags.store.schema import FLAGS
from flags.store.upsert import upsert

_BY_KEY: Final = select(FLAGS).where(
    FLAGS.c.project == bindparam("project"), FLAGS.c.key == bindparam("key")
)


def row(db: Connection, project: str, key: str) -> Row[Any] | None:
    """Also of a deleted flag, whose document is None."""
    return db.execute(_BY_KEY, {"project": project, "key": key}).one_or_none()


def find(db: Connection, project: str, key: str) -> Flag | None:
    found = row(db, project, key)
    if found is None or found.document is None:
        return None
    return Flag.model_validate_json(found.document)


def get(db: Connection, project: str, key: str) -> Flag:
    """Raises `NotFound`."""
    flag = find(db, project, key)
    if flag is None:
        raise NotFound(f"flag {key!r} does not exist in project {project!r}")
    return flag


def every(db: Connection, project: str) -> Iterator[Flag]:
    """Those that are not deleted, by key."""
    query = select(FLAGS.c.document).where(
        FLAGS.c.project == project, FLAGS.c.document.is_not(None)
    )
    for found in db.execute(query.order_by(FLAGS.c.key)):
        yield Flag.model_validate_json(found.document)


def save(write: Write, project: str, flag: Flag) -> None:
    """And tell of it."""
    _put(write, project, flag.key, flag.version, flag.model_dump_json())
    _tell(write, project, flag)


def bury(write: Write, project: str, key: str, version: int) -> None:
    """Leave only its `version`, and tell of that."""
    _put(write, project, key, version, None)
    _tell(write, project, Deleted(kind="flag", key=key, version=version))


def _put(write: Write, project: str, key: str, version: int, document: str | None) -> None:
    upsert(
        write.db,
        FLAGS,
        {"project": project, "key": key},
        {"sequence": write.sequence, "version": version, "document": document},
    )


def _tell(write: Write, project: str, item: Flag | Deleted) -> None:
    write.changes.append(
        Change(sequence=write.sequence, project=project, environment=None, item=item)
    )
