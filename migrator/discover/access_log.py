"""Lines of access logs: the common and combined formats, and JSON. Pure.

JSON is read by the names of OpenTelemetry (so also our own proxy's access log), Elastic Common
Schema, and the usual ones of nginx, Caddy, Envoy and Traefik.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Final

from migrator.discover.request import METHODS, Malformed, Request, path_of

_QUOTED: Final = r'"((?:[^"\\]++|\\.)*+)"'
_LINE: Final = re.compile(
    rf"(\S++) \S++ (.*?) \[([^\]]++)\] {_QUOTED} (\d{{3}}|-) (?:\d++|-)(?: {_QUOTED} {_QUOTED})?"
)
"""Apache's `%h %l %u %t "%r" %>s %b`, and combined's Referer and User-Agent; more may follow."""
_TIME: Final = re.compile(r"(\d\d)/(\w{3})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_MONTHS: Final = {
    name: number
    for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)
}
_METHOD: Final = (
    *("http.request.method", "request_method", "method", "request.method"),
    *("RequestMethod", "http.method"),
)
_TARGET: Final = (
    *("url.path", "request_uri", "uri", "request.uri", "path", "RequestPath", "http.target"),
    *("url.original", "url"),
)
_STATUS: Final = (
    *("http.response.status_code", "status", "status_code", "response_code"),
    *("DownstreamStatus", "http.status_code"),
)
_AT: Final = (
    *("timestamp", "@timestamp", "time", "time_iso8601", "start_time", "StartUTC", "ts"),
    *("time_local", "msec"),
)
_SESSION: Final = ("session.id", "session_id")
_USER: Final = (
    *("user.id", "user.name", "enduser.id", "remote_user", "ClientUsername", "user"),
    "http.request.header.x-user",
)
_ADDRESS: Final = (
    *("client.address", "client.ip", "remote_addr", "request.client_ip", "request.remote_ip"),
    *("client_ip", "ClientHost", "source.address", "remote_ip"),
)
_AGENT: Final = (
    *("user_agent.original", "http_user_agent", "user_agent", "request_User-Agent"),
)  # fmt: skip


def parse(line: str) -> Request | None:
    """The request of one line; None where the line tells of none, such as of refused bytes.

    Raises `Malformed`.
    """
    return _json(line) if line.lstrip()[:1] == "{" else _common(line)


def _common(line: str) -> Request | None:
    found = _LINE.match(line)
    if found is None:
        raise Malformed("expected the common or combined log format, or a JSON object")
    address, user, time, request, status, _referer, agent = found.groups()
    name = _named(user)
    method, target = _request_line(request)
    return _request(
        method=method,
        target=target,
        status=None if status == "-" else int(status),
        at=_clf_time(time),
        who=_who(None, name, address, agent),
        user=name,
    )


def _json(line: str) -> Request | None:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        raise Malformed("expected a whole JSON object on the line") from None
    if not isinstance(document, dict):
        raise Malformed("expected a JSON object")
    method, target = _text(document, _METHOD), _text(document, _TARGET)
    status = _get(document, _STATUS)
    if method is None or target is None:
        line_of_request = document.get("request")
        if isinstance(line_of_request, str):
            method, target = _request_line(line_of_request)
        elif status is None:
            raise Malformed("expected a method, a path and a status among the JSON's members")
    user = _named(_text(document, _USER))
    trace = _text(document, ("trace_id", "trace.id", "traceId"))
    return _request(
        method=method,
        target=target,
        status=status_of(status),
        at=time_of(_get(document, _AT)),
        who=_who(
            _named(_text(document, _SESSION)),
            user,
            _text(document, _ADDRESS),
            _text(document, _AGENT),
        ),
        user=user,
        route=_text(document, ("http.route",)),
        trace=None if trace is None else hash(trace),
    )


def _request(*, method: str | None, target: str | None, **rest: Any) -> Request | None:
    path = path_of(target) if target else None
    if method not in METHODS or path is None:
        return None
    return Request(method, path, **rest)


def status_of(value: Any) -> int | None:
    """An HTTP status code, of a number or its text; None for anything else."""
    try:
        status = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return status if 100 <= status <= 599 else None


def time_of(value: Any) -> float | None:
    """Seconds since 1970 of an ISO 8601 text, the common format's, or a number of s, ms, µs or ns.

    None for anything else. A time without an offset is UTC.
    """
    if isinstance(value, str):
        if _TIME.fullmatch(value):
            return _clf_time(value)
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                return None
        else:
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e20:
        return None
    while value > 1e11:  # seconds have eleven digits only from the year 5138 on
        value /= 1000
    return float(value)


@lru_cache(256)  # many lines of one second follow one another
def _clf_time(text: str) -> float:
    found = _TIME.fullmatch(text)
    if found is None or found[2] not in _MONTHS:
        raise Malformed("expected a time such as 10/Oct/2025:13:55:36 +0200")
    offset = timedelta(hours=int(found[8]), minutes=int(found[9]))
    try:
        return datetime(
            int(found[3]), _MONTHS[found[2]], int(found[1]),
            int(found[4]), int(found[5]), min(int(found[6]), 59),
            tzinfo=timezone(-offset if found[7] == "-" else offset),
        ).timestamp()  # fmt: skip
    except ValueError:
        raise Malformed("expected a time that exists") from None


def _request_line(text: str) -> tuple[str | None, str | None]:
    parts = text.split(" ")
    return (parts[0], parts[1]) if len(parts) in (2, 3) else (None, None)


def _who(
    session: str | None, user: str | None, address: str | None, agent: str | None
) -> int | None:
    if session is not None:
        return hash(("session", session))
    if user is not None:
        return hash(("user", user))
    return None if address in (None, "", "-") else hash(("address", address, agent))


def _named(value: str | None) -> str | None:
    return None if value in (None, "", "-", "REDACTED") else value


def _text(document: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    value = _get(document, names)
    return value if isinstance(value, str) else None


def _get(document: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """The first member that is there; a name with dots may also be nested objects."""
    for name in names:
        value = document.get(name)
        if value is None and "." in name:
            value = document
            for part in name.split("."):
                value = value.get(part) if isinstance(value, dict) else None
        if value is not None and not isinstance(value, (dict, list)):
            return value
    return None
