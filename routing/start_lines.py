"""The first line of a message (RFC 9112, 3 and 4), read byte by byte.

Pure. As with field lines, what does not follow the grammar is refused, never repaired.
"""

from typing import TYPE_CHECKING, Final

from routing.field_lines import DEL, IS_TOKEN, SP, end_of_text, ends_line

if TYPE_CHECKING:
    from mypy_extensions import i64

_HASH: Final = 0x23
_NINE: Final = 0x39
_ONE: Final = 0x31
_FIVE: Final = 0x35
_QUESTION_MARK: Final = 0x3F
_ZERO: Final = 0x30

STATUS_END: Final = 12
"""Position after the status code of any response."""


class RequestLine:
    __slots__ = ("end", "method", "minor", "question", "target")

    def __init__(self, method: bytes, target: bytes, minor: int, question: int, end: int) -> None:
        self.method = method
        self.target = target
        self.minor = minor
        """Of the version, HTTP/1.0 or HTTP/1.1."""
        self.question = question
        """Position in the target of its first question mark; the target's length: it has none."""
        self.end = end
        """Position after the line's end."""


class StatusLine:
    __slots__ = ("end", "minor", "reason_end", "status")

    def __init__(self, status: int, minor: int, reason_end: int) -> None:
        self.status = status
        self.minor = minor
        self.reason_end = reason_end
        """Position before the line's end; `STATUS_END`: there is no reason phrase, nor the space
        before it, which RFC 9112 demands."""


def read_request_line(data: bytes) -> RequestLine | None:
    """The line that `data` begins with; None: it is not complete, or is none."""
    size: i64 = len(data)
    at: i64 = 0
    byte: i64
    is_token = IS_TOKEN
    while at < size and is_token[data[at]]:
        at += 1
    method_end = at
    if at == 0 or at >= size or data[at] != SP:
        return None
    at += 1
    target: i64 = at
    question: i64 = -1
    while at < size:
        byte = data[at]
        if byte <= SP or byte >= DEL or byte == _HASH:
            break
        if byte == _QUESTION_MARK and question < 0:
            question = at
        at += 1
    if at == target:
        return None
    rest = data[at : at + 11]
    if rest == b" HTTP/1.1\r\n":
        minor = 1
    elif rest == b" HTTP/1.0\r\n":
        minor = 0
    else:
        return None
    if question < 0:
        question = at
    return RequestLine(data[:method_end], data[target:at], minor, question - target, at + 11)


def read_status_line(data: bytes) -> StatusLine | None:
    """The line that `data` begins with; None: it is not complete, or is none of HTTP/1."""
    at: i64 = STATUS_END
    if len(data) < at + 2 or data[:7] != b"HTTP/1." or data[8] != SP:
        return None
    minor: i64 = data[7] - _ZERO
    first: i64 = data[9]
    second: i64 = data[10]
    third: i64 = data[11]
    if minor < 0 or minor > 1 or first < _ONE or first > _FIVE:
        return None
    if second < _ZERO or second > _NINE or third < _ZERO or third > _NINE:
        return None
    if data[at] == SP:
        at = end_of_text(data, at + 1)
    if not ends_line(data, at):
        return None
    status = first * 100 + second * 10 + third - _ZERO * 111
    return StatusLine(status, minor, at)
