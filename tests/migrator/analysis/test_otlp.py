"""Pushed metrics: what is read of them, what they grow by, and that memory is bounded."""

import contextlib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as proto

from migrator.analysis import otlp as module
from migrator.analysis.metric import Counting, Values
from migrator.analysis.otlp import FRESH, Point, Received, parse_points
from migrator.errors import InvalidInput, Unavailable
from migrator.plan.model import Metric

SOURCE = {"count": "failed", "total": "payments", "old": "monolith", "new": "cart"}
PROPORTION = Metric.model_validate({"name": "a", "max_increase": "1%", "otlp": SOURCE})
VALUE = Metric.model_validate(
    {"name": "b", "max": 5, "otlp": {"value": "queue", "old": "monolith", "new": "cart"}}
)
BEGAN = 1000.0
SECOND = 1_000_000_000


def point(
    value: float,
    *,
    metric: str = "payments",
    service: str = "cart",
    pod: str = "1",
    start: float = BEGAN - 500,
    at: float,
    counter: bool = True,
    delta: bool = False,
) -> Point:
    return Point(
        metric=metric,
        attributes={"service.name": service, "pod": pod},
        start=int(start * SECOND),
        at=int(at * SECOND),
        value=value,
        counter=counter,
        delta=delta,
    )


def received(*points: Point) -> Received:
    made = Received([PROPORTION, VALUE], began=BEGAN)
    made.add([point(0, service="monolith", at=BEGAN)], now=BEGAN)
    for each in points:
        made.add([each], now=each.at / SECOND)
    return made


def counted(*points: Point) -> tuple[float, float]:
    """Count and total of the service."""
    assert PROPORTION.otlp is not None
    reading = received(*points).read(PROPORTION, PROPORTION.otlp, now=BEGAN + 100)
    assert isinstance(reading, Counting)
    return reading.new.count[""], reading.new.total[""]


YOUNG = BEGAN + 1


@pytest.mark.parametrize(
    ("points", "total"),
    [
        pytest.param([point(70, at=1001)], 0, id="started-before-us"),
        pytest.param([point(70, at=1001), point(75, at=1002)], 5, id="growth"),
        pytest.param([point(7, at=1002, start=YOUNG)], 7, id="started-after-us"),
        pytest.param([point(70, at=1001), point(3, at=1009, start=1005)], 3, id="restarted"),
        pytest.param([point(70, at=1001), point(3, at=1009)], 0, id="fell-for-no-reason"),
        pytest.param(
            [
                point(value, at=at, start=start)
                for value, at, start in (
                    (50, 1010, 1001),
                    (70, 1011, 1002),
                    (51, 1012, 1001),
                    (72, 1013, 1002),
                )
            ],
            123,
            id="replicas-without-names",
        ),
        pytest.param([point(70, at=1001), point(99, at=1001)], 0, id="told-twice"),
        pytest.param([point(70, at=1005), point(60, at=1002)], 0, id="out-of-order"),
        pytest.param([point(4, at=1001, delta=True), point(5, at=1002, delta=True)], 9, id="delta"),
        pytest.param(
            [point(4, at=1001, delta=True), point(4, at=1001, delta=True)], 4, id="delta-twice"
        ),
        pytest.param(
            [point(4, at=1002, pod=pod, start=YOUNG) for pod in ("1", "2")],
            8,
            id="pods-are-added-up",
        ),
        pytest.param(
            [point(4, at=1002, start=YOUNG), point(9, at=1002, service="other", start=YOUNG)],
            4,
            id="others-are-left-out",
        ),
    ],
)
def test_growth(points: Sequence[Point], total: float) -> None:
    assert counted(*points) == (0.0, total)


def test_what_fails_is_counted_beside() -> None:
    points = [point(4, at=1002, metric="failed", start=YOUNG), point(9, at=1002, start=YOUNG)]
    assert counted(*points) == (4.0, 9.0)


def test_nothing_received_says_so() -> None:
    with pytest.raises(Unavailable, match=r"no payments with service.name=cart was received yet"):
        counted()


@pytest.mark.parametrize(
    ("now", "expected"),
    [(BEGAN + 5, 9.0), (BEGAN + 1 + FRESH, 9.0), (BEGAN + 3 + FRESH, None)],
)
def test_the_greatest_fresh_value_counts(now: float, expected: float | None) -> None:
    def gauge(value: float, at: float, pod: str) -> Point:
        return point(value, metric="queue", counter=False, start=at, at=at, pod=pod)

    found = received(gauge(9, 1001, "1"), gauge(4, 1002, "2"), gauge(1, 1002, "1"))
    assert VALUE.otlp is not None
    reading = found.read(VALUE, VALUE.otlp, now=BEGAN + 5)
    assert reading == Values(old=None, new=4.0), "the newest of each"
    found = received(gauge(9, 1001, "1"), gauge(4, 1002, "2"))
    reading = found.read(VALUE, VALUE.otlp, now=now)
    assert reading == Values(old=None, new=expected)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SERIES", 3)
    made = received(
        *(point(1, at=1002 + number, pod=str(number), start=YOUNG) for number in range(50)),
        *(point(1, at=1002, metric=f"other-{number}") for number in range(50)),
    )
    assert len(made._series) == 3
    assert PROPORTION.otlp is not None
    reading = made.read(PROPORTION, PROPORTION.otlp, now=BEGAN)
    assert isinstance(reading, Counting)
    assert reading.new.total == {"": 50.0}, "and yet nothing that was counted is lost"


def exported(metric: proto.Metric) -> bytes:
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    attribute = resource.resource.attributes.add()
    attribute.key, attribute.value.string_value = "service.name", "cart"
    resource.scope_metrics.add().metrics.append(metric)
    return bytes(request.SerializeToString())


def number(**fields: Any) -> proto.NumberDataPoint:
    return proto.NumberDataPoint(time_unix_nano=5, start_time_unix_nano=3, **fields)


CUMULATIVE = proto.AGGREGATION_TEMPORALITY_CUMULATIVE
DELTA = proto.AGGREGATION_TEMPORALITY_DELTA


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(
            {
                "sum": proto.Sum(
                    data_points=[number(as_int=4)],
                    is_monotonic=True,
                    aggregation_temporality=CUMULATIVE,
                )
            },
            [(4.0, True, False)],
            id="counter",
        ),
        pytest.param(
            {
                "sum": proto.Sum(
                    data_points=[number(as_double=1.5)],
                    is_monotonic=True,
                    aggregation_temporality=DELTA,
                )
            },
            [(1.5, True, True)],
            id="delta",
        ),
        pytest.param(
            {"sum": proto.Sum(data_points=[number(as_int=-4)])},
            [(-4.0, False, False)],
            id="up-down",
        ),
        pytest.param(
            {"sum": proto.Sum(data_points=[number(as_int=-4)], is_monotonic=True)},
            [],
            id="negative",
        ),
        pytest.param(
            {
                "gauge": proto.Gauge(
                    data_points=[number(as_double=2), number(as_double=float("nan"))]
                )
            },
            [(2.0, False, False)],
            id="gauge",
        ),
        pytest.param({"histogram": proto.Histogram()}, [], id="histogram"),
    ],
)
def test_what_is_read(data: dict[str, Any], expected: list[tuple[float, bool, bool]]) -> None:
    body = exported(proto.Metric(name="payments", **data))
    assert list(parse_points(body, {"other"})) == []
    found = list(parse_points(body, {"payments"}))
    assert [(each.value, each.counter, each.delta) for each in found] == expected
    for each in found:
        assert (each.metric, each.start, each.at) == ("payments", 3, 5)
        assert each.attributes == {"service.name": "cart"}


@given(st.binary())
def test_nothing_else_is_raised(body: bytes) -> None:
    with contextlib.suppress(InvalidInput):
        received().add(parse_points(body, {"payments"}), now=BEGAN)
