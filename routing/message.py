"""The rules of RFC 9112 for message heads: what is accepted, and what is forwarded.

Pure. `start_lines` and `field_lines` know the grammar; here is what a message means that follows
it. What does not is refused, never repaired. Adding our own fields is the caller's job.

Framing that two parsers could read differently is refused (RFC 9112, 6.1 and 11.2): any
Transfer-Encoding but a single `chunked`, Transfer-Encoding beside Content-Length, a repeated
Content-Length or Host, Transfer-Encoding in HTTP/1.0, bare line feeds, folded lines, spaces before
a colon.
"""

import re
import sys
from collections.abc import Iterable
from typing import Final

from routing.config import Limits
from routing.errors import BadMessage, LastHop
from routing.field_lines import FieldNames, read_field_lines
from routing.field_names import HOP_BY_HOP, MISREAD, OURS, REPLACED, TOKEN, VOUCHED
from routing.start_lines import STATUS_END, read_request_line, read_status_line

_DEFAULTS = Limits()
MAX_HEAD = 64 * 1024
"""Bytes of a response head."""

CHUNKED: Final = -1
UNTIL_CLOSE: Final = -2

_NO_LIMIT: Final = sys.maxsize

_BARE_LF = re.compile(rb"(?<!\r)\n").search
_OTHER_VERSION = re.compile(rb"%b++ [\x21-\x7e]++ HTTP/(?!1\.[01]\r)[0-9]\.[0-9]\r\n" % TOKEN).match
_HOST = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::[0-9]{0,5})?"
).fullmatch
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?@]+)([/?].*)?").fullmatch

_DROPPED_REQUEST = (*HOP_BY_HOP, OURS, *REPLACED, *MISREAD)
_LOOKED_AT_IN_RESPONSES = (b"content-length", b"transfer-encoding", b"date")
_drop_framing = re.compile(rb"(?i)\n(?:content-length|transfer-encoding):[^\n]*+").sub
_drop_count = re.compile(rb"(?i)\nmax-forwards:[^\n]*+").sub
_NEVER_LISTED = frozenset({b"host", b"content-length", b"transfer-encoding"})
"""Connection may not name these: a peer that removed them would change the message's meaning."""


class RequestHead:
    """One accepted request head. Bytes are as they came unless said otherwise."""

    __slots__ = (
        "body",
        "end",
        "fields",
        "forward",
        "host",
        "keep_alive",
        "method",
        "minor",
        "path",
        "query",
        "websocket",
    )

    def __init__(
        self,
        method: bytes,
        path: bytes,
        query: bytes,
        minor: int,
        host: bytes,
        body: int,
        keep_alive: bool,
        websocket: bool,
        fields: dict[bytes, bytes],
        forward: bytes,
        end: int,
    ) -> None:
        self.method = method
        self.path = path
        """Without the query."""
        self.query = query
        """Without the question mark."""
        self.minor = minor
        self.host = host
        self.body = body
        """Length in bytes, or CHUNKED."""
        self.keep_alive = keep_alive
        self.websocket = websocket
        self.fields = fields
        """The looked-at fields by lower-case name; repeated ones are joined."""
        self.forward = forward
        """Request line and fields for the origin, each line ended, without the empty line."""
        self.end = end
        """Where the body begins."""

    @property
    def target(self) -> bytes:
        """Path and query."""
        return b"%b?%b" % (self.path, self.query) if self.query else self.path


class ResponseHead:
    """One accepted response head."""

    __slots__ = ("body", "dated", "end", "forward", "keep_alive", "minor", "status", "websocket")

    def __init__(
        self,
        status: int,
        minor: int,
        body: int,
        keep_alive: bool,
        websocket: bool,
        dated: bool,
        forward: bytes,
        end: int,
    ) -> None:
        self.status = status
        self.minor = minor
        """Of the origin's version; what is forwarded says HTTP/1.1."""
        self.body = body
        """Length in bytes, CHUNKED or UNTIL_CLOSE."""
        self.keep_alive = keep_alive
        self.websocket = websocket
        self.dated = dated
        """It has a Date."""
        self.forward = forward
        """Status line and fields for the client, each line ended, without the empty line."""
        self.end = end


class RequestReader:
    """Reads request heads. `wanted`: names of further fields to look at (for the context
    and for routes that depend on them). `believed`: peers are believed in what they say of their
    clients; what others say of themselves is neither forwarded nor looked at."""

    def __init__(
        self,
        wanted: Iterable[str] = (),
        limits: Limits = _DEFAULTS,
        *,
        believed: bool = False,
    ) -> None:
        self._limits = limits
        self._most_fields = limits.fields
        self._longest_line = limits.request_line
        self._longest_head = limits.head
        self._body = sys.maxsize if limits.body is None else limits.body
        self._names = FieldNames(
            (
                b"host",
                b"content-length",
                b"transfer-encoding",
                b"expect",
                b"cookie",
                b"max-forwards",
                *(name.lower().encode() for name in wanted),
            ),
            _DROPPED_REQUEST if believed else (*_DROPPED_REQUEST, *VOUCHED),
            MISREAD if believed else (*MISREAD, *REPLACED, *VOUCHED),
        )
        self._host = b""
        """The Host that was found valid last; mostly it is the next one's, too."""

    def read(self, data: bytes) -> RequestHead | None:
        """The head that `data` begins with; None: more bytes are needed.

        Raises BadMessage with status 400, 413, 414, 417, 431, 501 or 505, and LastHop.
        """
        line = read_request_line(data)
        lines = None
        if line is not None:
            lines = read_field_lines(data, line.end, self._most_fields, self._names)
        if line is None or lines is None:
            _explain_request(data, self._limits)
            return None
        if line.end - 2 > self._longest_line or lines.end > self._longest_head:
            raise _too_long(line.end - 2, self._limits)
        method = line.method
        target = line.target
        minor = line.minor
        fields = lines.fields
        forward = lines.forward
        body = 0
        if b"content-length" in fields or b"transfer-encoding" in fields:
            body = _request_framing(fields, minor)
            if body > self._body:
                raise BadMessage(413, f"the body is longer than {self._body} bytes")
        host = fields.get(b"host")
        if host is None:
            if minor == 1:
                raise BadMessage(400, "Host is missing")
            host = b""
        elif host != self._host:
            if host and _HOST(host) is None:
                raise BadMessage(400, "Host is not valid or repeated")
            self._host = host
        question = line.question
        if target[0] != 0x2F or not minor:
            target, host, forward = _rewrite(method, target, fields.get(b"host"), forward)
            question = target.find(b"?")
            if question < 0:
                question = len(target)
        keep_alive = minor == 1
        websocket = False
        if b"connection" in fields:
            options, forward = _connection(fields[b"connection"], forward)
            keep_alive = b"close" not in options and (minor == 1 or b"keep-alive" in options)
            websocket = (
                b"upgrade" in options
                and fields.get(b"upgrade", b"").lower() == b"websocket"
                and method == b"GET"
                and minor == 1
                and body == 0
            )
        if method[0] == 0x4F or method[0] == 0x54:  # the first letter spares others the rest
            forward = _count_forward(method, fields, forward)
        return RequestHead(
            method,
            target[:question],
            target[question + 1 :],
            minor,
            host,
            body,
            keep_alive,
            websocket,
            fields,
            forward,
            lines.end,
        )


class ResponseReader:
    """Reads response heads."""

    def __init__(self) -> None:
        self._names = FieldNames(_LOOKED_AT_IN_RESPONSES, (*HOP_BY_HOP, OURS), ())

    def read(self, data: bytes, method: bytes) -> ResponseHead | None:
        """The head that `data` begins with, as the answer to a `method` request; None: more bytes
        are needed. Raises BadMessage (status 502)."""
        line = read_status_line(data)
        lines = None
        if line is not None:
            lines = read_field_lines(data, line.reason_end + 2, _NO_LIMIT, self._names)
        if line is None or lines is None:
            if data.find(b"\r\n\r\n") >= 0 or _BARE_LF(data) or len(data) > MAX_HEAD:
                raise BadMessage(502, "the origin's answer is not HTTP/1.1")
            return None
        if lines.end > MAX_HEAD:
            raise BadMessage(502, "the origin's response head is too large")
        status = line.status
        fields = lines.fields
        forward = lines.forward
        minor = line.minor
        keep_alive = minor == 1
        body = _response_framing(fields, status, method, keep_alive)
        if not body and (status < 200 or status == 204):
            # These have no content and must not say how long it is (RFC 9110, 8.6; RFC 9112, 6.1).
            forward = _drop_framing(b"", forward)
        has_reason = line.reason_end > STATUS_END
        if not has_reason or not keep_alive:
            code = data[STATUS_END - 3 : STATUS_END]
            # Compiled slices may not end before they begin.
            reason = data[STATUS_END + 1 : line.reason_end] if has_reason else b""
            forward = b"HTTP/1.1 %b %b%b" % (code, reason, forward[line.reason_end :])
        websocket = False
        if b"connection" in fields:
            options, forward = _connection(fields[b"connection"], forward)
            keep_alive = keep_alive and b"close" not in options
            if b"upgrade" in options:
                websocket = fields.get(b"upgrade", b"").lower() == b"websocket"
        dated = b"date" in fields
        return ResponseHead(status, minor, body, keep_alive, websocket, dated, forward, lines.end)


def _too_long(line_end: int, limits: Limits) -> BadMessage:
    if line_end > limits.request_line:
        return BadMessage(414, f"the request line is longer than {limits.request_line} bytes")
    return BadMessage(431, f"the request head is longer than {limits.head} bytes")


def _explain_request(data: bytes, limits: Limits) -> None:
    """Raise what is wrong with a head that did not match; return if it is only incomplete."""
    line_end = data.find(b"\r\n")
    if (line_end if line_end >= 0 else len(data)) > limits.request_line:
        raise _too_long(limits.request_line + 1, limits)
    if _OTHER_VERSION(data):
        raise BadMessage(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
    if _BARE_LF(data):
        raise BadMessage(400, "a line ends without a carriage return")
    end = data.find(b"\r\n\r\n")
    if end >= 0 and data.count(b"\n", 0, end) > limits.fields:
        raise BadMessage(431, f"the request has more than {limits.fields} fields")
    if end >= 0 or b"\x00" in data or (line_end >= 0 and read_request_line(data) is None):
        raise BadMessage(400, "the request head does not follow RFC 9112")
    if len(data) > limits.head:
        raise _too_long(0, limits)


def _is_length(value: bytes) -> bool:
    return value.isdigit() and len(value) <= 15


def _request_framing(fields: dict[bytes, bytes], minor: int) -> int:
    """Body length of a request (RFC 9112, 6.3)."""
    length = fields.get(b"content-length")
    coding = fields.get(b"transfer-encoding")
    if coding is not None:
        if length is not None:
            raise BadMessage(400, "Transfer-Encoding and Content-Length exclude each other")
        if minor == 0:
            raise BadMessage(400, "HTTP/1.0 has no Transfer-Encoding")
        if coding.lower() != b"chunked":
            raise _refused_codings(coding)
        size = CHUNKED
    elif length is None:
        return 0
    elif _is_length(length):
        size = int(length)
    else:
        raise BadMessage(400, "Content-Length is not one number")
    expected = fields.get(b"expect")
    if expected is not None and expected.lower() != b"100-continue":
        # RFC 9110, 10.1.1. Who reads another expectation as this one waits for a body that does
        # not come, or takes it for the next request.
        raise BadMessage(417, "the only expectation that can be met is 100-continue")
    return size


_CODING = re.compile(rb"%b++(?:[ \t]*+;[ \t]*+%b++=%b++)*+" % (TOKEN, TOKEN, TOKEN)).fullmatch


def _refused_codings(value: bytes) -> BadMessage:
    """Why a Transfer-Encoding other than `chunked` is refused: where `chunked` is not the last
    coding, or not the only one of its name, nobody can know where the body ends."""
    *others, last = (coding.strip(b" \t") for coding in value.lower().split(b","))
    names = [coding.partition(b";")[0].rstrip(b" \t") for coding in others]
    if last != b"chunked" or b"chunked" in names or not all(map(_CODING, others)):
        return BadMessage(400, "Transfer-Encoding does not end in one chunked")
    return BadMessage(501, "the only transfer coding understood is chunked")


def _response_framing(fields: dict[bytes, bytes], status: int, method: bytes, modern: bool) -> int:
    """Body length of a response (RFC 9112, 6.3)."""
    length = fields.get(b"content-length")
    coding = fields.get(b"transfer-encoding")
    if coding is not None and (length is not None or not modern or coding.lower() != b"chunked"):
        raise BadMessage(502, "the origin's framing is ambiguous")
    if length is not None and not _is_length(length):
        raise BadMessage(502, "the origin's Content-Length is not one number")
    if method == b"HEAD" or status < 200 or status in (204, 304):
        return 0
    if coding is not None:
        return CHUNKED
    return UNTIL_CLOSE if length is None else int(length)


def _connection(value: bytes, forward: bytes) -> tuple[frozenset[bytes], bytes]:
    """Connection's options, and the block without the fields that it names (RFC 9110, 7.6.1)."""
    known = _USUAL.get(value)
    if known is not None:
        return known, forward
    options = frozenset(option.strip(b" \t") for option in value.lower().split(b","))
    named = options - _KNOWN_OPTIONS
    if not named:
        return options, forward
    if not all(map(_OPTION, named)):
        raise BadMessage(400, "Connection is not a list of names")
    if named & _NEVER_LISTED:
        raise BadMessage(400, "Connection names a field that belongs to the message")
    pattern = rb"(?i)(?<=\n)(?:%b):[^\r]*+\r\n" % b"|".join(map(re.escape, named))
    return options, re.sub(pattern, b"", forward)


def _count_forward(method: bytes, fields: dict[bytes, bytes], forward: bytes) -> bytes:
    """The block of an OPTIONS or TRACE for the next recipient: it may go through one less (RFC
    9110, 7.6.2). Raises LastHop if there may be none."""
    left = fields.get(b"max-forwards")
    if left is None or method not in (b"OPTIONS", b"TRACE"):
        return forward
    if not _is_length(left):
        raise BadMessage(400, "Max-Forwards is not one number")
    if not int(left):
        raise LastHop(200 if method == b"OPTIONS" else 405, "Max-Forwards is used up")
    return _drop_count(b"", forward) + b"Max-Forwards: %d\r\n" % (int(left) - 1)


_USUAL = {
    value: frozenset((value.lower(),))
    for value in (b"keep-alive", b"Keep-Alive", b"close", b"Close")
}
_OPTION = re.compile(rb"%b++" % TOKEN).fullmatch
_KNOWN_OPTIONS = frozenset((b"", b"close", *HOP_BY_HOP))


def _rewrite(
    method: bytes, target: bytes, host: bytes | None, forward: bytes
) -> tuple[bytes, bytes, bytes]:
    """Target, host and block for what is not a plain HTTP/1.1 origin-form request."""
    if method == b"CONNECT":
        raise BadMessage(501, "CONNECT is not offered")
    rest = forward[forward.index(b"\r\n") + 2 :]
    if target == b"*":
        if method != b"OPTIONS":
            raise BadMessage(400, "the target * is for OPTIONS only")
        rest = rest if host is not None else b"Host: \r\n" + rest
    elif target[0] != 0x2F:
        absolute = _ABSOLUTE(target)
        if absolute is None or _HOST(absolute[1]) is None:
            raise BadMessage(400, "the request target is not valid")
        host = absolute[1]
        # RFC 9112, 3.2.4: of a whole server OPTIONS asks with the asterisk.
        target = absolute[2] or (b"*" if method == b"OPTIONS" else b"/")
        if target.startswith(b"?"):
            target = b"/" + target
        # RFC 9112, 3.2.2: the target's host replaces what Host said.
        rest = b"Host: " + host + b"\r\n" + re.sub(rb"(?im)^host:[^\r]*+\r\n", b"", rest)
    elif host is None:
        rest = b"Host: \r\n" + rest
    return target, host or b"", b"%b %b HTTP/1.1\r\n%b" % (method, target, rest)
