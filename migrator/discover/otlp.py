"""Traces as the OpenTelemetry collector's file exporter writes them: lines of OTLP in JSON. Pure.

Only servers' spans of HTTP are of interest, by today's names of the semantic conventions and by
those before 1.20, and the tables that are written below them.
"""

import json
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from migrator.discover.access_log import status_of
from migrator.discover.request import METHODS, Malformed, Request, path_of
from migrator.discover.tables import written

MAX_WAITING: Final = 50_000
"""Spans that are not there yet, for which tables are kept."""
_SERVER: Final = (2, "SPAN_KIND_SERVER")
_Key = tuple[str, str]
"""Ids of a trace and of a span in it."""
_Span = dict[str, Any]


class Traces:
    """Reads lines in the order in which they were written: a span comes after those below it."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[_Key, frozenset[str]] = OrderedDict()
        """Tables that were written below a span of a later line."""

    def parse(self, line: str) -> list[Request]:
        """The requests of one line. Raises `Malformed`."""
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            raise Malformed("expected a whole JSON object on the line") from None
        if not isinstance(document, dict) or not isinstance(document.get("resourceSpans"), list):
            raise Malformed("expected OTLP's resourceSpans")
        spans = list(_spans(document))
        tables = self._tables(spans)
        requests = (_request(span, tables.get(_key(span), frozenset())) for span in spans)
        return [request for request in requests if request is not None]

    def _tables(self, spans: Sequence[_Span]) -> dict[_Key, frozenset[str]]:
        """Tables written, by the server's span that is nearest above."""
        here = {_key(span): span for span in spans}
        found: dict[_Key, frozenset[str]] = {}
        for key, span in here.items():
            tables = self._waiting.pop(key, frozenset())
            if span.get("kind") not in _SERVER:
                tables |= written(_attributes(span))
            if not tables:
                continue
            # No way up is longer than there are spans, whatever a file says.
            for _ in here:
                above = here.get(key)
                if above is None or above.get("kind") in _SERVER:
                    break
                key = key[0], str(above.get("parentSpanId") or "")
            if key in here:
                found[key] = found.get(key, frozenset()) | tables
            elif key[1]:
                self._waiting[key] = self._waiting.get(key, frozenset()) | tables
                if len(self._waiting) > MAX_WAITING:
                    self._waiting.popitem(last=False)
        return found


def _spans(document: dict[str, Any]) -> Iterator[_Span]:
    for resource in _objects(document, "resourceSpans"):
        for scope in _objects(resource, "scopeSpans"):
            yield from _objects(scope, "spans")


def _key(span: _Span) -> _Key:
    return str(span.get("traceId")), str(span.get("spanId"))


def _attributes(span: _Span) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in _objects(span, "attributes"):
        value = each.get("value")
        if isinstance(value, dict) and value:
            found[str(each.get("key"))] = next(iter(value.values()))
    return found


def _request(span: _Span, tables: frozenset[str]) -> Request | None:
    if span.get("kind") not in _SERVER:
        return None
    attributes = _attributes(span)

    def first(*names: str) -> Any:
        return next((attributes[name] for name in names if name in attributes), None)

    method = first("http.request.method", "http.method")
    target = first("url.path", "http.target", "url.full", "http.url")
    route = first("http.route")
    path = path_of(target) if isinstance(target, str) else None
    if path is None and isinstance(route, str):
        path = path_of(route)
    if method not in METHODS or path is None:
        return None
    trace = span.get("traceId")
    user = first("user.id", "enduser.id", "user.name")
    session = first("session.id")
    return Request(
        method,
        path,
        status=status_of(first("http.response.status_code", "http.status_code")),
        at=_seconds(span.get("startTimeUnixNano")),
        who=None if user is None and session is None else hash((str(session), str(user))),
        user=user if isinstance(user, str) else None,
        route=route if isinstance(route, str) else None,
        trace=hash(trace) if isinstance(trace, str) and trace else None,
        tables=tables,
    )


def _seconds(nanoseconds: Any) -> float | None:
    """64-bit integers are strings in OTLP's JSON."""
    try:
        return int(nanoseconds) / 1e9
    except (TypeError, ValueError):
        return None


def _objects(parent: dict[str, Any], name: str) -> list[dict[str, Any]]:
    members = parent.get(name)
    return [each for each in members if isinstance(each, dict)] if isinstance(members, list) else []
