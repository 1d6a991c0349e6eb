"""The rollouts' log in SQLite: append events, read them back. The only durable state of the
controller.

Owns `rollout.db`. Called by the loop. WAL with full synchronisation: an event that was appended is
there after a SIGKILL or a power cut. Never changes or deletes a row.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from migrator.errors import StateError
from migrator.rollout.events import Event, Kind

_metadata = sa.MetaData()
_events = sa.Table(
    "events",
    _metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("capability", sa.String, nullable=False, index=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("by", sa.String, nullable=False),
    sa.Column("why", sa.String, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)


class EventLog:
    """The events of all capabilities, in the order in which they happened."""

    def __init__(self, path: Path) -> None:
        """Open or create the log. Raises StateError if the file is no sound database."""
        self._path = path
        self._engine = sa.create_engine(f"sqlite:///{path}")
        sa.event.listen(self._engine, "connect", _pragmas)
        with self._errors():
            with self._engine.connect() as connection:
                found = connection.execute(sa.text("PRAGMA quick_check")).scalar()
            if found != "ok":
                raise StateError(f"{path}: damaged: {found}", hint=self._hint)
            _metadata.create_all(self._engine)
        path.chmod(0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._engine.dispose()

    def append(self, events: Iterable[Event]) -> tuple[Event, ...]:
        """Append all or none; the events come back with their numbers. Raises StateError."""
        numbered = []
        with self._errors(), self._engine.begin() as connection:
            for event in events:
                row = {
                    "at": event.at,
                    "capability": event.capability,
                    "kind": str(event.kind),
                    "by": event.by,
                    "why": event.why,
                    "data": json.dumps(dict(event.data), separators=(",", ":")),
                }
                key = connection.execute(_events.insert().values(row)).inserted_primary_key
                if key is None:
                    raise StateError(f"{self._path}: an event got no number", hint=self._hint)
                numbered.append(replace(event, seq=int(key[0])))
        return tuple(numbered)

    def read(
        self, *, capability: str | None = None, after: int = 0, limit: int | None = None
    ) -> list[Event]:
        """Events after number `after`, oldest first. Raises StateError for what is no event."""
        query = sa.select(_events).where(_events.c.seq > after).order_by(_events.c.seq)
        if capability is not None:
            query = query.where(_events.c.capability == capability)
        with self._errors(), self._engine.connect() as connection:
            rows = connection.execute(query.limit(limit)).mappings().all()
        return [self._event(row) for row in rows]

    def _event(self, row: Any) -> Event:
        try:
            data = json.loads(row["data"])
            if not isinstance(data, dict):
                raise TypeError("data is no object")
            return Event(
                seq=int(row["seq"]),
                at=float(row["at"]),
                capability=row["capability"],
                kind=Kind(row["kind"]),
                by=row["by"],
                why=row["why"],
                data=data,
            )
        except (ValueError, TypeError) as error:
            raise StateError(
                f"{self._path}: event {row['seq']}: {error}", hint=self._hint
            ) from error

    @property
    def _hint(self) -> str:
        return (
            f"restore {self._path.name} from a backup, or move it away: the rollouts then begin at "
            "their first step, after `migrator resume` where a flag is on"
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (DatabaseError, OSError) as error:
            detail = getattr(error, "orig", None) or error
            raise StateError(f"{self._path}: {detail}", hint=self._hint) from error


def _pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
