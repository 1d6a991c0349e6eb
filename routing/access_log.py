"""The access log's lines: JSON with the names of OpenTelemetry's semantic conventions.

Pure: the time comes in. Whatever came from outside is encoded as a JSON string in ASCII, so that no
line can be forged. Secrets are hidden before that.
"""

from collections.abc import Iterable
from json.encoder import encode_basestring_ascii as quote
from time import gmtime, strftime

from routing.hiding import Hiding, readable, split_host
from routing.record import Lane, Record
from routing.span_attributes import reason_of


class AccessLines:
    """Makes the lines of one configuration."""

    def __init__(self, fields: Iterable[str], hiding: Hiding) -> None:
        """`fields`: names of the request's fields to log."""
        self._hiding = hiding
        names = dict.fromkeys(name.lower() for name in fields)
        self._fields = tuple((name.encode(), _key(name)) for name in names)
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
            parts.append(f',"feature_flag.result.reason":{quote(reason_of(evaluation.reason))}')
            if evaluation.version is not None:
                parts.append(f',"feature_flag.version":{evaluation.version}')
        if record.fell_back:
            parts.append(',"migrator.fallback":true')
        if record.trace is not None:
            trace_id, span_id = record.trace.ids
            parts.append(f',"trace_id":"{trace_id}","span_id":"{span_id}"')
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


def _key(field: str) -> str:
    """OpenTelemetry's name for a request's field in lower case."""
    return "user_agent.original" if field == "user-agent" else f"http.request.header.{field}"


def _quote(value: bytes) -> str:
    return quote(readable(value))
