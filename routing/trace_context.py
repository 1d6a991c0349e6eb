"""The fields of W3C Trace Context, level 2: read `traceparent`, and replace it in a request.

Pure.
"""

import re
from dataclasses import dataclass
from typing import Final

SAMPLED: Final = 1
_RANDOM: Final = 2
"""The trace's id is random (level 2); to be passed on."""
_PARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
).fullmatch
_PARENT_FIELD = re.compile(rb"(?i)\ntraceparent:[^\n]*+")
_BOTH_FIELDS = re.compile(rb"(?i)\ntrace(?:parent|state):[^\n]*+")


@dataclass(frozen=True, slots=True)
class Parent:
    """Whose trace a request belongs to."""

    trace_id: int
    span_id: int
    flags: int

    @property
    def sampled(self) -> bool:
        return bool(self.flags & SAMPLED)


def parse(value: bytes) -> Parent | None:
    """What a `traceparent` says; None if it is not valid. Later versions may say more."""
    match = _PARENT(value)
    if match is None or (match[1] == b"00" and match[5] is not None):
        return None
    return Parent(int(match[2], 16), int(match[3], 16), int(match[4], 16))


def stamp(head: bytes, trace_id: int, span_id: int, parent: Parent | None) -> bytes:
    """A request's head that says that its parent is the sampled span. `parent`: the one that the
    request came with; None: there was none, so that its `tracestate` means nothing."""
    flags = SAMPLED if parent is None else SAMPLED | parent.flags & _RANDOM
    line = b"traceparent: 00-%032x-%016x-%02x\r\n" % (trace_id, span_id, flags)
    fields = _BOTH_FIELDS if parent is None else _PARENT_FIELD
    first, end, rest = fields.sub(b"", head).partition(b"\r\n")
    return b"".join((first, end, line, rest))
