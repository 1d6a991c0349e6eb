"""The SDK's store of flags, remembered on disk for a start without a flag server.

The SDK's own thread calls `init`, `upsert` and `delete`; every change is told to `on_change` (from
that thread) and then, by the one worker that has `writes`, written to disk in one atomic step.
The file belongs to one SDK key: another key's flags are never used.
"""

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ldclient.feature_store import InMemoryFeatureStore
from ldclient.versioned_data_kind import FEATURES, SEGMENTS, VersionedDataKind

FILE = "flags.json"
"""Its name in the proxy's state folder."""
FORMAT = 1
KINDS: Mapping[str, VersionedDataKind] = {"flags": FEATURES, "segments": SEGMENTS}

logger = logging.getLogger(__name__)


class RememberingStore(InMemoryFeatureStore):
    """The SDK's in-memory store plus `path`. Why not a flag listener: the SDK tells listeners only
    of higher versions, so a flag server that was set up anew would go unnoticed."""

    def __init__(
        self, path: Path, sdk_key: str, *, writes: bool, on_change: Callable[[], object]
    ) -> None:
        super().__init__()
        self._path = path
        self._owner = hashlib.sha256(sdk_key.encode()).hexdigest()[:16]
        self._writes = writes
        self._on_change = on_change

    def load(self) -> bool:
        """Fill the store from disk; False (with a log line) if there is nothing usable."""
        try:
            document = json.loads(self._path.read_bytes())
            if document["format"] != FORMAT or document["owner"] != self._owner:
                logger.warning("flags.cache.ignored path=%s why=other format or key", self._path)
                return False
            super().init({kind: document[name] for name, kind in KINDS.items()})
        except FileNotFoundError:
            return False
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
            logger.warning("flags.cache.unusable path=%s why=%s", self._path, exc)
            return False
        return True

    def init(self, all_data: Mapping[VersionedDataKind, Mapping[str, Any]]) -> None:
        super().init(all_data)
        self._changed()

    def upsert(self, kind: VersionedDataKind, item: dict[str, Any]) -> None:
        super().upsert(kind, item)
        self._changed()

    def delete(self, kind: VersionedDataKind, key: str, version: int) -> None:
        super().delete(kind, key, version)
        self._changed()

    def _changed(self) -> None:
        self._on_change()
        if not self._writes:
            return
        document = {"format": FORMAT, "owner": self._owner}
        for name, kind in KINDS.items():
            document[name] = self.all(kind, lambda items, kind=kind: _encode(kind, items))
        try:
            write_atomically(self._path, json.dumps(document).encode())
        except OSError as exc:
            logger.warning("flags.cache.not_written path=%s why=%s", self._path, exc)


def _encode(kind: VersionedDataKind, items: Mapping[str, Any]) -> dict[str, Any]:
    return {key: kind.encode(item) for key, item in items.items()}


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, mode 0600, so that a reader sees the old or the new file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
