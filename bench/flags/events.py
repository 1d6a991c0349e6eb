"""First-generation stream events as bytes. Pure.

Looks for the end of events in raw HTTP bodies: chunk sizes between them do no harm.
"""

import json
import re
from typing import Final

END: Final = b"\n\n"


class Counter:
    """How many events of one kind a stream has sent in full."""

    __slots__ = ("_seen", "_sign", "_tail")

    def __init__(self, kind: bytes) -> None:
        self._sign = kind + b"\n"
        self._seen = False
        """Whether the event that is not complete yet is of that kind."""
        self._tail = b""
        """Its last bytes, in which a sign may have begun."""

    def feed(self, data: bytes) -> int:
        """Events of that kind which `data`, the next bytes of the stream, completes."""
        *complete, rest = (self._tail + data).split(END)
        count = 0
        for event in complete:
            count += self._seen or self._sign in event
            self._seen = False
        self._seen = self._seen or self._sign in rest
        self._tail = rest[-len(self._sign) :]
        return count


def at_version(event: bytes, version: int) -> bytes:
    """The same patch of a later version: nothing else differs. Raises `ValueError`."""
    changed = re.sub(rb'("version": *)\d+', rb"\g<1>%d" % version, event, count=1)
    data = changed.partition(b"data:")[2]
    if json.loads(data)["data"]["version"] != version:
        raise ValueError(f"the flag's version is not the first one in {event[:200]!r}")
    return changed
