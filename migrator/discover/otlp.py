"""Traces as the OpenTelemetry collector's file exporter writes them: lines of OTLP in JSON. Pure.

Only servers' spans of HTTP are of interest, by today's names of the semantic conventions and by
those before 1.20.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from migrator.discover.access_log import status_of
from migrator.discover.request import METHODS, Malformed, Request, path_of

_SERVER: Final = (2, "SPAN_KIND_SERVER")


def parse(line: str) -> list[Request]:
    """The requests of one line. Raises `Malformed`."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        raise Malformed("expected a whole JSON object on the line") from None
    if not isinstance(document, dict) or not isinstance(document.get("resourceSpans"), list):
        raise Malformed("expected OTLP's resourceSpans")
    spans = (request for span in _spans(document) if (request := _request(span)) is not None)
    return list(spans)


def _spans(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in _objects(document, "resourceSpans"):
        for scope in _objects(resource, "scopeSpans"):
            yield from _objects(scope, "spans")


def _request(span: dict[str, Any]) -> Request | None:
    if span.get("kind") not in _SERVER:
        return None
    attributes: dict[str, Any] = {}
    for each in _objects(span, "attributes"):
        value = each.get("value")
        if isinstance(value, dict) and value:
            attributes[str(each.get("key"))] = next(iter(value.values()))

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
