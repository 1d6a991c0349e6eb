"""Changes that are to be made later: kept until they are due, then applied exactly once."""

from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from flags.errors import NotFound, Rejected, Unavailable
from flags.model import Actor, Scheduled
from flags.store.core import Core
from flags.store.database import new_id, now_ms
from flags.store.flags import Flags
from flags.store.schema import SCHEDULED

MAX_SCHEDULED: Final = 100
"""Of one flag in one environment."""


class Schedule:
    def __init__(self, core: Core, flags: Flags) -> None:
        self._core = core
        self._flags = flags

    def add(
        self,
        project: str,
        environment: str,
        flag: str,
        *,
        due: int,
        instructions: list[dict[str, Any]],
        comment: str,
        actor: Actor,
    ) -> Scheduled:
        """Checked against the flag as it is now. Raises `NotFound` or `Rejected`."""
        if due <= now_ms():
            raise Rejected(f"executionDate: {due} is not in the future (epoch milliseconds)")
        self._flags.preview(project, flag, instructions, environment)
        scheduled = Scheduled(
            id=new_id(),
            project=project,
            environment=environment,
            flag=flag,
            due=due,
            instructions=tuple(instructions),
            comment=comment,
            member=actor.member,
            created=now_ms(),
        )
        with self._core.unnumbered() as db:
            if len(_of(db, project, environment, flag)) >= MAX_SCHEDULED:
                raise Rejected(f"there are {MAX_SCHEDULED} scheduled changes of {flag!r} already")
            db.execute(
                insert(SCHEDULED).values(
                    id=scheduled.id,
                    project=project,
                    environment=environment,
                    flag=flag,
                    due=due,
                    document=scheduled.model_dump_json(),
                )
            )
        return scheduled

    def of(self, project: str, environment: str, flag: str) -> list[Scheduled]:
        """Earliest first."""
        with self._core.reading() as db:
            return _of(db, project, environment, flag)

    def get(self, project: str, environment: str, flag: str, scheduled_id: str) -> Scheduled:
        """Raises `NotFound`."""
        for scheduled in self.of(project, environment, flag):
            if scheduled.id == scheduled_id:
                return scheduled
        raise NotFound(f"scheduled change {scheduled_id!r} of flag {flag!r} does not exist")

    def cancel(self, project: str, environment: str, flag: str, scheduled_id: str) -> None:
        """Raises `NotFound`."""
        self.get(project, environment, flag, scheduled_id)
        with self._core.unnumbered() as db:
            db.execute(delete(SCHEDULED).where(SCHEDULED.c.id == scheduled_id))

    def run_due(self) -> int:
        """Apply what is due; how many were. One that no longer fits is kept with the reason."""
        due = SCHEDULED.c.due <= now_ms()
        with self._core.reading() as db:
            query = select(SCHEDULED).where(due, SCHEDULED.c.problem.is_(None))
            waiting = [_scheduled(row) for row in db.execute(query.order_by(SCHEDULED.c.due))]
        return sum(self._run(scheduled) for scheduled in waiting)

    def _run(self, scheduled: Scheduled) -> bool:
        """Whether this replica was the one that applied it.

        Taking it and applying it are one transaction, which starts with the lock of all writes:
        a crash leaves both undone, and no second replica finds it.
        """
        try:
            with self._core.writing() as write:
                taken = write.db.execute(
                    delete(SCHEDULED).where(
                        SCHEDULED.c.id == scheduled.id, SCHEDULED.c.problem.is_(None)
                    )
                )
                if taken.rowcount != 1:
                    return False
                self._flags.patch_in(
                    write,
                    scheduled.project,
                    scheduled.flag,
                    scheduled.instructions,
                    Actor(member=scheduled.member, via="schedule"),
                    environment=scheduled.environment,
                    comment=scheduled.comment or "scheduled change",
                )
        except Unavailable:
            raise  # it waits until the database is there again
        except Rejected as error:
            with self._core.unnumbered() as db:
                problem = update(SCHEDULED).where(SCHEDULED.c.id == scheduled.id)
                db.execute(problem.values(problem=str(error)))
            return False
        return True


def _of(db: Connection, project: str, environment: str, flag: str) -> list[Scheduled]:
    query = select(SCHEDULED).where(
        SCHEDULED.c.project == project,
        SCHEDULED.c.environment == environment,
        SCHEDULED.c.flag == flag,
    )
    return [_scheduled(row) for row in db.execute(query.order_by(SCHEDULED.c.due))]


def _scheduled(row: Row[tuple[object, ...]]) -> Scheduled:
    return Scheduled.model_validate_json(row.document).changed(problem=row.problem)
