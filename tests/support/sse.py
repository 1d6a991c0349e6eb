"""Server-sent events, read by the parser of LaunchDarkly's SDKs for Python."""

from collections.abc import Iterable
from typing import Any, Final

from ld_eventsource.actions import Event  # type: ignore[import-untyped]
from ld_eventsource.reader import _BufferedLineReader, _SSEReader  # type: ignore[import-untyped]

STEPS: Final = (1, 7, 10_000)
"""How many bytes arrive at once."""


def events(stream: bytes, step: int = 10_000) -> list[Event]:
    chunks: Iterable[bytes] = (stream[at : at + step] for at in range(0, len(stream), step))
    lines: Any = _BufferedLineReader.lines_from(chunks)
    reader: Any = _SSEReader(lines, None, None)
    return [action for action in reader.events_and_comments() if isinstance(action, Event)]
