"""Hearing of the changes that other replicas commit, through PostgreSQL's LISTEN and NOTIFY.

A notification only says that there is something; what changed is read from the tables. So a lost
connection loses nothing: after it is back, everything after the last number is read.
"""

import logging
import threading
from typing import Final

from flags.errors import Unavailable
from flags.store.core import CHANNEL, Core
from flags.store.database import is_sqlite

logger = logging.getLogger(__name__)
CHECK: Final = 0.2
"""Seconds between looks at whether to stop."""
RETRY: Final = 1.0
"""Seconds before a lost connection is tried again."""


class Replication:
    """A thread that calls the core's listeners for changes of other replicas."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flag-replication", daemon=True)
        self.connected = threading.Event()

    def start(self) -> None:
        """Does nothing for SQLite, which has one server."""
        if not is_sqlite(self._core.url):
            self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5 * CHECK)

    def _run(self) -> None:
        import psycopg  # only here: a server with SQLite starts without it, and sooner

        address = self._core.url.set(drivername="postgresql").render_as_string(hide_password=False)
        while not self._stop.is_set():
            try:
                self._follow(address)
            except (psycopg.Error, Unavailable) as error:
                self.connected.clear()
                logger.warning("replication.lost reason=%s", type(error).__name__)
                self._stop.wait(RETRY)

    def _follow(self, address: str) -> None:
        import psycopg
        from psycopg import sql

        with psycopg.connect(address, autocommit=True, connect_timeout=5) as connection:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
            # After LISTEN: what is committed from here on is announced or read here.
            self._core.catch_up()
            self.connected.set()
            while not self._stop.is_set():
                for _ in connection.notifies(timeout=CHECK, stop_after=1):
                    self._core.catch_up()
