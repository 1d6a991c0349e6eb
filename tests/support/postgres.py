"""A private PostgreSQL server for tests, from the binaries that Debian installs.

One server runs for each test process, in a temporary folder and on a Unix socket; each test gets a
database of its own. Import `postgres_server` in a conftest.py to use it.
"""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from psycopg import sql

START: Final = 60.0
"""Seconds that the server may take to start on a loaded machine, or to stop."""
_SPEED: Final = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "100",
    "listen_addresses": "",
}


class PostgresServer:
    """Makes databases; their URLs are such as flags.store takes."""

    def __init__(self, sockets: Path) -> None:
        self._sockets = sockets
        self._numbers = itertools.count(1)

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self._sockets}"

    def execute(self, statement: str | sql.Composed, database: str = "postgres") -> list[Any]:
        """Rows of one statement, which is a transaction of its own."""
        with psycopg.connect(self.url(database), autocommit=True) as db:
            query = sql.SQL(statement) if isinstance(statement, str) else statement
            cursor = db.execute(query)
            return cursor.fetchall() if cursor.description else []

    def create(self, template: str = "template1") -> str:
        """The name of a new database."""
        name = f"test{next(self._numbers)}"
        self.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        return name

    def drop(self, name: str) -> None:
        """Also ends the connections to it."""
        self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """The URL of a new database, which is dropped at the end."""
        name = self.create(template)
        try:
            yield self.url(name)
        finally:
            self.drop(name)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The tests that need it fail where PostgreSQL is not installed."""
    binaries = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3])
    )
    if not binaries:
        pytest.fail("no /usr/lib/postgresql/*/bin/initdb: install Debian's postgresql")
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        with _running(binaries[-1].parent, folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(binaries: Path, folder: Path) -> Iterator[PostgresServer]:
    user: dict[str, Any] = {}
    if os.geteuid() == 0:  # which the server refuses
        account = pwd.getpwnam("postgres")
        user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": ()}
        os.chown(folder, account.pw_uid, account.pw_gid)
    data, log = folder / "data", folder / "log"
    with log.open("wb") as output:
        # Its own group, so that Ctrl-C in the terminal does not stop it before the tests.
        popen: dict[str, Any] = {
            "stdout": output,
            "stderr": output,
            "cwd": folder,
            "process_group": 0,
            **user,
        }
        options = "--auth=trust --username=postgres --no-sync --encoding=UTF8 --locale=C"
        subprocess.run([binaries / "initdb", "-D", data, *options.split()], check=True, **popen)
        settings = {**_SPEED, "unix_socket_directories": str(folder)}
        process = subprocess.Popen(
            [
                *_ending_with_us(),
                binaries / "postgres",
                *("-D", data),
                *itertools.chain.from_iterable(("-c", f"{k}={v}") for k, v in settings.items()),
            ],
            **popen,
        )
    try:
        server = PostgresServer(folder)
        _wait(server, process, log)
        yield server
    finally:
        process.send_signal(signal.SIGINT)  # "fast": ends sessions, then stops
        process.wait(START)


def _ending_with_us() -> list[str]:
    """Stops the server also when the test process is killed."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "INT"] if setpriv else []


def _wait(server: PostgresServer, process: subprocess.Popen[bytes], log: Path) -> None:
    pause, deadline = threading.Event(), time.monotonic() + START
    while True:
        try:
            server.execute("SELECT 1")
        except psycopg.OperationalError:
            assert process.poll() is None, f"PostgreSQL ended:\n{log.read_text()}"
            assert time.monotonic() < deadline, f"PostgreSQL did not start:\n{log.read_text()}"
            pause.wait(0.02)
        else:
            return
