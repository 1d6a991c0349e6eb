"""What spans say of a request: OpenTelemetry's semantic conventions for HTTP (stable) and for
feature flags.

Pure.
"""

from collections.abc import Mapping
from typing import Final

from routing.config import address_of
from routing.hiding import Hiding, readable, split_host
from routing.message import RequestHead
from routing.record import Record
from routing.stages import Side

Attributes = dict[str, str | int | bool]

METHODS: Final = frozenset(b"CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT TRACE".split())
"""All others are `_OTHER`, so that nobody can fill a backend with names."""
_REASONS: Final[Mapping[str, str]] = {
    "OFF": "disabled",
    "TARGET_MATCH": "targeting_match",
    "RULE_MATCH": "targeting_match",
    **dict.fromkeys(
        (
            *("CLIENT_NOT_READY", "FLAG_NOT_FOUND", "MALFORMED_FLAG", "USER_NOT_SPECIFIED"),
            *("WRONG_TYPE", "EXCEPTION", "ERROR"),
        ),
        "error",
    ),
}


def span_name(head: RequestHead) -> str:
    """Of a client's span, and of a server's where no route matches."""
    return head.method.decode() if head.method in METHODS else "HTTP"


def reason_of(reason: str) -> str:
    """OpenTelemetry's word for LaunchDarkly's reason; where it has none, LaunchDarkly's own."""
    return _REASONS.get(reason) or reason.lower()


def of_server(record: Record, hiding: Hiding) -> Attributes:
    """Of the request as the client sent it and the answer that it got."""
    head, lane = record.head, record.lane
    address, port = split_host(head.host)
    attributes: Attributes = {
        **_method(head),
        "url.scheme": readable(record.scheme),
        "url.path": readable(head.path),
        "client.address": readable(record.peer),
        "network.protocol.version": f"1.{head.minor}",
        "server.address": readable(address),
        "migrator.listener": "edge" if record.edge else "gateway",
        "migrator.origin": lane.decision.origin.value,
    }
    if port:
        attributes["server.port"] = int(port)
    if head.query:
        attributes["url.query"] = readable(hiding.query(head.query))
    agent = head.fields.get(b"user-agent")
    if agent is not None:
        attributes["user_agent.original"] = readable(hiding.field(b"user-agent", agent))
    if lane.route is not None:
        attributes["http.route"] = lane.route.path
        attributes["migrator.capability"] = lane.route.capability
        attributes["migrator.stage"] = str(lane.decision.stage)
    if record.fell_back:
        attributes["migrator.fallback"] = True
    return {**attributes, **_outcome(record.status, record.error)}


def of_client(record: Record, number: int, hiding: Hiding) -> Attributes:
    """Of one attempt to have an origin answer, also of one that reached nobody; `number` counts
    from 0."""
    attempt = record.attempts[number]
    address, port = address_of(attempt.origin)
    attributes: Attributes = {
        **_method(record.head),
        "server.address": address,
        "server.port": port,
        "url.full": attempt.origin.removesuffix("/") + _target(record, attempt.side, hiding),
        "migrator.origin": attempt.side.value,
    }
    if attempt.peer is not None:
        attributes["network.peer.address"], attributes["network.peer.port"] = attempt.peer
    if number:
        attributes["http.request.resend_count"] = number
    error = attempt.error
    if error is None and attempt.status is not None and attempt.status >= 400:
        error = str(attempt.status)
    return {**attributes, **_outcome(attempt.status, error)}


def of_flag(record: Record) -> Attributes | None:
    """Of the evaluation that decided about the request; None where no route matches."""
    route, evaluation = record.lane.route, record.evaluation
    if route is None or evaluation is None:
        return None
    attributes: Attributes = {
        "feature_flag.key": route.flag,
        "feature_flag.provider.name": "LaunchDarkly",
        "feature_flag.result.variant": evaluation.stage.value,
        "feature_flag.result.reason": reason_of(evaluation.reason),
    }
    if evaluation.version is not None:
        attributes["feature_flag.version"] = str(evaluation.version)
    return attributes


def _target(record: Record, side: Side, hiding: Hiding) -> str:
    """Path and query that the origin is asked for; empty for a whole server (RFC 9112, 3.3)."""
    head, route = record.head, record.lane.route
    if head.path == b"*":
        return ""
    target = head.target
    if side is Side.NEW and route is not None and route.changes is not None:
        target = route.changes.target(head)
    path, mark, query = target.partition(b"?")
    return readable(path) + (f"?{readable(hiding.query(query))}" if mark else "")


def _method(head: RequestHead) -> Attributes:
    if head.method in METHODS:
        return {"http.request.method": head.method.decode()}
    return {
        "http.request.method": "_OTHER",
        "http.request.method_original": readable(head.method),
    }


def _outcome(status: int | None, error: str | None) -> Attributes:
    attributes: Attributes = {}
    if status is not None:
        attributes["http.response.status_code"] = status
    if error is not None:
        attributes["error.type"] = error
    return attributes
