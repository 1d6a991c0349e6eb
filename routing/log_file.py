"""Lines for a log, collected on the event loop and written by a thread.

Never waits: what does not fit into the buffer is dropped and counted. A file that was moved away
or removed, as logrotate does, is opened anew before the next lines are written.
"""

import logging
import os
import select
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from routing.errors import InvalidConfig

STDOUT: Final = "-"
MAX_BUFFER: Final = 4 * 1024 * 1024
"""Characters that wait to be written, beside as many that are being written."""

logger = logging.getLogger(__name__)


class LogFile:
    """Appends to a file, or to standard output. Blocks; for one thread."""

    def __init__(self, path: str) -> None:
        """An absolute path, or `-`. Opens nothing yet."""
        self._path = path
        self._file: int | None = 1 if path == STDOUT else None

    def write(self, lines: Sequence[str]) -> None:
        """Append lines of ASCII. Raises OSError; some lines may have been written then."""
        if self._path == STDOUT:
            # Several workers share one pipe: only short writes are never torn apart (POSIX).
            for text in _packed(lines, select.PIPE_BUF):
                _write_all(1, text)
        else:
            _write_all(self._open(), "".join(lines).encode("ascii"))

    def close(self) -> None:
        if self._file is not None and self._path != STDOUT:
            os.close(self._file)
            self._file = None

    def _open(self) -> int:
        if self._file is not None and not self._is_moved(self._file):
            return self._file
        self.close()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
        self._file = os.open(self._path, flags, 0o640)
        return self._file

    def _is_moved(self, file: int) -> bool:
        try:
            return not os.path.samestat(os.fstat(file), os.stat(self._path))
        except FileNotFoundError:
            return True


class LogBuffer:
    """Used on the event loop."""

    def __init__(self, path: str) -> None:
        self.dropped = 0
        """Lines that were not written, or not surely."""
        self.path = path
        self._file = LogFile(path)
        self._lines: list[str] = []
        self._size = 0
        self._thread = ThreadPoolExecutor(1, "access-log")
        self._writing: tuple[Future[None], int] | None = None
        """And how many lines."""
        self._failing = False

    def add(self, line: str) -> None:
        if self._size + len(line) > MAX_BUFFER:
            self.dropped += 1
            return
        self._lines.append(line)
        self._size += len(line)

    def flush(self) -> None:
        """Have what waits written, unless the thread is still busy."""
        if self._writing is not None:
            if not self._writing[0].done():
                return
            self._settle(*self._writing)
            self._writing = None
        if self._lines:
            lines, self._lines, self._size = self._lines, [], 0
            self._writing = self._thread.submit(self._file.write, lines), len(lines)

    def close(self) -> None:
        """Have what waits written; the thread ends after that."""
        if self._lines:
            self._thread.submit(self._file.write, self._lines)
            self._lines = []
        self._thread.submit(self._file.close)
        self._thread.shutdown(wait=False)

    def _settle(self, writing: Future[None], lines: int) -> None:
        """Say once that writing fails, and once that it works again."""
        error = writing.exception()
        if error is not None:
            self.dropped += lines
        if (error is not None) != self._failing:
            self._failing = error is not None
            if error is None:
                logger.warning("access_log.recovered %s", self.path)
            else:
                logger.error("access_log.failed %s", error)


def check_writable(path: str, place: str) -> None:
    """Raise InvalidConfig, naming `place`, if `path` can hardly be written. Opens nothing."""
    if path == STDOUT:
        return
    folder = os.path.dirname(path)
    why = None
    if os.path.isdir(path):
        why = "is a folder"
    elif not os.path.isdir(folder):
        why = "is in a folder that does not exist"
    elif not os.access(path if os.path.exists(path) else folder, os.W_OK):
        why = "cannot be written"
    if why is not None:
        raise InvalidConfig(f"{place}: {path!r} {why}, expected a file or -")


def _packed(lines: Sequence[str], size: int) -> Iterator[bytes]:
    """Whole lines together, up to `size` bytes."""
    packed = b""
    for line in lines:
        text = line.encode("ascii")
        if packed and len(packed) + len(text) > size:
            yield packed
            packed = b""
        packed += text
    if packed:
        yield packed


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
