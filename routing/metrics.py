"""The counters of all workers in Prometheus' text format.

Pure: takes what the parent has merged. Latencies have a bucket for each doubling, coarse enough for
a time series; `/stats` has the finer histogram that the controller judges by.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from routing.copy_metrics import copy_counters, journal_gauges
from routing.endpoint_metrics import endpoint_families
from routing.parity.metrics import parity_families
from routing.stats import BOUNDS_MS, STEPS_PER_DOUBLING

FLAG_STATES = ("streaming", "cached", "none")
ENDPOINT_SOURCES = ("stream", "kept", "configuration")
"""The stream of endpoints, what it said before it broke, or the configuration alone."""
_LABELS = ("capability", "stage", "origin")
_SUBJECTS = {
    "carried_decisions": "Requests at the gateway that carried decisions of the edge.",
    "tokens": "Requests with a JSON Web Token, by whether it counts.",
    "overrides": "Requests with a tester's override.",
    "endpoint_updates": "Events of the stream of endpoints.",
    "tls_renewals": "Changed files of certificates and keys, by each worker that has read them.",
}
_RESPONSE = "From the request's head to the head of the response, or to the failure."
_COPY = "The same for the side that does not answer the client."


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerState:
    id: int
    accepting: bool
    flags: str
    """One of FLAG_STATES."""
    connections: int
    """Open client connections."""
    lines_dropped: int = 0
    """Lines of the access log that were not written."""


def exposition(
    cells: Sequence[Mapping[str, Any]],
    outcomes: Mapping[str, Mapping[str, int]],
    workers: Sequence[WorkerState],
    *,
    origins: Sequence[Mapping[str, Any]] = (),
    endpoint_source: str = "configuration",
    copies: Sequence[Mapping[str, Any]] = (),
    waiting: Sequence[Mapping[str, Any]] = (),
    parity: Sequence[Mapping[str, Any]] = (),
) -> bytes:
    """`cells`: JSON of merged counters, see `routing.stats`; `outcomes`: merged too, see
    `routing.outcomes`; `origins`: see `routing.endpoint_stats`; `copies` and `waiting`: see
    `routing.copy_metrics`; `parity`: see `routing.parity.report`.
    Labels are empty where no route matched."""
    registry = CollectorRegistry()
    metrics = (
        *_counters(cells),
        _durations("response_seconds", _RESPONSE, _LABELS, cells),
        *copy_counters(copies),
        _durations("copy_seconds", _COPY, ("capability", "access"), copies),
        *journal_gauges(waiting),
        *parity_families(parity),
        *_outcomes(outcomes),
        *_workers(workers),
        *endpoint_families(origins),
        _endpoint_source(endpoint_source),
    )
    registry.register(_Once(metrics))
    return generate_latest(registry)


class _Once(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = tuple(metrics)

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def _labels(cell: Mapping[str, Any], names: Sequence[str] = _LABELS) -> list[str]:
    return [cell[name] or "" for name in names]


def _counters(cells: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    for counter, name, text in (
        ("requests", "migrator_proxy_requests", "Requests by the origin that was asked first."),
        ("errors", "migrator_proxy_errors", "Requests that this origin failed."),
        ("fallbacks", "migrator_proxy_fallbacks", "Failed requests that the monolith answered."),
    ):
        family = CounterMetricFamily(name, text, labels=_LABELS)
        for cell in cells:
            family.add_metric(_labels(cell), cell[counter])
        yield family


def _durations(
    name: str, text: str, labels: Sequence[str], cells: Sequence[Mapping[str, Any]]
) -> Metric:
    family = HistogramMetricFamily(f"migrator_proxy_{name}", text, labels=labels)
    for cell in cells:
        latency = cell["latency"]
        below = list(accumulate(latency["counts"]))
        buckets = [
            (f"{BOUNDS_MS[index] / 1000:g}", below[index])
            for index in range(0, len(BOUNDS_MS), STEPS_PER_DOUBLING)
        ]
        buckets.append(("+Inf", below[-1]))
        family.add_metric(_labels(cell, labels), buckets, sum_value=latency["sum_us"] / 1e6)
    return family


def _outcomes(outcomes: Mapping[str, Mapping[str, int]]) -> Iterator[Metric]:
    for subject, counts in outcomes.items():
        family = CounterMetricFamily(
            f"migrator_proxy_{subject}", _SUBJECTS[subject], labels=["outcome"]
        )
        for outcome, count in counts.items():
            family.add_metric([outcome], count)
        yield family


def _endpoint_source(source: str) -> Metric:
    family = GaugeMetricFamily(
        "migrator_proxy_endpoint_source",
        "1 for where services' endpoints come from.",
        labels=["source"],
    )
    for each in ENDPOINT_SOURCES:
        family.add_metric([each], each == source)
    return family


def _workers(workers: Sequence[WorkerState]) -> Iterator[Metric]:
    connections = GaugeMetricFamily(
        "migrator_proxy_client_connections", "Open client connections.", labels=["worker"]
    )
    accepting = GaugeMetricFamily(
        "migrator_proxy_worker_accepting", "1 if it takes connections.", labels=["worker"]
    )
    flags = GaugeMetricFamily(
        "migrator_proxy_flags",
        "1 for where its flags come from: the stream, the last known ones, or nowhere.",
        labels=["worker", "state"],
    )
    dropped = CounterMetricFamily(
        "migrator_proxy_access_log_dropped",
        "Lines of the access log that were not written.",
        labels=["worker"],
    )
    for worker in workers:
        name = str(worker.id)
        connections.add_metric([name], worker.connections)
        accepting.add_metric([name], worker.accepting)
        dropped.add_metric([name], worker.lines_dropped)
        for state in FLAG_STATES:
            flags.add_metric([name, state], worker.flags == state)
    yield from (connections, accepting, flags, dropped)
