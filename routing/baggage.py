"""Our members of the W3C `baggage` field (W3C Baggage, Recommendation of 2024).

Pure. A service with OpenTelemetry passes the field on without a line of its code. Members of others
stay as they came, in their order.
"""

import re

from routing.context import CONTEXT_HEADER
from routing.decisions import DECISIONS_HEADER

FIELD = b"baggage"
CONTEXT = b"migrator-context"
DECISIONS = b"migrator-decisions"
MAX_BYTES = 8192
MAX_MEMBERS = 64
"""What all platforms have to pass on (section 3.3.2 of the recommendation)."""

_FIELD_OF = {CONTEXT: CONTEXT_HEADER, DECISIONS: DECISIONS_HEADER}
_lines = re.compile(rb"(?im)^baggage:[^\r]*+\r\n").sub
_is_ours = re.compile(rb"[ \t]*+(%b|%b)[ \t]*+=[ \t]*+([^;\t ]*+)" % (CONTEXT, DECISIONS)).match


def members(context: bytes, decisions: bytes) -> bytes:
    """Both of ours. The values are base64url and dots, which need no escapes there."""
    return b"%b=%b,%b=%b" % (CONTEXT, context, DECISIONS, decisions)


def unpack(fields: dict[bytes, bytes]) -> None:
    """Let our members stand for the fields of a call between services that are missing."""
    for member in fields.get(FIELD, b"").split(b","):
        match = _is_ours(member)
        if match is not None:
            fields.setdefault(_FIELD_OF[match[1]], match[2])


def without_field(forward: bytes) -> bytes:
    """The block of a request head without the field."""
    return _lines(b"", forward)


def replace(value: bytes, ours: bytes) -> bytes:
    """The field for the origin: what others put in `value`, then `ours` where both fit."""
    kept = [each for each in value.split(b",") if each.strip(b" \t") and _is_ours(each) is None]
    if ours:
        joined = b",".join((*kept, ours))
        if len(joined) <= MAX_BYTES and joined.count(b",") < MAX_MEMBERS:
            return joined
    return b",".join(kept)
