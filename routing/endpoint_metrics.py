"""The origins' endpoints in Prometheus' terms. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

_PREFIX: Final = "migrator_proxy"
_ORIGIN_COUNTERS: Final = {
    "asked": "Requests of users that the origin was the first to be asked.",
    "failed": "Those of them that it failed.",
    "unreached": "Connections for them that could not be made.",
    "retries": "Requests sent to the origin once more, hedges included.",
    "retries_over_budget": "Repetitions that the retry budget did not allow.",
    "hedges": "Second attempts while the first one had not been answered.",
}
_COUNTERS: Final = {
    "requests": "Requests sent there, repeated ones included.",
    "failures": "Those that it failed.",
    "ejections": "Times a worker has left it out for failures in a row.",
    "overflows": "Requests that its circuit breaker turned away.",
}
_GAUGES: Final = {
    "active": "Connections with a request on them.",
    "idle": "Connections that are kept for the next request.",
    "connecting": "Connections being opened.",
    "pending": "Requests that wait for a free connection.",
}


def endpoint_families(origins: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    """`origins`: JSON of `endpoint_stats`. The monolith's label `service` is empty."""
    for name, text in _ORIGIN_COUNTERS.items():
        family = CounterMetricFamily(f"{_PREFIX}_{name}", text, labels=("service",))
        for origin in origins:
            family.add_metric([origin["service"] or ""], origin[name])
        yield family
    labels = ("service", "endpoint")
    endpoints = [
        ([origin["service"] or "", endpoint["address"]], endpoint)
        for origin in origins
        for endpoint in origin["endpoints"]
    ]
    for name, text in _COUNTERS.items():
        counter = CounterMetricFamily(f"{_PREFIX}_endpoint_{name}", text, labels=labels)
        for values, endpoint in endpoints:
            counter.add_metric(values, endpoint[name])
        yield counter
    for name, text in _GAUGES.items():
        gauge = GaugeMetricFamily(f"{_PREFIX}_endpoint_{name}", text, labels=labels)
        for values, endpoint in endpoints:
            gauge.add_metric(values, endpoint[name])
        yield gauge
    healthy = GaugeMetricFamily(
        f"{_PREFIX}_endpoint_healthy", "1 unless its health checks fail.", labels=labels
    )
    ejected = GaugeMetricFamily(
        f"{_PREFIX}_endpoint_ejected", "1 while a worker leaves it out.", labels=labels
    )
    for values, endpoint in endpoints:
        healthy.add_metric(values, endpoint["healthy"])
        ejected.add_metric(values, endpoint["ejected_until"] is not None)
    yield from (healthy, ejected)
