"""A bundle becomes what the database says of one environment, in one transaction."""

from dataclasses import dataclass
from typing import Final

from flags.changes.integrity import (
    check_flag,
    check_segment,
    check_segments_exist,
    check_users,
)
from flags.changes.versions import with_versions
from flags.errors import rejecting
from flags.exchange.bundle import Bundle
from flags.model import Actor, Flag, Segment
from flags.store import flag_rows
from flags.store.core import Core, Write
from flags.store.database import now_ms
from flags.store.environments import Environments, require_comment
from flags.store.flags import Flags, content
from flags.store.segments import Segments, find_segment, record

_OWN: Final = frozenset({"environments", "version", "first_version", "created"})
"""What an import does not set in a flag that is there already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Keys by what happened to them."""

    created: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]


class Importing:
    def __init__(
        self, core: Core, environments: Environments, flags: Flags, segments: Segments
    ) -> None:
        self._core = core
        self._environments = environments
        self._flags = flags
        self._segments = segments

    def run(
        self, bundle: Bundle, actor: Actor, *, comment: str = "", dry_run: bool = False
    ) -> Imported:
        """Make the environment say what `bundle` says; what it does not name is left as it is.

        All or nothing. Raises `NotFound` for the environment, or `Rejected` naming the item.
        """
        flags, segments = bundle.read_flags(now_ms()), bundle.read_segments(now_ms())
        outcome: dict[str, list[str]] = {"created": [], "changed": [], "unchanged": []}
        try:
            with self._core.writing() as write:
                known = self._environments.require(write.db, bundle.project, bundle.environment)
                require_comment([known[bundle.environment]], comment)
                for segment in segments:
                    what = self._segment(write, bundle, segment, actor, comment)
                    outcome[what].append(f"segment {segment.key}")
                for flag in flags:
                    what = self._flag(write, bundle, flag, actor, comment, list(known))
                    outcome[what].append(flag.key)
                self._check(write, bundle, flags, segments, list(known))
                if dry_run:
                    raise _DryRun
        except _DryRun:
            pass
        return Imported(**{name: tuple(keys) for name, keys in outcome.items()})

    def _flag(
        self,
        write: Write,
        bundle: Bundle,
        given: Flag,
        actor: Actor,
        comment: str,
        environments: list[str],
    ) -> str:
        project, environment = bundle.project, bundle.environment
        before = flag_rows.find(write.db, project, given.key)
        if before is None:
            self._flags.create_in(write, project, given, environments, actor, comment)
            return "created"
        shared = {n: getattr(given, n) for n in Flag.model_fields if n not in _OWN}
        config = given.config(environment).changed(
            version=before.config(environment).version,
            modified=before.config(environment).modified,
        )
        after = before.changed(**shared).with_config(environment, config)
        if content(after, environments) == content(before, environments):
            return "unchanged"
        with rejecting(f"flag {given.key}"):
            check_users(before, after, self._flags.world(write.db, project, environment))
        self._flags.record(
            write,
            project,
            before,
            with_versions(before, after, environments, now_ms()),
            actor,
            environment=environment,
            title=f"imported {given.key}",
            comment=comment,
        )
        return "changed"

    def _segment(
        self, write: Write, bundle: Bundle, given: Segment, actor: Actor, comment: str
    ) -> str:
        project, environment = bundle.project, bundle.environment
        before = find_segment(write.db, project, environment, given.key)
        if before is None:
            self._segments.create_in(write, project, environment, given, actor, comment=comment)
            return "created"
        after = given.changed(
            version=before.version, modified=before.modified, created=before.created
        )
        if after.model_dump_json() == before.model_dump_json():
            return "unchanged"
        record(
            write,
            project,
            environment,
            before,
            after.changed(version=before.version + 1, modified=now_ms()),
            actor,
            title=f"imported segment {given.key}",
            comment=comment,
        )
        return "changed"

    def _check(
        self,
        write: Write,
        bundle: Bundle,
        flags: list[Flag],
        segments: list[Segment],
        environments: list[str],
    ) -> None:
        """After all are there, since they may need one another. Raises `Rejected`."""
        world = self._flags.world(write.db, bundle.project, bundle.environment)
        for segment in segments:
            with rejecting(f"segment {segment.key}"):
                check_segment(segment, world)
        for given in flags:
            flag = flag_rows.find(write.db, bundle.project, given.key)
            if flag is None:
                continue
            with rejecting(f"flag {given.key}"):
                check_flag(flag, world, environments)
                rules = flag.config(bundle.environment).rules
                check_segments_exist((c for rule in rules for c in rule.clauses), world)


class _DryRun(Exception):
    """Rolls the transaction back."""
