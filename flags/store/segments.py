"""Segments in the database."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from flags.changes import patch
from flags.changes.base import World
from flags.changes.integrity import check_segment
from flags.changes.patch import Instructions
from flags.changes.revert import reverted_segment
from flags.errors import Conflict, NotFound, Outdated, Rejected, rejecting
from flags.model import Actor, Clause, Entry, Segment
from flags.store import audit, flag_rows
from flags.store.changes import Change, Deleted
from flags.store.core import Core, Write
from flags.store.database import new_id, now_ms
from flags.store.environments import Environments, require_comment
from flags.store.schema import SEGMENTS
from flags.store.upsert import upsert

MAX_SEGMENTS: Final = 1000
"""Of one environment."""


class Segments:
    def __init__(self, core: Core, environments: Environments) -> None:
        self._core = core
        self._environments = environments

    def all(self, project: str, environment: str) -> list[Segment]:
        """Every segment that is not deleted, by key. Raises `NotFound`."""
        with self._core.reading() as db:
            self._environments.require(db, project, environment)
            return list(_all(db, project, environment))

    def get(self, project: str, environment: str, key: str) -> Segment:
        """Raises `NotFound`."""
        with self._core.reading() as db:
            self._environments.require(db, project, environment)
            return _get(db, project, environment, key)

    def create(
        self, project: str, environment: str, segment: Segment, actor: Actor, comment: str = ""
    ) -> Segment:
        """Raises `Conflict` if there is one of this key."""
        with self._core.writing() as write:
            known = self._environments.require(write.db, project, environment)
            require_comment([known[environment]], comment)
            with rejecting():
                check_segment(segment, _world(write.db, project, environment))
            return self.create_in(write, project, environment, segment, actor, comment)

    def create_in(
        self,
        write: Write,
        project: str,
        environment: str,
        segment: Segment,
        actor: Actor,
        comment: str = "",
    ) -> Segment:
        """`create` as a part of another transaction, which checks what the segment names."""
        row = _row(write.db, project, environment, segment.key)
        if row is not None and row.document is not None:
            raise Conflict(f"segment {segment.key!r} exists already")
        live = select(func.count()).where(
            SEGMENTS.c.project == project,
            SEGMENTS.c.environment == environment,
            SEGMENTS.c.document.is_not(None),
        )
        if (write.db.scalar(live) or 0) >= MAX_SEGMENTS:
            raise Rejected(f"there are {MAX_SEGMENTS} segments already, the most there may be")
        segment = segment.changed(version=1 if row is None else row.version + 1)
        title = f"created segment {segment.key}"
        record(write, project, environment, None, segment, actor, title=title, comment=comment)
        return segment

    def patch(
        self,
        project: str,
        environment: str,
        key: str,
        instructions: Instructions,
        actor: Actor,
        *,
        comment: str = "",
        expected: int | None = None,
    ) -> Segment:
        """Apply a semantic patch, all or none. Raises `NotFound`, `Outdated` or `Rejected`."""

        def change(segment: Segment, world: World) -> Segment:
            return patch.apply_to_segment(segment, instructions, world)

        return self.change(
            project,
            environment,
            key,
            change,
            actor,
            title=audit.title(f"segment {key}", instructions),
            comment=comment,
            instructions=instructions,
            expected=expected,
        )

    def revert(self, entry: Entry, actor: Actor, comment: str = "") -> Segment:
        """Undo what an audit entry did to a segment. Raises as `Flags.revert` does."""
        environment = entry.environment or ""
        if entry.before is None:
            raise Conflict(f"segment {entry.key!r} was created then: delete it instead")
        before = Segment.model_validate_json(entry.before)
        if entry.after is None:
            return self.create(entry.project, environment, before, actor, comment)
        after = Segment.model_validate_json(entry.after)
        return self.change(
            entry.project,
            environment,
            entry.key,
            lambda segment, _: reverted_segment(segment, before=before, after=after),
            actor,
            title=f"reverted segment {entry.key}: undid “{entry.title}”",
            comment=comment,
        )

    def change(
        self,
        project: str,
        environment: str,
        key: str,
        change: Callable[[Segment, World], Segment],
        actor: Actor,
        *,
        title: str,
        comment: str = "",
        instructions: Sequence[Any] = (),
        expected: int | None = None,
    ) -> Segment:
        with self._core.writing() as write:
            known = self._environments.require(write.db, project, environment)
            before = _get(write.db, project, environment, key)
            if expected is not None and expected != before.version:
                raise Outdated(
                    f"segment {key!r} has version {before.version}, not {expected}: read it again"
                )
            world = _world(write.db, project, environment)
            with rejecting():
                after = change(before, world)
            if after.model_dump_json() == before.model_dump_json():  # to Python, true is 1
                return before
            with rejecting():
                check_segment(after, world)
            require_comment([known[environment]], comment)
            after = after.changed(version=before.version + 1, modified=now_ms())
            record(
                write,
                project,
                environment,
                before,
                after,
                actor,
                title=title,
                comment=comment,
                instructions=instructions,
            )
        return after

    def delete(
        self, project: str, environment: str, key: str, actor: Actor, comment: str = ""
    ) -> None:
        """Raises `NotFound`, or `Conflict` while a flag or another segment names it."""
        with self._core.writing() as write:
            known = self._environments.require(write.db, project, environment)
            segment = _get(write.db, project, environment, key)
            users = list(_users(write.db, project, environment, key))
            if users:
                raise Conflict(f"segment {key!r} is used by {', '.join(users)}")
            require_comment([known[environment]], comment)
            version = segment.version + 1
            _store(write, project, environment, key, version, None)
            tombstone = Deleted(kind="segment", key=key, version=version)
            _emit(write, project, environment, tombstone)
            audit.log(
                write.db,
                actor,
                project=project,
                environment=environment,
                kind="segment",
                key=key,
                version=version,
                title=f"deleted segment {key}",
                comment=comment,
                before=segment.model_dump_json(),
            )


def find_segment(db: Connection, project: str, environment: str, key: str) -> Segment | None:
    row = _row(db, project, environment, key)
    if row is None or row.document is None:
        return None
    return Segment.model_validate_json(row.document)


def _world(db: Connection, project: str, environment: str) -> World:
    return World(
        environment=environment,
        flag=lambda _: None,
        segment=lambda key: find_segment(db, project, environment, key),
        needed_by=lambda _: (),
        new_id=new_id,
    )


def record(
    write: Write,
    project: str,
    environment: str,
    before: Segment | None,
    after: Segment,
    actor: Actor,
    *,
    title: str,
    comment: str,
    instructions: Sequence[Any] = (),
) -> None:
    """Save a segment, tell of it, and log it."""
    document = after.model_dump_json()
    _store(write, project, environment, after.key, after.version, document)
    _emit(write, project, environment, after)
    audit.log(
        write.db,
        actor,
        project=project,
        environment=environment,
        kind="segment",
        key=after.key,
        version=after.version,
        title=title,
        comment=comment,
        instructions=instructions,
        before=None if before is None else before.model_dump_json(),
        after=document,
    )


def _emit(write: Write, project: str, environment: str, item: Segment | Deleted) -> None:
    write.changes.append(
        Change(sequence=write.sequence, project=project, environment=environment, item=item)
    )


def _store(
    write: Write, project: str, environment: str, key: str, version: int, document: str | None
) -> None:
    upsert(
        write.db,
        SEGMENTS,
        {"project": project, "environment": environment, "key": key},
        {"sequence": write.sequence, "version": version, "document": document},
    )


def _row(db: Connection, project: str, environment: str, key: str) -> Row[Any] | None:
    query = select(SEGMENTS).where(
        SEGMENTS.c.project == project,
        SEGMENTS.c.environment == environment,
        SEGMENTS.c.key == key,
    )
    return db.execute(query).one_or_none()


def _get(db: Connection, project: str, environment: str, key: str) -> Segment:
    segment = find_segment(db, project, environment, key)
    if segment is None:
        raise NotFound(f"segment {key!r} does not exist in {project!r}, {environment!r}")
    return segment


def _all(db: Connection, project: str, environment: str) -> Iterator[Segment]:
    query = select(SEGMENTS.c.document).where(
        SEGMENTS.c.project == project,
        SEGMENTS.c.environment == environment,
        SEGMENTS.c.document.is_not(None),
    )
    for row in db.execute(query.order_by(SEGMENTS.c.key)):
        yield Segment.model_validate_json(row.document)


def _users(db: Connection, project: str, environment: str, key: str) -> Iterator[str]:
    """Flags and segments that match on the segment `key`."""

    def names(clauses: Sequence[Clause]) -> bool:
        return any(c.op == "segmentMatch" and key in c.values for c in clauses)

    for flag in flag_rows.every(db, project):
        if any(names(rule.clauses) for rule in flag.config(environment).rules):
            yield f"flag {flag.key!r}"
    for segment in _all(db, project, environment):
        if any(names(rule.clauses) for rule in segment.rules):
            yield f"segment {segment.key!r}"
