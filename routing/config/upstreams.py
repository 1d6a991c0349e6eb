"""Where an origin runs, and how requests are spread over its endpoints.

Names are Envoy's where Envoy has the same thing; times are seconds. Every worker judges, counts and
limits on its own.
"""

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from routing.config.base import IN_SECONDS, Model, OriginUrl, Seconds
from routing.config.urls import ShownUrl

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Percent = Annotated[float, Field(ge=0, le=100)]


def _once(endpoints: tuple[str, ...]) -> tuple[str, ...]:
    seen = set()
    for endpoint in endpoints:
        if endpoint in seen:
            raise ValueError(f"{endpoint} is named twice")
        seen.add(endpoint)
    return endpoints


Endpoints = Annotated[
    tuple[OriginUrl, ...], Field(min_length=1, max_length=256), AfterValidator(_once)
]


class HealthCheck(Model):
    """A GET that each worker sends to each endpoint; 200 to 399 is healthy."""

    path: Annotated[ShownUrl, Field(pattern=r"^/[!-~]*$", max_length=1024)]
    interval: Annotated[float, Field(ge=0.05, le=3600), IN_SECONDS] = 5.0
    """From the end of a check to the next one, give or take a tenth."""
    timeout: Seconds = 1.0
    """For the head of the answer, connecting included."""
    healthy_threshold: Count = 2
    """Successes in a row that bring an endpoint back. The very first check decides alone."""
    unhealthy_threshold: Count = 3
    """Failures in a row that take it out."""


class OutlierDetection(Model):
    """Endpoints that fail users' requests are left out for a while."""

    consecutive_5xx: Count = 5
    """Failures in a row: 500, 502, 503, 504, no connection, no answer in time, a broken answer."""
    base_ejection_time: Seconds = 30.0
    """The first ejection. One soon after another is twice as long."""
    max_ejection_time: Seconds = 300.0
    max_ejection_percent: Percent = 50.0
    """Of the endpoints, rounded down: a single one is never ejected."""

    @model_validator(mode="after")
    def _longest_is_longer(self) -> "OutlierDetection":
        if self.max_ejection_time < self.base_ejection_time:
            raise ValueError(
                f"max_ejection_time ({self.max_ejection_time:g}) must not be less than "
                f"base_ejection_time ({self.base_ejection_time:g})"
            )
        return self


class CircuitBreaker(Model):
    """Limits of each endpoint; beyond both a request is not sent there."""

    max_connections: Count = 1024
    """Open ones, idle ones included. One more request waits for one of them."""
    max_pending_requests: Count = 1024
    """Requests that wait for a connection, new ones included. None waits longer than
    `timeouts.connect`."""


class RetryBudget(Model):
    """How many repetitions the endpoints get, beside the requests themselves."""

    budget_percent: Percent = 20.0
    """Of the requests of the last ten seconds."""
    min_retries_per_second: Annotated[float, Field(ge=0, le=10_000)] = 10.0
    """On top of that, so that a few requests can be repeated, too."""


class Hedge(Model):
    """A second attempt at a read while the first one has not been answered."""

    after: Annotated[float, Field(ge=0.001, le=3600), IN_SECONDS]
    """Best about the 95th percentile of the service's latency."""


class Upstream(Model):
    """An origin: the monolith, or a service. A plain URL is one endpoint and no options."""

    endpoints: Endpoints
    health_check: HealthCheck | None = None
    outlier_detection: OutlierDetection = OutlierDetection()
    healthy_panic_threshold: Percent = 30.0
    """With fewer usable endpoints than this all of them are used. With none left, too."""
    slow_start_window: Annotated[float, Field(ge=0, le=86_400), IN_SECONDS] = 0.0
    """In which the share of an endpoint that comes back, or is new, grows to its full size."""
    circuit_breaker: CircuitBreaker | None = None
    retry_budget: RetryBudget = RetryBudget()
    hedge: Hedge | None = None

    @property
    def plain(self) -> bool:
        """Whether nothing is chosen, checked or limited."""
        return self == Upstream(endpoints=self.endpoints[:1])

    def __str__(self) -> str:
        return ", ".join(self.endpoints)

    @model_validator(mode="before")
    @classmethod
    def _from_url(cls, value: Any) -> Any:
        return {"endpoints": (value,)} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _hedge_has_another(self) -> "Upstream":
        if self.hedge is not None and len(self.endpoints) == 1:
            raise ValueError("hedge needs a second endpoint, found one")
        return self

    @model_serializer(mode="wrap")
    def _as_written(self, document: SerializerFunctionWrapHandler) -> Any:
        return self.endpoints[0] if self.plain else document(self)
