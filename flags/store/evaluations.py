"""What SDKs report, by minute: how often each variation was given, and what was measured."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from flags.model import Counter, Measure, Sum
from flags.store.core import Core
from flags.store.schema import EVALUATIONS, MEASUREMENTS

KEPT_MINUTES: Final = 7 * 24 * 60


class Evaluations:
    def __init__(self, core: Core) -> None:
        self._core = core

    def add(
        self, counts: Mapping[Counter, int], measures: Mapping[Measure, Sum], now_minute: int
    ) -> None:
        """Add to what is there; what is older than a week is forgotten."""
        with self._core.unnumbered() as db:
            _add(db, EVALUATIONS, [{**c._asdict(), "count": n} for c, n in counts.items()])
            _add(
                db,
                MEASUREMENTS,
                [{**m._asdict(), "count": s.times, "total": s.total} for m, s in measures.items()],
            )
            for table in (EVALUATIONS, MEASUREMENTS):
                db.execute(delete(table).where(table.c.minute < now_minute - KEPT_MINUTES))

    def by_minute(
        self, project: str, environment: str, flag: str, since_minute: int
    ) -> dict[int, dict[int, int]]:
        """Counts by minute and variation."""
        found: dict[int, dict[int, int]] = {}
        for row in self._rows(EVALUATIONS, project, environment, flag, since_minute):
            found.setdefault(row["minute"], {})[row["variation"]] = row["count"]
        return found

    def measured(
        self, project: str, environment: str, flag: str, since_minute: int
    ) -> dict[str, Sum]:
        """Sums by name since a minute."""
        found: dict[str, Sum] = {}
        for row in self._rows(MEASUREMENTS, project, environment, flag, since_minute):
            old = found.get(row["name"], Sum(0, 0.0))
            found[row["name"]] = Sum(old.times + row["count"], old.total + row["total"])
        return found

    def last_minutes(self, project: str, environment: str) -> dict[str, int]:
        """The last minute in which each flag was evaluated."""
        query = (
            select(EVALUATIONS.c.flag, func.max(EVALUATIONS.c.minute).label("minute"))
            .where(EVALUATIONS.c.project == project, EVALUATIONS.c.environment == environment)
            .group_by(EVALUATIONS.c.flag)
        )
        with self._core.reading() as db:
            return {row.flag: row.minute for row in db.execute(query)}

    def _rows(
        self, table: Table, project: str, environment: str, flag: str, since_minute: int
    ) -> list[Mapping[str, Any]]:
        query = select(table).where(
            table.c.project == project,
            table.c.environment == environment,
            table.c.flag == flag,
            table.c.minute >= since_minute,
        )
        with self._core.reading() as db:
            return [dict(row) for row in db.execute(query.order_by(table.c.minute)).mappings()]


def _add(db: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert, or add the sums to those of the same key."""
    if not rows:
        return
    insert = sqlite.insert if db.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    sums = {
        column.name: column + statement.excluded[column.name]
        for column in table.columns
        if column.name not in keys
    }
    # In one order, so that no two replicas wait for each other.
    rows.sort(key=lambda row: [row[key] for key in keys])
    db.execute(statement.on_conflict_do_update(index_elements=keys, set_=sums), rows)
