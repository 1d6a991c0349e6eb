"""Spans of requests, made and exported by OpenTelemetry's SDK.

A request is traced if its caller has sampled it, or by chance if it has no trace yet; every other
request passes through as it came. Spans wait in a bounded queue for a thread of the SDK.
"""

import threading
from collections.abc import Callable, Mapping
from time import monotonic, time
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    TraceState,
    set_span_in_context,
)

from routing.config import Tracing
from routing.hiding import Hiding
from routing.message import RequestHead
from routing.rate_bound import TokenBucket
from routing.record import CLIENT_GONE, Attempt, Record
from routing.span_attributes import of_client, of_flag, of_server, span_name
from routing.trace_context import Parent, parse, stamp

RATIO: Final = 0.01
"""Share of the requests without a trace that begin one, if nobody says otherwise."""
SERVICE: Final = "migrator-proxy"


class Spans:
    """Decides which requests are traced, and exports their spans."""

    def __init__(
        self,
        config: Tracing,
        environment: Mapping[str, str],
        chance: Callable[[], float],
        now: float,
    ) -> None:
        """`chance`: a random number of [0, 1). `now`: monotonic seconds, here and below."""
        self._ratio = ratio_of(config, environment)
        self._bucket = TokenBucket(config.limit, now)
        self._chance = chance
        self._provider = TracerProvider(ALWAYS_ON, _resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(_exporter(config)))
        self._tracer = self._provider.get_tracer("migrator.proxy")

    def begin(self, head: RequestHead, now: float) -> "Trace | None":
        """The trace of a request, if it has one."""
        value = head.fields.get(b"traceparent")
        parent = None if value is None else parse(value)
        wanted = self._chance() < self._ratio if parent is None else parent.sampled
        if not wanted or not self._bucket.take(now):
            return None
        return Trace(self._tracer, head, parent, now)

    def close(self) -> threading.Thread:
        """Export what waits, in a thread that is not waited for at the end of the process."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        return closing


class Trace:
    """The spans of one request: the server's, and a client's for each attempt at an origin."""

    __slots__ = ("_ahead", "_attempts", "_inside", "_name", "_parent", "_server", "_tracer")

    def __init__(
        self, tracer: Tracer, head: RequestHead, parent: Parent | None, now: float
    ) -> None:
        self._tracer = tracer
        self._parent = parent
        self._name = span_name(head)
        self._ahead = time() - monotonic()
        around = Context() if parent is None else set_span_in_context(_remote(parent, head))
        self._server = self._start(around, SpanKind.SERVER, now)
        self._inside = set_span_in_context(self._server, Context())
        self._attempts: dict[Attempt, Span] = {}

    @property
    def ids(self) -> tuple[str, str]:
        """Of the trace and of the server's span, in hexadecimal."""
        context = self._server.get_span_context()
        return f"{context.trace_id:032x}", f"{context.span_id:016x}"

    def send(self, attempt: Attempt, head: bytes) -> bytes:
        """`head` as it goes to the origin: with the attempt's span as the parent."""
        span = self._start(self._inside, SpanKind.CLIENT, attempt.began)
        self._attempts[attempt] = span
        context = span.get_span_context()
        return stamp(head, context.trace_id, context.span_id, self._parent)

    def end(self, record: Record, hiding: Hiding) -> None:
        """Complete the spans and hand them over."""
        for number, attempt in enumerate(record.attempts):
            span = self._attempts.get(attempt)
            if span is None:
                span = self._start(self._inside, SpanKind.CLIENT, attempt.began)
            span.set_attributes(of_client(record, number, hiding))
            if attempt.failed or (attempt.status or 0) >= 400:
                span.set_status(StatusCode.ERROR)
            span.end(self._nanoseconds(attempt.ended or record.ended))
        server = self._server
        if record.lane.route is not None:
            server.update_name(f"{self._name} {record.lane.route.path}")
        server.set_attributes(of_server(record, hiding))
        flag = of_flag(record)
        if flag is not None:
            server.add_event("feature_flag.evaluation", flag, self._nanoseconds(record.began))
        if record.error not in (None, CLIENT_GONE):
            server.set_status(StatusCode.ERROR)
        server.end(self._nanoseconds(record.ended))

    def _start(self, around: Context, kind: SpanKind, began: float) -> Span:
        start = self._nanoseconds(began)
        return self._tracer.start_span(self._name, around, kind, start_time=start)

    def _nanoseconds(self, at: float) -> int:
        """Since 1970, from monotonic seconds."""
        return int((at + self._ahead) * 1e9)


def ratio_of(config: Tracing, environment: Mapping[str, str]) -> float:
    """What the configuration says, else OTEL_TRACES_SAMPLER and its ARG, else RATIO."""
    if config.ratio is not None:
        return config.ratio
    sampler = environment.get("OTEL_TRACES_SAMPLER", "").removeprefix("parentbased_")
    if sampler == "traceidratio":
        try:
            return min(max(float(environment.get("OTEL_TRACES_SAMPLER_ARG", "1")), 0.0), 1.0)
        except ValueError:
            return 1.0
    return {"always_on": 1.0, "always_off": 0.0}.get(sampler, RATIO)


def is_disabled(environment: Mapping[str, str]) -> bool:
    """Whether OTEL_SDK_DISABLED turns all of OpenTelemetry off."""
    return environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def _exporter(config: Tracing) -> OTLPSpanExporter:
    """What is None here is taken from the environment by the exporter itself."""
    endpoint = config.endpoint and f"{config.endpoint.rstrip('/')}/v1/traces"
    headers = {name: value.get_secret_value() for name, value in config.headers.items()}
    return OTLPSpanExporter(endpoint, headers=headers or None)


def _resource() -> Resource:
    """What the environment says, with a name of our own where it has none."""
    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        return resource.merge(Resource({SERVICE_NAME: SERVICE}))
    return resource


def _remote(parent: Parent, head: RequestHead) -> NonRecordingSpan:
    state = head.fields.get(b"tracestate")
    return NonRecordingSpan(
        SpanContext(
            parent.trace_id,
            parent.span_id,
            is_remote=True,
            trace_flags=TraceFlags(parent.flags),
            trace_state=TraceState()
            if state is None
            else TraceState.from_header([state.decode("latin-1")]),
        )
    )
