"""Metrics that services push by OTLP: read, added up, and bounded in memory. Pure.

Source: opentelemetry-proto 1.x, `metrics/v1/metrics.proto`. Monotonic sums are counters, cumulative
or delta; gauges and other sums are values. Histograms are left out. Only metrics that the plan
names, with an attribute that tells old and new apart, are kept.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_DELTA,
    Gauge,
    Metric,
    NumberDataPoint,
    Sum,
)

from migrator.analysis.counters import Counted
from migrator.analysis.metric import Counting, Reading, Values
from migrator.analysis.stats import Origin
from migrator.errors import InvalidInput, Unavailable
from migrator.plan.model import Metric as Wanted
from migrator.plan.model import Otlp

MAX_SERIES: Final = 10_000
"""That are remembered; of more, those that were told of longest ago are forgotten."""
FRESH: Final = 300.0
"""Seconds for which a value counts; SDKs send each minute unless they are told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One data point. `start`, `at`: Unix nanoseconds of the service's clock."""

    metric: str
    attributes: Mapping[str, str]
    """Of the resource and the point."""
    start: int
    at: int
    value: float
    counter: bool
    delta: bool

    @property
    def series(self) -> "_Series":
        start = self.start if self.counter else 0
        return _Series(self.metric, frozenset(self.attributes.items()), start)


class _Series(NamedTuple):
    """`start` tells a counter that was started anew, and replicas with the same attributes."""

    metric: str
    attributes: frozenset[tuple[str, str]]
    start: int


class _Side(NamedTuple):
    """Series of one metric with one attribute."""

    metric: str
    attribute: str
    value: str


@dataclass(frozen=True, slots=True)
class _Seen:
    point: Point
    received: float


def parse_points(body: bytes, names: Collection[str]) -> Iterator[Point]:
    """Points of the metrics `names` in an ExportMetricsServiceRequest. Raises InvalidInput."""
    try:
        request = ExportMetricsServiceRequest.FromString(body)
    except DecodeError:
        raise InvalidInput(
            "body: expected an ExportMetricsServiceRequest of OTLP",
            hint="set OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=http/protobuf",
        ) from None
    for resource in request.resource_metrics:
        common = _attributes(resource.resource.attributes)
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                if metric.name in names:
                    yield from _points(metric, common)


class Received:
    """All that was received since `began` (Unix seconds) of what `metrics` want."""

    def __init__(self, metrics: Iterable[Wanted], *, began: float) -> None:
        self._began = began
        sides = [side for each in metrics if each.otlp for side in _sides(each.otlp)]
        self._sides: dict[str, set[_Side]] = {side.metric: set() for side in sides}
        for side in sides:
            self._sides[side.metric].add(side)
        self._grown: dict[_Side, float] = {}
        """By how much all counters of a side have grown; none that was never told of."""
        self._series: OrderedDict[_Series, _Seen] = OrderedDict()

    @property
    def names(self) -> Collection[str]:
        """Of the metrics that matter."""
        return self._sides.keys()

    def add(self, points: Iterable[Point], *, now: float) -> None:
        """A counter that was started after `began` started at 0; what another one showed when it
        was first seen is lost, never invented."""
        for point in points:
            sides = [s for s in self._sides.get(point.metric, ()) if _is_of(point, s)]
            seen = self._series.get(point.series) if sides else None
            if not sides or (seen is not None and point.at <= seen.point.at):
                continue
            self._series[point.series] = _Seen(point, now)
            self._series.move_to_end(point.series)
            if len(self._series) > MAX_SERIES:
                self._series.popitem(last=False)
            if point.counter:
                step = self._step(point, seen.point if seen else None)
                for side in sides:
                    self._grown[side] = self._grown.get(side, 0.0) + step

    def read(self, wanted: Wanted, otlp: Otlp, *, now: float) -> Reading:
        """Raises Unavailable while there is nothing to read."""
        if wanted.is_proportion:
            return Counting(old=self._counted(otlp, "old"), new=self._counted(otlp, "new"))
        return Values(old=self._value(otlp, "old", now), new=self._value(otlp, "new", now))

    def _step(self, point: Point, before: Point | None) -> float:
        """By how much a counter has grown."""
        if point.delta:
            return point.value
        if before is None:
            return point.value if point.start >= self._began * 1e9 else 0.0
        return max(0.0, point.value - before.value)

    def _counted(self, otlp: Otlp, origin: Origin) -> Counted:
        count, total = (_side(otlp, name, origin) for name in (otlp.count, otlp.total))
        if total not in self._grown:
            raise Unavailable(
                f"no {total.metric} with {total.attribute}={total.value} was received yet"
            )
        return Counted({"": self._grown.get(count, 0.0)}, {"": self._grown[total]})

    def _value(self, otlp: Otlp, origin: Origin, now: float) -> float | None:
        """The greatest of several."""
        side = _side(otlp, otlp.value, origin)
        fresh = (
            seen.point.value
            for seen in self._series.values()
            if now - seen.received <= FRESH and _is_of(seen.point, side)
        )
        return max(fresh, default=None)


def _points(metric: Metric, common: Mapping[str, str]) -> Iterator[Point]:
    data: Sum | Gauge
    counter = delta = False
    if metric.HasField("sum"):
        data = metric.sum
        counter = data.is_monotonic
        delta = data.aggregation_temporality == AGGREGATION_TEMPORALITY_DELTA
    elif metric.HasField("gauge"):
        data = metric.gauge
    else:
        return
    for point in data.data_points:
        value = _number(point)
        if isfinite(value) and not (counter and value < 0):
            yield Point(
                metric=metric.name,
                attributes={**common, **_attributes(point.attributes)},
                start=point.start_time_unix_nano,
                at=point.time_unix_nano,
                value=value,
                counter=counter,
                delta=delta,
            )


def _number(point: NumberDataPoint) -> float:
    return point.as_double if point.HasField("as_double") else float(point.as_int)


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, str]:
    """Those that are texts."""
    return {p.key: p.value.string_value for p in pairs if p.value.HasField("string_value")}


def _side(otlp: Otlp, metric: str | None, origin: Origin) -> _Side:
    return _Side(metric or "", otlp.attribute, otlp.old if origin == "old" else otlp.new)


def _sides(otlp: Otlp) -> Iterator[_Side]:
    for name in (otlp.count, otlp.total, otlp.value):
        if name is not None:
            yield _side(otlp, name, "old")
            yield _side(otlp, name, "new")


def _is_of(point: Point, side: _Side) -> bool:
    return point.metric == side.metric and point.attributes.get(side.attribute) == side.value
