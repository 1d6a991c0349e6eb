"""Projects and environments in the database."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from sqlalchemy import Connection, bindparam, delete, select, update

from flags.errors import Conflict, NotFound, Rejected
from flags.model import Actor, Environment, Project
from flags.store import audit, flag_rows
from flags.store.changes import Change, Deleted
from flags.store.core import Core, Write
from flags.store.schema import ENVIRONMENTS, PROJECTS, SCHEDULED, SEGMENTS
from flags.store.upsert import upsert

_OF_PROJECT: Final = (
    select(ENVIRONMENTS.c.document)
    .where(ENVIRONMENTS.c.project == bindparam("project"), ENVIRONMENTS.c.document.is_not(None))
    .order_by(ENVIRONMENTS.c.key)
)


class Environments:
    def __init__(self, core: Core) -> None:
        self._core = core

    def projects(self) -> list[Project]:
        with self._core.reading() as db:
            rows = db.execute(select(PROJECTS.c.document).order_by(PROJECTS.c.key))
            return [Project.model_validate_json(row.document) for row in rows]

    def project(self, key: str) -> Project:
        """Raises `NotFound`."""
        with self._core.reading() as db:
            return self._project(db, key)

    def of(self, project: str) -> list[Environment]:
        """Environments of a project, by key. Raises `NotFound`."""
        with self._core.reading() as db:
            return list(self.by_key(db, project).values())

    def get(self, project: str, key: str) -> Environment:
        """Raises `NotFound`."""
        with self._core.reading() as db:
            self._project(db, project)
            return self._environment(db, project, key)

    def create_project(
        self, project: Project, environments: Iterable[Environment], actor: Actor
    ) -> Project:
        """Raises `Conflict`."""
        with self._core.writing() as write:
            if self._known_project(write.db, project.key) is not None:
                raise Conflict(f"project {project.key!r} exists already")
            self._put_project(write, project, actor, f"created project {project.key}")
            for environment in environments:
                self._save(write, environment)
        return project

    def save_project(self, project: Project, actor: Actor) -> Project:
        """Raises `NotFound`."""
        with self._core.writing() as write:
            self._project(write.db, project.key)
            self._put_project(write, project, actor, f"changed project {project.key}")
        return project

    def create(self, environment: Environment, actor: Actor) -> Environment:
        """Raises `NotFound` for its project, or `Conflict`."""
        with self._core.writing() as write:
            self._project(write.db, environment.project)
            if self._known(write.db, environment.project, environment.key) is not None:
                raise Conflict(f"environment {environment.key!r} exists already")
            self._save(write, environment)
            self._log(write, environment, actor, f"created environment {environment.key}")
        return environment

    def save(self, environment: Environment, actor: Actor) -> Environment:
        """Replace one that is there. Raises `NotFound`."""
        with self._core.writing() as write:
            self._environment(write.db, environment.project, environment.key)
            self._save(write, environment)
            self._log(write, environment, actor, f"changed environment {environment.key}")
        return environment

    def delete(self, project: str, key: str, actor: Actor) -> None:
        """With what its flags said there. Raises `NotFound`, or `Conflict` for the last one."""
        with self._core.writing() as write:
            environment = self._environment(write.db, project, key)
            if len(self.by_key(write.db, project)) == 1:
                raise Conflict(f"environment {key!r} is the only one of project {project!r}")
            for flag in list(flag_rows.every(write.db, project)):
                if key in flag.environments:
                    left = {k: c for k, c in flag.environments.items() if k != key}
                    flag_rows.save(write, project, flag.changed(environments=left))
            # A new environment of this key begins without any.
            of_it = (SEGMENTS.c.project == project) & (SEGMENTS.c.environment == key)
            write.db.execute(
                update(SEGMENTS)
                .where(of_it, SEGMENTS.c.document.is_not(None))
                .values(document=None, version=SEGMENTS.c.version + 1, sequence=write.sequence)
            )
            write.db.execute(
                delete(SCHEDULED).where(
                    SCHEDULED.c.project == project, SCHEDULED.c.environment == key
                )
            )
            at = {"project": project, "key": key}
            upsert(write.db, ENVIRONMENTS, at, {"sequence": write.sequence, "document": None})
            gone = Deleted(kind="environment", key=key, version=0)
            write.changes.append(
                Change(sequence=write.sequence, project=project, environment=key, item=gone)
            )
            self._log(write, environment, actor, f"deleted environment {key}")

    def ensure(self, project: Project, environment: Environment, actor: Actor) -> None:
        """Make what is missing; the environment's keys are always those given."""
        with suppress(Conflict):  # another replica that starts now may be first
            if project.key not in {p.key for p in self.projects()}:
                self.create_project(project, [environment], actor)
                return
        with suppress(Conflict):
            if environment.key not in {e.key for e in self.of(project.key)}:
                self.create(environment, actor)
                return
        known = self.get(project.key, environment.key)
        keys = {n: getattr(environment, n) for n in ("sdk_key", "mobile_key", "client_side_id")}
        if (changed := known.changed(**keys)) != known:
            self.save(changed, actor)

    def by_key(self, db: Connection, project: str) -> dict[str, Environment]:
        """Those of a project, in one query. Raises `NotFound` if there is no such project."""
        rows = db.execute(_OF_PROJECT, {"project": project})
        found = [Environment.model_validate_json(row.document) for row in rows]
        if not found:
            self._project(db, project)
        return {environment.key: environment for environment in found}

    def require(
        self, db: Connection, project: str, environment: str | None = None
    ) -> dict[str, Environment]:
        """Those of the project, by key. Raises `NotFound` unless both exist."""
        found = self.by_key(db, project)
        if environment is not None and environment not in found:
            raise _missing(project, environment)
        return found

    @staticmethod
    def _save(write: Write, environment: Environment) -> None:
        upsert(
            write.db,
            ENVIRONMENTS,
            {"project": environment.project, "key": environment.key},
            {"sequence": write.sequence, "document": environment.model_dump_json()},
        )
        write.changes.append(
            Change(
                sequence=write.sequence,
                project=environment.project,
                environment=environment.key,
                item=environment,
            )
        )

    @staticmethod
    def _put_project(write: Write, project: Project, actor: Actor, title: str) -> None:
        document = {"document": project.model_dump_json()}
        upsert(write.db, PROJECTS, {"key": project.key}, document)
        audit.log(
            write.db,
            actor,
            project=project.key,
            environment=None,
            kind="project",
            key=project.key,
            title=title,
        )

    @staticmethod
    def _log(write: Write, environment: Environment, actor: Actor, title: str) -> None:
        audit.log(
            write.db,
            actor,
            project=environment.project,
            environment=environment.key,
            kind="environment",
            key=environment.key,
            title=title,
        )

    @staticmethod
    def _known_project(db: Connection, key: str) -> Project | None:
        document = db.scalar(select(PROJECTS.c.document).where(PROJECTS.c.key == key))
        return None if document is None else Project.model_validate_json(document)

    def _project(self, db: Connection, key: str) -> Project:
        project = self._known_project(db, key)
        if project is None:
            raise NotFound(f"project {key!r} does not exist")
        return project

    @staticmethod
    def _known(db: Connection, project: str, key: str) -> Environment | None:
        document = db.scalar(
            select(ENVIRONMENTS.c.document).where(
                ENVIRONMENTS.c.project == project, ENVIRONMENTS.c.key == key
            )
        )
        return None if document is None else Environment.model_validate_json(document)

    def _environment(self, db: Connection, project: str, key: str) -> Environment:
        environment = self._known(db, project, key)
        if environment is None:
            raise _missing(project, key)
        return environment


def require_comment(environments: Iterable[Environment], comment: str) -> None:
    """Raises `Rejected` where an environment wants a reason and none is given."""
    if comment.strip():
        return
    for environment in environments:
        if environment.require_comments:
            raise Rejected(
                f"comment: environment {environment.key!r} requires one for every change"
            )


def _missing(project: str, environment: str) -> NotFound:
    return NotFound(f"environment {environment!r} does not exist in project {project!r}")
