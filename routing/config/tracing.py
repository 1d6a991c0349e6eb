"""Spans for OpenTelemetry."""

from typing import Annotated, Final

from pydantic import Field

from routing.config.base import Model, Token
from routing.config.secret import SecretField

TRACED_FIELDS: Final = ("traceparent", "tracestate", "user-agent")
"""Fields of a request that are looked at."""


class Tracing(Model):
    """Spans by OTLP/HTTP. The environment variables of OpenTelemetry's SDK count too: what stands
    here wins over them."""

    endpoint: Annotated[str, Field(pattern=r"^https?://[^\s/?#@]+/?$")] | None = None
    """Of the collector, without a path, such as `http://127.0.0.1:4318`; None: what
    OTEL_EXPORTER_OTLP_ENDPOINT says."""
    headers: dict[Token, SecretField] = {}
    """Sent to the collector."""
    ratio: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of the requests without a trace that begin one. None: what OTEL_TRACES_SAMPLER says,
    else one in a hundred. A request with a trace does what its caller has decided."""
    limit: Annotated[float, Field(gt=0, le=10_000)] = 100.0
    """Sampled requests a second in each worker, so that no client can ask for more."""
