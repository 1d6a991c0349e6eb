"""What listeners hear: the newest state of each thing that a committed change wrote."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from flags.model import Environment, Flag, Segment
from flags.store.schema import ENVIRONMENTS, FLAGS, SEGMENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """A tombstone. `kind` is `flag`, `segment` or `environment`."""

    kind: str
    key: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    sequence: int
    """Grows with every commit; a listener ignores what is not newer than what it has."""
    project: str
    environment: str | None
    """Of a segment or an environment; flags are of all environments."""
    item: Flag | Segment | Environment | Deleted


def since(db: Connection, sequence: int) -> list[Change]:
    """What changed after `sequence`, in order of commits; everything for -1.

    Environments come first: the newest state of one may be younger than what is in it.
    """
    return sorted(
        _rows(db, sequence),
        key=lambda change: (not isinstance(change.item, Environment), change.sequence),
    )


def _rows(db: Connection, sequence: int) -> Iterator[Change]:
    for row in db.execute(select(ENVIRONMENTS).where(ENVIRONMENTS.c.sequence > sequence)):
        environment: Environment | Deleted = (
            Deleted(kind="environment", key=row.key, version=0)
            if row.document is None
            else Environment.model_validate_json(row.document)
        )
        yield Change(
            sequence=row.sequence, project=row.project, environment=row.key, item=environment
        )
    for row in db.execute(select(FLAGS).where(FLAGS.c.sequence > sequence)):
        flag = (
            Deleted(kind="flag", key=row.key, version=row.version)
            if row.document is None
            else Flag.model_validate_json(row.document)
        )
        yield Change(sequence=row.sequence, project=row.project, environment=None, item=flag)
    for row in db.execute(select(SEGMENTS).where(SEGMENTS.c.sequence > sequence)):
        segment = (
            Deleted(kind="segment", key=row.key, version=row.version)
            if row.document is None
            else Segment.model_validate_json(row.document)
        )
        yield Change(
            sequence=row.sequence, project=row.project, environment=row.environment, item=segment
        )
