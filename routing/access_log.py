"""The access log's lines: JSON with the names of OpenTelemetry's semantic conventions.

Pure: the time comes in. Whatever came from outside is encoded as a JSON string in ASCII, so that no
line can be forged, and cut at MAX_VALUE. Secrets are hidden before that.
"""

import re
from collections.abc import Iterable
from json.encoder import encode_basestring_ascii as quote
from time import gmtime, strftime
from typing import Final
from urllib.parse import unquote_to_bytes

from routing.config import AccessLog
from routing.record import Lane, Record

MAX_VALUE: Final = 2048
"""Bytes of one value; the rest is left out."""
HIDDEN: Final = b"REDACTED"
CREDENTIALS: Final = frozenset(
    b"authorization proxy-authorization x-api-key x-auth-token x-access-token x-csrf-token "
    b"x-xsrf-token x-amz-security-token x-migrator-context".split()
)
"""Fields whose value is never logged."""
SECRETS: Final = (
    *("token", "secret", "passw", "pwd", "session", "credential", "signature", "authorization"),
    *("apikey", "api_key", "api-key", "accesskey", "access_key", "private_key", "jwt", "assertion"),
)
"""Words in the names of parameters whose value is never logged."""
_SECRET_NAMES: Final = frozenset((b"auth", b"code", b"key", b"otp", b"pin", b"sid", b"sig"))
"""The same as whole names."""
_COOKIE: Final = re.compile(rb"(?<==)[^;]*+")


class Hiding:
    """Hides what must not be logged."""

    def __init__(self, headers: Iterable[str] = (), query: Iterable[str] = ()) -> None:
        """Names of fields and words in names of parameters that are secret too."""
        self._fields = CREDENTIALS | {name.lower().encode() for name in headers}
        words = (re.escape(word.encode()) for word in (*SECRETS, *query))
        self._secret = re.compile(rb"(?i)" + b"|".join(words)).search

    def query(self, query: bytes) -> bytes:
        """Without the values of parameters that are secret by their name."""
        return b"&".join(map(self._parameter, query.split(b"&"))) if query else query

    def field(self, name: bytes, value: bytes) -> bytes:
        """The value of the field `name`, in lower case, as it may be logged."""
        if name in self._fields:
            return HIDDEN
        if name == b"cookie":
            return _COOKIE.sub(HIDDEN, value)
        if name == b"referer":
            address, mark, query = value.partition(b"?")
            return address + mark + self.query(query)
        return value

    def _parameter(self, parameter: bytes) -> bytes:
        name, equals, _ = parameter.partition(b"=")
        plain = unquote_to_bytes(name) if b"%" in name else name
        if equals and (self._secret(plain) or plain.lower() in _SECRET_NAMES):
            return name + b"=" + HIDDEN
        return parameter


class AccessLines:
    """Makes the lines of one configuration."""

    def __init__(self, config: AccessLog) -> None:
        self._hiding = Hiding(config.redact.headers, config.redact.query)
        self._fields = tuple((name.lower().encode(), _key(name)) for name in config.fields)
        self._lanes: dict[Lane, str] = {}
        self._second = -1
        self._date = ""

    def line(self, record: Record, at: float) -> str:
        """The line of a request that began at `at`, seconds since 1970."""
        head = record.head
        parts = [
            self._begin(at, record.peer, edge=record.edge),
            f',"http.request.method":{_quote(head.method)},"url.path":{_quote(head.path)}',
        ]
        if head.query:
            parts.append(f',"url.query":{_quote(self._hiding.query(head.query))}')
        address, port = split_host(head.host)
        parts.append(
            f',"server.address":{_quote(address)},"network.protocol.version":"1.{head.minor}"'
        )
        if port:
            parts.append(f',"server.port":{int(port)}')
        for name, key in self._fields:
            value = head.fields.get(name)
            if value is not None:
                parts.append(f',"{key}":{_quote(self._hiding.field(name, value))}')
        if record.status is not None:
            parts.append(f',"http.response.status_code":{record.status}')
        parts.append(
            f',"http.request.body.size":{record.received},"http.response.body.size":{record.sent}'
            f',"http.server.request.duration":{record.ended - record.began:.6f}'
        )
        parts.append(self._lanes.get(record.lane) or self._of_lane(record.lane))
        evaluation = record.evaluation
        if evaluation is not None:
            parts.append(f',"feature_flag.result.reason":{quote(evaluation.reason)}')
            if evaluation.version is not None:
                parts.append(f',"feature_flag.version":{evaluation.version}')
        if record.fell_back:
            parts.append(',"migrator.fallback":true')
        error = record.error
        if error is not None:
            parts.append(f',"error.type":{quote(error)}')
        parts.append("}\n")
        return "".join(parts)

    def refusal(self, status: int, peer: bytes, at: float, *, edge: bool) -> str:
        """The line of bytes that are not a request."""
        begin = self._begin(at, peer, edge=edge)
        return f'{begin},"http.response.status_code":{status},"error.type":"{status}"}}\n'

    def _begin(self, at: float, peer: bytes, *, edge: bool) -> str:
        second = int(at)
        if second != self._second:
            self._second = second
            self._date = strftime("%Y-%m-%dT%H:%M:%S", gmtime(second))
        listener = "edge" if edge else "gateway"
        return (
            f'{{"timestamp":"{self._date}.{int((at - second) * 1000):03d}Z"'
            f',"client.address":{_quote(peer)},"migrator.listener":"{listener}"'
        )

    def _of_lane(self, lane: Lane) -> str:
        decision, route = lane.decision, lane.route
        text = f',"migrator.origin":"{decision.origin}"'
        if route is not None:
            text += (
                f',"migrator.capability":{quote(route.capability)}'
                f',"migrator.stage":"{decision.stage}","http.route":{quote(route.path)}'
                f',"feature_flag.key":{quote(route.flag)}'
            )
        self._lanes[lane] = text
        return text


def split_host(host: bytes) -> tuple[bytes, bytes]:
    """Name and port, which may be empty, of a valid Host."""
    name, colon, port = host.rpartition(b":")
    return (name, port) if colon and not host.endswith(b"]") else (host, b"")


def _key(field: str) -> str:
    """OpenTelemetry's name for a request field."""
    name = field.lower()
    return "user_agent.original" if name == "user-agent" else f"http.request.header.{name}"


def _quote(value: bytes) -> str:
    return quote(value[:MAX_VALUE].decode("utf-8", "backslashreplace"))
