"""Opening a database: what cannot be used is said, and what to do; the file is private."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from flag_builders import ALICE, CMS, ON, ORIGIN, PRODUCTION, a_boolean, an_environment
from flags.errors import FlagsError, Unavailable
from flags.store import Store
from flags.store.database import database_url
from postgres import PostgresServer

RESCUE = "restore the file from a backup, or move it away to start with no flags"
URL_HINT = "give the path of an SQLite file, or postgresql://USER:PASSWORD@HOST/DATABASE"


@pytest.mark.parametrize(
    ("given", "url"),
    [
        pytest.param("flags.db", "sqlite:///flags.db", id="path"),
        pytest.param("/a b/100%.db", "sqlite:////a b/100%25.db", id="odd-path"),
        pytest.param("sqlite:///flags.db", "sqlite:///flags.db", id="sqlite"),
        pytest.param(
            "postgresql://u:p@h:5432/flags",
            "postgresql+psycopg://u:p@h:5432/flags",
            id="postgresql",
        ),
        pytest.param(
            "postgresql+psycopg2://h/flags", "postgresql+psycopg://h/flags", id="other-driver"
        ),
    ],
)
def test_url(given: str, url: str) -> None:
    assert database_url(given).render_as_string(hide_password=False) == url


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param("mysql://h/flags", "database 'mysql' is not supported", id="mysql"),
        pytest.param("://", "the database URL cannot be read", id="nothing"),
        pytest.param("a b://h", "the database URL cannot be read", id="no-name"),
        pytest.param("postgresql://h:no/flags", "the database URL cannot be read", id="port"),
        pytest.param("postgres://h/flags", "database 'postgres' is not supported", id="old-name"),
    ],
)
def test_bad_url(given: str, message: str) -> None:
    with pytest.raises(FlagsError) as caught:
        Store(given, ORIGIN)
    assert str(caught.value) == message
    assert caught.value.hint == URL_HINT


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "what?.db", "ä#1.db"])
def test_any_file_name(tmp_path: Path, opened: Callable[[str], Store], name: str) -> None:
    opened(str(tmp_path / name))
    assert name in [f.name for f in tmp_path.iterdir()]


def test_the_file_is_private(tmp_path: Path, opened: Callable[[str], Store]) -> None:
    path = tmp_path / "flags.db"
    path.touch(mode=0o644)
    store = opened(str(path))
    store.environments.create_project(CMS, [an_environment()], ALICE)
    modes = {f.name: f.stat().st_mode & 0o777 for f in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}, modes


def spoil(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t (x)")
        db.executemany("INSERT INTO t VALUES (?)", [("x" * 500,) for _ in range(100)])
        db.commit()
    data = bytearray(path.read_bytes())
    data[4096:12288] = b"\xff" * 8192
    path.write_bytes(data)


def newer(path: Path) -> None:
    """As a later version leaves it."""
    with contextlib.closing(Store(str(path), ORIGIN)):
        pass
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
        db.commit()


@pytest.mark.parametrize(
    "prepare",
    [
        pytest.param(lambda p: p.write_bytes(b"this is no database " * 500), id="other-file"),
        pytest.param(spoil, id="damaged"),
        pytest.param(lambda p: p.mkdir(), id="folder"),
        pytest.param(newer, id="newer-schema"),
        pytest.param(lambda p: p.symlink_to(p.parent / "no" / "flags.db"), id="broken-link"),
    ],
)
def test_unusable_file(tmp_path: Path, prepare: Callable[[Path], object]) -> None:
    path = tmp_path / "flags.db"
    prepare(path)
    with pytest.raises(FlagsError) as caught:
        Store(str(path), ORIGIN)
    assert str(caught.value).startswith(f"{path}: ")
    assert caught.value.hint


def test_damage_says_how_to_go_on(tmp_path: Path) -> None:
    path = tmp_path / "flags.db"
    spoil(path)
    with pytest.raises(FlagsError, match="the flag database is corrupt: ") as caught:
        Store(str(path), ORIGIN)
    assert caught.value.hint == RESCUE


@pytest.mark.parametrize("parent", ["no", "file"], ids=["missing", "no-folder"])
def test_bad_folder(tmp_path: Path, parent: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FlagsError, match="unable to open database file") as caught:
        Store(str(tmp_path / parent / "flags.db"), ORIGIN)
    assert caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "flags.db"
    path.touch(mode=0)
    with pytest.raises(FlagsError, match="unable to open database file"):
        Store(str(path), ORIGIN)


class TestPostgres:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            pytest.param(("/test", "/absent-"), "does not exist", id="database"),
            pytest.param(("host=", "host=/nowhere"), "No such file", id="host"),
            pytest.param(("postgres@", "nobody:s3cret-word@"), "does not exist", id="user"),
            pytest.param(("host=", "sslmode=odd&host="), "sslmode", id="option"),
        ],
    )
    def test_out_of_reach(self, postgres: str, change: tuple[str, str], message: str) -> None:
        with pytest.raises(FlagsError, match=message) as caught:
            Store(postgres.replace(*change), ORIGIN)
        assert caught.value.hint == "check the address, the user and its rights"
        assert ": cannot use the flag database: " in str(caught.value)
        assert "s3cret-word" not in str(caught.value)

    def test_without_rights(self, postgres_server: PostgresServer) -> None:
        postgres_server.execute(
            "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reader') THEN"
            " CREATE ROLE reader LOGIN; END IF; END $$"
        )
        with postgres_server.database() as url:
            with pytest.raises(FlagsError, match="permission denied") as caught:
                Store(url.replace("postgres@", "reader@"), ORIGIN)
        assert caught.value.hint == "check the address, the user and its rights"

    def test_out_of_reach_for_a_while(
        self, postgres: str, postgres_server: PostgresServer, opened: Callable[[str], Store]
    ) -> None:
        store = opened(postgres)
        store.environments.create_project(CMS, [an_environment()], ALICE)
        with psycopg.connect(postgres) as db:
            name = db.info.dbname
        allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        switch = (sql.Identifier(name), sql.SQL("false"))
        postgres_server.execute(allow.format(*switch))
        postgres_server.execute(
            sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}")
            .format(sql.Literal(name))
        )  # fmt: skip
        with pytest.raises(Unavailable, match="the database cannot be used now: "):
            store.flags.all("cms")
        with pytest.raises(Unavailable) as caught:
            store.flags.create("cms", a_boolean(), ALICE)
        assert (caught.value.status, caught.value.code) == (503, "service_unavailable")
        postgres_server.execute(allow.format(sql.Identifier(name), sql.SQL("true")))
        assert store.flags.create("cms", a_boolean(), ALICE).version == 1


def test_a_file_that_another_process_writes(
    tmp_path: Path, opened: Callable[[str], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "flags.db"
    store = opened(str(path))
    store.environments.create_project(CMS, [an_environment()], ALICE)
    with store.core.engine.connect() as db:
        db.exec_driver_sql("PRAGMA busy_timeout = 0")  # of the one connection in the pool
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="the database cannot be used now: OperationalError"):
            store.flags.create("cms", a_boolean(), ALICE)
        assert store.flags.all("cms") == []
        other.execute("ROLLBACK")
    assert store.flags.create("cms", a_boolean(), ALICE).version == 1


WRITER = """
import sys
from flags.model import Actor
from flags.store import Store

store, key = Store(sys.argv[1], {"project": "cms", "environment": "production"}), sys.argv[2]
while True:
    for kind in ("turnFlagOn", "turnFlagOff"):
        actor = Actor(member="w", via="api")
        flag = store.flags.patch("cms", key, [{"kind": kind}], actor, environment="production")
        print(flag.version, flag.config("production").on, flush=True)
"""


def test_what_was_acknowledged_survives_a_kill(store: Store, database: str) -> None:
    key = store.flags.create("cms", a_boolean(), ALICE).key
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, database, key], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    with writer, writer.stdout as lines:
        for _ in range(20):
            assert lines.readline()
        writer.send_signal(signal.SIGKILL)
        told = [line.split() for line in lines if line.endswith("\n")]
    flag, audit = store.flags.get("cms", key), store.audit(kind="flag", limit=1000)
    last = int(told[-1][0]) if told else 21
    assert flag.version in {last, last + 1}  # one more may have been written, but not told
    assert flag.config(PRODUCTION).on == (flag.version % 2 == 0)
    assert [e.version for e in audit] == list(range(flag.version, 0, -1))
    assert store.flags.patch("cms", key, [{**ON}, {"kind": "addTags", "values": ["t"]}], ALICE,
                             environment=PRODUCTION).version == flag.version + 1  # fmt: skip
