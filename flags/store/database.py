"""Opening a database: SQLite by default, PostgreSQL for several replicas; its schema brought up."""

import secrets
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError

from flags.errors import FlagsError

_FIRST: Final = "0001"
_RESCUE: Final = "restore the file from a backup, or move it away to start with no flags"
_LOCK: Final = 0x6D696772
"""PostgreSQL advisory lock under which one replica at a time brings the schema up."""


def database_url(given: str) -> URL:
    """A path of an SQLite file, or a URL such as `postgresql://user@host/flags`.

    Raises `FlagsError`.
    """
    if "://" not in given:
        return URL.create("sqlite", database=given)
    hint = "give the path of an SQLite file, or postgresql://USER:PASSWORD@HOST/DATABASE"
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):  # the second is for a port that is no number
        raise FlagsError("the database URL cannot be read", hint=hint) from None
    backend = url.get_backend_name()
    if backend == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if backend == "sqlite":
        return url
    raise FlagsError(f"database {backend!r} is not supported", hint=hint)


def open_database(url: URL, origin: Mapping[str, str]) -> Engine:
    """An engine whose schema is of today. Raises `FlagsError` when it cannot be used.

    `origin` has the `project` and `environment` of flags that were written before flags had any.
    """
    shown = url.database if is_sqlite(url) else url.render_as_string(hide_password=True)
    in_memory = url.database in (None, "", ":memory:")
    file = Path(str(url.database)) if is_sqlite(url) and not in_memory else None
    if file is not None:
        with suppress(OSError):  # SQLite says what is wrong
            file.touch(mode=0o600)
    engine = _sqlite(url) if is_sqlite(url) else create_engine(url, pool_pre_ping=True)
    try:
        with engine.begin() as db:
            if is_sqlite(url):
                damage = db.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
                if damage != "ok":
                    raise FlagsError(
                        f"{shown}: the flag database is corrupt: {damage}", hint=_RESCUE
                    )
                # Python's driver would begin only before the first INSERT, after tables are gone.
                db.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                db.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            _upgrade(db, origin)
    except FlagsError:
        engine.dispose()
        raise
    except CommandError as error:
        engine.dispose()
        raise FlagsError(
            f"{shown}: cannot use the flag database: {error}",
            hint="a newer version made it: use that one, or another database",
        ) from None
    except DatabaseError as error:
        engine.dispose()
        hint = _RESCUE if is_sqlite(url) else "check the address, the user and its rights"
        raise FlagsError(
            f"{shown}: cannot use the flag database: {error.orig}", hint=hint
        ) from None
    if file is not None:
        _make_private(file)
    return engine


def is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def new_id() -> str:
    return str(uuid.uuid4())


def new_salt() -> str:
    return secrets.token_hex(16)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": 10})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _: object) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _make_private(path: Path) -> None:
    """The file, and what SQLite keeps beside it, which has the same content."""
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        if file.is_file():
            file.chmod(0o600)


def _upgrade(db: Connection, origin: Mapping[str, str]) -> None:
    config = Config()
    config.set_main_option("script_location", "flags.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=db, **origin)
    tables = inspect(db).get_table_names()
    if "flags" in tables and "alembic_version" not in tables:
        command.stamp(config, _FIRST)
    command.upgrade(config, "head")
