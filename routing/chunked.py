"""Strict incremental framing of chunked bodies (RFC 9112, 7.1).

Pure. Finds where a body ends, so that its bytes can be forwarded as they came; the payload can be
collected beside that for a peer that does not know chunks. Holds at most one unfinished line.
"""

import re
import sys

from routing.errors import BadMessage
from routing.field_names import TOKEN, forbidden_in_trailers

MAX_SIZE_LINE = 4 * 1024
MAX_EXTENSIONS = 16 * 1024
"""Of all chunks together: extensions cost work and carry nothing that anyone reads."""
MAX_TRAILERS = 16 * 1024

# Neither 16 digits, which overflow a signed number, nor "bad" white space before an extension.
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})((?:;[\t\x20-\x7e\x80-\xff]*)?)").fullmatch
_TRAILER = re.compile(rb"%b++:[\t\x20-\x7e\x80-\xff]*+" % TOKEN).fullmatch

_IN_SIZE, _IN_DATA, _AFTER_DATA, _IN_TRAILERS, _DONE = range(5)


class ChunkedBody:
    """State of one body. `done` once the last byte has been fed.

    `left`: bytes of content that are still accepted.
    """

    __slots__ = ("_extensions", "_left", "_line", "_remaining", "_state", "_trailers")

    def __init__(self, left: int = sys.maxsize) -> None:
        self._left = left
        self._state = _IN_SIZE
        self._remaining = 0
        self._line = b""
        self._extensions = 0
        self._trailers = 0

    @property
    def done(self) -> bool:
        return self._state == _DONE

    def feed(self, data: bytes, start: int = 0, payload: list[bytes] | None = None) -> int:
        """Take `data[start:]`; the position after the last byte that belongs to the body.

        Appends the chunks' content to `payload` if given. Raises BadMessage (status 400, 413 or
        431).
        """
        position = start
        size = len(data)
        while position < size and self._state != _DONE:
            if self._state == _IN_DATA:
                taken = min(self._remaining, size - position)
                if payload is not None:
                    payload.append(data[position : position + taken])
                position += taken
                self._remaining -= taken
                if not self._remaining:
                    self._state = _AFTER_DATA
                continue
            feed_end = data.find(b"\n", position)
            if feed_end < 0:
                self._hold(data[position:])
                return size
            line = self._line + data[position : feed_end + 1]
            self._line = b""
            position = feed_end + 1
            if not line.endswith(b"\r\n"):
                raise BadMessage(400, "a line of the chunked body ends without a carriage return")
            self._take_line(line[:-2])
        return position

    def _hold(self, rest: bytes) -> None:
        self._line += rest
        limit = 1 if self._state == _AFTER_DATA else MAX_SIZE_LINE
        if len(self._line) > limit or (self._state == _AFTER_DATA and self._line != b"\r"):
            raise BadMessage(400, "the chunked body does not follow RFC 9112")

    def _take_line(self, line: bytes) -> None:
        if self._state == _AFTER_DATA:
            if line:
                raise BadMessage(400, "a chunk is longer than its size says")
            self._state = _IN_SIZE
        elif self._state == _IN_SIZE:
            self._take_size(line)
        elif not line:
            self._state = _DONE
        else:
            self._trailers += len(line)
            if self._trailers > MAX_TRAILERS:
                raise BadMessage(431, f"trailers are longer than {MAX_TRAILERS} bytes")
            if _TRAILER(line) is None or forbidden_in_trailers(line):
                raise BadMessage(400, "a trailer field is not allowed")

    def _take_size(self, line: bytes) -> None:
        match = _SIZE(line)
        if match is None or len(line) > MAX_SIZE_LINE:
            raise BadMessage(400, "a chunk size is not valid")
        self._extensions += len(match[2])
        if self._extensions > MAX_EXTENSIONS:
            raise BadMessage(400, "chunk extensions are too long")
        self._remaining = int(match[1], 16)
        self._left -= self._remaining
        if self._left < 0:
            raise BadMessage(413, "the body is too long")
        self._state = _IN_DATA if self._remaining else _IN_TRAILERS
