"""Everything that the flag server keeps, by subject."""

from collections.abc import Mapping

from flags.model import Entry, Kind
from flags.store import audit
from flags.store.core import Core
from flags.store.environments import Environments
from flags.store.evaluations import Evaluations
from flags.store.flags import Flags
from flags.store.importing import Importing
from flags.store.schedule import Schedule
from flags.store.segments import Segments
from flags.store.tokens import Tokens


class Store:
    """Methods may be called from any thread."""

    def __init__(self, database: str, origin: Mapping[str, str]) -> None:
        """Open or make the database. Raises `FlagsError` when it cannot be used.

        `database` is a path of an SQLite file or a URL; `origin` has the `project` and
        `environment` of flags that were written before flags had any.
        """
        self.core = Core(database, origin)
        self.environments = Environments(self.core)
        self.flags = Flags(self.core, self.environments)
        self.segments = Segments(self.core, self.environments)
        self.tokens = Tokens(self.core)
        self.schedule = Schedule(self.core, self.flags)
        self.evaluations = Evaluations(self.core)
        self.importing = Importing(self.core, self.environments, self.flags, self.segments)

    def close(self) -> None:
        self.core.close()

    def audit(
        self,
        *,
        project: str | None = None,
        environment: str | None = None,
        kind: Kind | None = None,
        key: str | None = None,
        before: int | None = None,
        after: int | None = None,
        words: str = "",
        limit: int = 20,
        offset: int = 0,
    ) -> list[Entry]:
        """Newest first; see `flags.store.audit.entries`."""
        with self.core.reading() as db:
            return audit.entries(
                db,
                project=project,
                environment=environment,
                kind=kind,
                key=key,
                before=before,
                after=after,
                words=words,
                limit=limit,
                offset=offset,
            )

    def entry(self, entry_id: int) -> Entry:
        """Raises `NotFound`."""
        with self.core.reading() as db:
            return audit.entry(db, entry_id)
