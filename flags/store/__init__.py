"""Flags, segments, environments, members and the audit log in a database."""

from flags.model import Actor, Entry
from flags.store.changes import Change, Deleted
from flags.store.database import new_id, new_salt, now_ms
from flags.store.store import Store

__all__ = ["Actor", "Change", "Deleted", "Entry", "Store", "new_id", "new_salt", "now_ms"]
