"""Who made the versions of a flag that no event accounts for, by the audit log."""

from typing import Final

from migrator.controller.observe import lags, newest_foreign
from migrator.errors import Unavailable
from migrator.flagclient import AuditEntry, Flag, FlagClient
from migrator.rollout.observation import Change

MAX_UNEXPLAINED: Final = 10
"""Looks for which the audit log may lag behind a flag."""
_MOST: Final = 20
"""Entries of the audit log that are looked at."""


class ForeignChanges:
    """Asks for each flag, and remembers for which the audit log lags."""

    def __init__(self, flags: FlagClient) -> None:
        self._flags = flags
        self._unexplained: dict[str, int] = {}
        """Looks since a flag's version rose without an entry in the audit log, by key."""

    async def newest(self, flag: Flag, known: int, audit_id: str | None = None) -> Change | None:
        """The newest change since version `known` by anybody else; None: all are the controller's.

        `audit_id`: the newest entry that is accounted for. Raises Unavailable while the audit log
        lags behind.
        """
        entries = await self._flags.audit(flag.key, limit=min(_MOST, flag.version - known))
        if not self._explained(flag, entries):
            entries = ()
        return newest_foreign(entries, audit_id)

    def _explained(self, flag: Flag, entries: tuple[AuditEntry, ...]) -> bool:
        """Whether the audit log has the change of `flag`. While it lags behind nothing is decided:
        a person's change could pass for ours. For a few looks; then it was someone."""
        if not lags(flag, entries):
            self._unexplained.pop(flag.key, None)
            return True
        looks = self._unexplained[flag.key] = self._unexplained.get(flag.key, 0) + 1
        if looks <= MAX_UNEXPLAINED:
            raise Unavailable(f"the audit log does not say yet who changed {flag.key}")
        return False
