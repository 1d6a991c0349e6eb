"""How often each variation of each flag was given, by minute."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from flags.store.core import Core
from flags.store.schema import EVALUATIONS

KEPT_MINUTES: Final = 7 * 24 * 60


class Counter(NamedTuple):
    project: str
    environment: str
    flag: str
    minute: int
    """Epoch minutes."""
    variation: int
    """-1: none of them, such as an SDK's default."""


class Evaluations:
    def __init__(self, core: Core) -> None:
        self._core = core

    def add(self, counts: Mapping[Counter, int], now_minute: int) -> None:
        """Add to what is there; what is older than a week is forgotten."""
        if not counts:
            return
        rows = [{**counter._asdict(), "count": count} for counter, count in counts.items()]
        with self._core.unnumbered() as db:
            insert = sqlite.insert if db.dialect.name == "sqlite" else postgresql.insert
            statement = insert(EVALUATIONS)
            total = EVALUATIONS.c.count + statement.excluded.count
            db.execute(
                statement.on_conflict_do_update(
                    index_elements=list(Counter._fields), set_={"count": total}
                ),
                rows,
            )
            db.execute(delete(EVALUATIONS).where(EVALUATIONS.c.minute < now_minute - KEPT_MINUTES))

    def by_minute(
        self, project: str, environment: str, flag: str, since_minute: int
    ) -> dict[int, dict[int, int]]:
        """Counts by minute and variation."""
        query = select(EVALUATIONS).where(
            EVALUATIONS.c.project == project,
            EVALUATIONS.c.environment == environment,
            EVALUATIONS.c.flag == flag,
            EVALUATIONS.c.minute >= since_minute,
        )
        found: dict[int, dict[int, int]] = {}
        with self._core.reading() as db:
            for row in db.execute(query.order_by(EVALUATIONS.c.minute)).mappings():
                found.setdefault(row["minute"], {})[row["variation"]] = row["count"]
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
