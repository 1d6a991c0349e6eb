"""Flags in the database: every change is one transaction with its next versions and audit entry."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, delete, func, select

from flags.changes import patch
from flags.changes.base import World, require_segments
from flags.changes.integrity import check_flag, check_users
from flags.changes.patch import Instructions
from flags.changes.revert import reverted_flag
from flags.changes.versions import with_versions
from flags.errors import Conflict, Outdated, Rejected, rejecting
from flags.model import Actor, Config, Entry, Flag
from flags.store import audit, flag_rows
from flags.store.core import Core, Write
from flags.store.database import new_id, now_ms
from flags.store.environments import Environments, require_comment
from flags.store.schema import FLAGS, SCHEDULED
from flags.store.segments import find_segment

MAX_FLAGS: Final = 5000
"""Of one project."""


class Flags:
    def __init__(self, core: Core, environments: Environments) -> None:
        self._core = core
        self._environments = environments

    def all(self, project: str) -> list[Flag]:
        """Every flag that is not deleted, by key. Raises `NotFound`."""
        with self._core.reading() as db:
            self._environments.require(db, project)
            return list(flag_rows.every(db, project))

    def get(self, project: str, key: str) -> Flag:
        """Raises `NotFound`."""
        with self._core.reading() as db:
            self._environments.require(db, project)
            return flag_rows.get(db, project, key)

    def create(self, project: str, flag: Flag, actor: Actor, comment: str = "") -> Flag:
        """Raises `Conflict` if there is one of this key. A deleted one's versions go on."""
        with self._core.writing() as write:
            environments = self._environments.by_key(write.db, project)
            self._check(None, flag, self.world(write.db, project, None), environments)
            return self.create_in(write, project, flag, environments, actor, comment)

    def create_in(
        self,
        write: Write,
        project: str,
        flag: Flag,
        environments: Collection[str],
        actor: Actor,
        comment: str,
    ) -> Flag:
        """`create` as a part of another transaction, which checks what the flag names."""
        row = flag_rows.row(write.db, project, flag.key)
        if row is not None and row.document is not None:
            raise Conflict(f"flag {flag.key!r} exists already")
        live = select(func.count()).where(FLAGS.c.project == project, FLAGS.c.document.is_not(None))
        if (write.db.scalar(live) or 0) >= MAX_FLAGS:
            raise Rejected(f"there are {MAX_FLAGS} flags already, the most there may be")
        first = 1 if row is None else row.version + 1
        flag = flag.changed(
            version=first,
            first_version=first,
            environments={
                name: config.changed(version=first)
                for name, config in flag.environments.items()
                if name in environments
            },
        )
        title = f"created {flag.key}"
        self.record(write, project, None, flag, actor, title=title, comment=comment)
        return flag

    def patch(
        self,
        project: str,
        key: str,
        instructions: Instructions,
        actor: Actor,
        *,
        environment: str | None = None,
        comment: str = "",
        expected: int | None = None,
    ) -> Flag:
        """Apply a semantic patch, whole or not at all; without effect, no new version.

        `expected` is the version that the caller has read. Raises `NotFound`, `Outdated` or
        `Rejected`.
        """
        with self._core.writing() as write:
            return self.patch_in(
                write,
                project,
                key,
                instructions,
                actor,
                environment=environment,
                comment=comment,
                expected=expected,
            )

    def patch_in(
        self,
        write: Write,
        project: str,
        key: str,
        instructions: Instructions,
        actor: Actor,
        *,
        environment: str | None,
        comment: str,
        expected: int | None = None,
    ) -> Flag:
        """`patch` as a part of another transaction."""
        return self._change(
            write,
            project,
            key,
            lambda flag, world: patch.apply_to_flag(flag, instructions, world),
            actor,
            title=audit.title(key, instructions),
            environment=environment,
            comment=comment,
            instructions=instructions,
            expected=expected,
        )

    def preview(
        self, project: str, key: str, instructions: Instructions, environment: str
    ) -> tuple[Flag, Flag]:
        """The flag now, and as a patch would make it. Raises what `patch` raises."""
        with self._core.reading() as db:
            self._environments.require(db, project, environment)
            flag = flag_rows.get(db, project, key)
            world = self.world(db, project, environment)
            return flag, patch.apply_to_flag(flag, instructions, world)

    def revert(self, entry: Entry, actor: Actor, comment: str = "") -> Flag:
        """Undo what an audit entry did to a flag, and nothing that came later.

        Raises `NotFound`, `Conflict` for a creation, or `Rejected` where the old state no longer
        fits.
        """
        if entry.before is None and entry.instructions:
            raise Conflict(f"entry {entry.id} does not say what was before: it cannot be undone")
        if entry.before is None:
            raise Conflict(f"{entry.key!r} was created then: archive or delete it instead")
        before = Flag.model_validate_json(entry.before)
        if entry.after is None:
            return self.create(entry.project, before, actor, comment or f"undid entry {entry.id}")
        after = Flag.model_validate_json(entry.after)
        return self.change(
            entry.project,
            entry.key,
            lambda flag, _: reverted_flag(flag, before=before, after=after),
            actor,
            title=f"reverted {entry.key}: undid “{entry.title}”",
            environment=entry.environment,
            comment=comment,
        )

    def change(
        self,
        project: str,
        key: str,
        change: Callable[[Flag, World], Flag],
        actor: Actor,
        *,
        title: str,
        environment: str | None = None,
        comment: str = "",
        instructions: Sequence[Any] = (),
        expected: int | None = None,
    ) -> Flag:
        """Replace a flag by what `change` makes of it. Raises as `patch` does."""
        with self._core.writing() as write:
            return self._change(
                write,
                project,
                key,
                change,
                actor,
                title=title,
                environment=environment,
                comment=comment,
                instructions=instructions,
                expected=expected,
            )

    def _change(
        self,
        write: Write,
        project: str,
        key: str,
        change: Callable[[Flag, World], Flag],
        actor: Actor,
        *,
        title: str,
        environment: str | None,
        comment: str,
        instructions: Sequence[Any],
        expected: int | None,
    ) -> Flag:
        environments = self._environments.require(write.db, project, environment)
        before = flag_rows.get(write.db, project, key)
        if expected is not None and expected != before.version:
            raise Outdated(
                f"flag {key!r} has version {before.version}, not {expected}: read it again"
            )
        world = self.world(write.db, project, environment)
        with rejecting():
            after = change(before, world)
        if gone := after.environments.keys() - environments:  # a revert brings them back
            kept = {e: c for e, c in after.environments.items() if e not in gone}
            after = after.changed(environments=kept)
        if content(after, environments) == content(before, environments):
            return before
        self._check(before, after, world, environments)
        self._check_segments(write.db, project, before, after, environments)
        after = with_versions(before, after, environments, now_ms())
        changed = [e for e in environments if after.config(e) != before.config(e)]
        require_comment([environments[e] for e in changed], comment)
        self.record(
            write,
            project,
            before,
            after,
            actor,
            environment=environment if environment in changed else None,
            title=title,
            comment=comment,
            instructions=instructions,
        )
        return after

    def delete(self, project: str, key: str, actor: Actor, comment: str = "") -> None:
        """Raises `NotFound`, or `Conflict` while another flag has it as a prerequisite."""
        with self._core.writing() as write:
            environments = self._environments.by_key(write.db, project)
            flag = flag_rows.get(write.db, project, key)
            users = sorted({k for k, _, _ in _needed_by(write.db, project, key)})
            if users:
                raise Conflict(f"flag {key!r} is a prerequisite of {', '.join(users)}")
            require_comment(environments.values(), comment)
            version = 1 + max([flag.version, *(flag.config(e).version for e in environments)])
            flag_rows.bury(write, project, key, version)
            of_it = (SCHEDULED.c.project == project) & (SCHEDULED.c.flag == key)
            write.db.execute(delete(SCHEDULED).where(of_it))
            audit.log(
                write.db,
                actor,
                project=project,
                environment=None,
                kind="flag",
                key=key,
                version=version,
                title=f"deleted {key}",
                comment=comment,
                instructions=[{"kind": "deleteFlag"}],
                before=flag.model_dump_json(),
            )

    def world(self, db: Connection, project: str, environment: str | None) -> World:
        """What a change of flags may ask about, as of this transaction."""
        return World(
            environment=environment,
            flag=lambda key: flag_rows.find(db, project, key),
            segment=lambda key: (
                None if environment is None else find_segment(db, project, environment, key)
            ),
            needed_by=lambda key: _needed_by(db, project, key),
            new_id=new_id,
        )

    def _check_segments(
        self,
        db: Connection,
        project: str,
        before: Flag,
        after: Flag,
        environments: Iterable[str],
    ) -> None:
        """Those that are newly named: a revert may bring back a rule on one that is gone."""
        for key in environments:
            new = _segments(after.config(key)) - _segments(before.config(key))
            with rejecting(f"environments.{key}.rules"):
                require_segments(sorted(new), self.world(db, project, key))

    @staticmethod
    def _check(before: Flag | None, after: Flag, world: World, environments: Iterable[str]) -> None:
        with rejecting():
            check_flag(after, world, environments)
            if before is not None:
                check_users(before, after, world)

    @staticmethod
    def record(
        write: Write,
        project: str,
        before: Flag | None,
        after: Flag,
        actor: Actor,
        *,
        title: str,
        comment: str,
        environment: str | None = None,
        instructions: Sequence[Any] = (),
    ) -> None:
        """Save a flag, tell of it, and log it; `environment` is the one that was changed."""
        flag_rows.save(write, project, after)
        audit.log(
            write.db,
            actor,
            project=project,
            environment=environment,
            kind="flag",
            key=after.key,
            version=after.config(environment).version if environment else after.version,
            title=title,
            comment=comment,
            instructions=instructions,
            before=None if before is None else before.model_dump_json(),
            after=after.model_dump_json(),
        )


def _segments(config: Config) -> set[str]:
    clauses = (c for rule in config.rules for c in rule.clauses if c.op == "segmentMatch")
    return {v if isinstance(v, str) else repr(v) for c in clauses for v in c.values}


def content(flag: Flag, environments: Iterable[str]) -> list[str]:
    """As JSON, since Python takes true for 1, with untouched environments as touched ones."""
    configs = (flag.config(e).model_dump_json() for e in environments)
    return [flag.model_dump_json(exclude={"environments"}), *configs]


def _needed_by(db: Connection, project: str, key: str) -> Iterator[tuple[str, str, int]]:
    for flag in flag_rows.every(db, project):
        for environment, config in flag.environments.items():
            for prerequisite in config.prerequisites:
                if prerequisite.key == key:
                    yield flag.key, environment, prerequisite.variation
