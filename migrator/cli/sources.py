"""The files that `migrator discover` reads, line by line. Only reads."""

import gzip
import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from migrator.discover import access_log, otlp
from migrator.discover.request import Malformed, Request
from migrator.errors import InvalidInput

MAX_LINE: Final = 65_536
"""Bytes of a log's line; a longer one is malformed."""
MAX_TRACES_LINE: Final = 16 * 1024 * 1024
"""The same of traces: the collector writes a whole batch as one line."""
MAX_DOCUMENT: Final = 16 * 1024 * 1024
"""Bytes of an OpenAPI document."""
EVERY: Final = 2000
"""Lines between two looks at the progress."""
Parser = Callable[[str], Iterable[Request]]


@dataclass(slots=True)
class Source:
    """A file to read, and what became of its lines in the first pass."""

    path: Path
    parse: Parser = field(repr=False)
    limit: int
    counts: bool
    """Whether its requests are traffic; False: they say only what goes together."""
    lines: int = 0
    requests: int = 0
    malformed: int = 0
    first: str | None = None
    """The place of the first malformed line, and what was expected there."""


def log(path: Path) -> Source:
    """An access log."""
    return Source(path, _log_line, MAX_LINE, counts=True)


def traces(path: Path, *, counts: bool) -> Source:
    return Source(path, otlp.Traces().parse, MAX_TRACES_LINE, counts=counts)


def requests(
    source: Source, earliest: float | None, advance: Callable[[int], None]
) -> Iterator[Request]:
    """Those of the file since `earliest`, line by line; what is malformed is counted in `source`.

    `advance` is told of bytes that were read. Raises `InvalidInput` if the file cannot be read.
    """
    for line in _lines(source, advance):
        source.lines += 1
        try:
            if line is None:
                raise Malformed(f"expected at most {source.limit} bytes on a line")
            found = source.parse(line)
        except Malformed as error:
            source.malformed += 1
            source.first = source.first or f"{source.path}:{source.lines}: {error}"
            continue
        for request in found:
            if earliest is None or (request.at is not None and request.at >= earliest):
                yield request


def _log_line(line: str) -> Iterable[Request]:
    request = access_log.parse(line)
    return () if request is None else (request,)


def _lines(source: Source, advance: Callable[[int], None]) -> Iterator[str | None]:
    """Without the empty ones; None for a line that is too long. Raises `InvalidInput`."""
    try:
        with source.path.open("rb") as raw:
            if not raw.seekable():
                raise InvalidInput(f"{source.path}: expected a file, as it is read twice")
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            file: IO[bytes] = io.BufferedReader(gzip.GzipFile(fileobj=raw)) if packed else raw
            read = 0
            for number, line in enumerate(iter(lambda: file.readline(source.limit + 1), b""), 1):
                if number % EVERY == 0:
                    advance(raw.tell() - read)
                    read = raw.tell()
                if len(line) <= source.limit:
                    if not line.isspace():
                        yield line.decode(errors="replace").rstrip("\r\n")
                    continue
                while line and not line.endswith(b"\n"):
                    line = file.readline(source.limit)
                yield None
            advance(raw.tell() - read)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "the compressed data is damaged"
        raise InvalidInput(f"{source.path}: cannot be read: {reason}") from None


@contextmanager
def progress(sources: Iterable[Source]) -> Iterator[Callable[[int], None]]:
    """Bytes read, drawn on standard error if that is a terminal."""
    total = 2 * sum(source.path.stat().st_size for source in sources if source.path.is_file())
    err = Console(stderr=True)
    columns = (TextColumn("reading"), BarColumn(), TextColumn("{task.percentage:.0f}%"))
    with Progress(
        *columns, TimeRemainingColumn(), console=err, transient=True, disable=not err.is_terminal
    ) as bar:
        task = bar.add_task("", total=total)
        yield lambda read: bar.advance(task, read)


def text(path: Path) -> str:
    """Of a whole document. Raises `InvalidInput`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_DOCUMENT + 1)
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > MAX_DOCUMENT:
        raise InvalidInput(f"{path}: larger than {MAX_DOCUMENT} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}: not UTF-8 (byte {error.start})") from None
