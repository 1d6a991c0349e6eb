"""Files that are looked at now and then, because others replace them."""

from collections.abc import Iterable
from pathlib import Path

Stamp = tuple[int, int, int] | None
"""What changes when a file does; None: it cannot be seen."""


class WatchedFiles:
    """`stamps`: of the last look. Make it before the files are read: a change in between is seen
    then, and none is missed."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = tuple(paths)
        self.stamps = self._look()

    def changed(self) -> bool:
        """Whether one of them has changed, come or gone since the last look."""
        before, self.stamps = self.stamps, self._look()
        return self.stamps != before

    def _look(self) -> tuple[Stamp, ...]:
        return tuple(_stamp(path) for path in self._paths)


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
