"""What a post of events says, and that nothing in it can do harm."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flags.model import Sum
from flags.sdk.event_kinds import NO_VARIATION, Report, read


def summary(**features: object) -> dict[str, Any]:
    return {"kind": "summary", "startDate": 1, "endDate": 2, "features": features}


def counters(*found: object) -> dict[str, Any]:
    return {"default": None, "contextKinds": ["user"], "counters": list(found)}


def migration(*measurements: object, key: object = "publishing") -> dict[str, Any]:
    return {
        "kind": "migration_op",
        "operation": "read",
        "evaluation": {"key": key, "value": "live", "variation": 3, "default": "off"},
        "measurements": list(measurements),
    }


@pytest.mark.parametrize(
    ("event", "evaluations"),
    [
        pytest.param(
            summary(a=counters({"variation": 3, "version": 7, "value": "live", "count": 120})),
            {("a", 3): 120},
            id="counter",
        ),
        pytest.param(
            summary(
                a=counters({"variation": 0, "count": 1}, {"variation": 1, "count": 2}),
                b=counters({"variation": 0, "count": 3}),
            ),
            {("a", 0): 1, ("a", 1): 2, ("b", 0): 3},
            id="several",
        ),
        pytest.param(
            summary(
                a=counters(
                    {"variation": 0, "version": 1, "count": 1},
                    {"variation": 0, "version": 2, "count": 2},
                )
            ),
            {("a", 0): 3},
            id="versions-are-added",
        ),
        pytest.param(
            summary(a=counters({"version": 7, "value": "x", "count": 4})),
            {("a", NO_VARIATION): 4},
            id="no-variation",
        ),
        pytest.param(
            summary(a=counters({"unknown": True, "value": "x", "count": 4})), {}, id="unknown-flag"
        ),
        pytest.param(summary(a=counters({"variation": 0})), {}, id="no-count"),
        pytest.param(summary(a=counters({"variation": 0, "count": -1})), {}, id="negative"),
        pytest.param(summary(a=counters({"variation": 0, "count": True})), {}, id="boolean"),
        pytest.param(summary(a=counters({"variation": 0, "count": 1.5})), {}, id="fraction"),
        pytest.param(summary(a=counters({"variation": 0, "count": 10**10})), {}, id="huge"),
        pytest.param(summary(a=counters({"variation": -2, "count": 1})), {}, id="variation"),
        pytest.param(summary(a=counters({"variation": "0", "count": 1})), {}, id="text"),
        pytest.param(summary(a=counters(None, 1, "x", [])), {}, id="counters-of-rubbish"),
        pytest.param(summary(a={"counters": {}}), {}, id="counters-no-list"),
        pytest.param(summary(a=None, b=[], c="x"), {}, id="features-of-rubbish"),
        pytest.param({"kind": "summary", "features": []}, {}, id="features-no-object"),
        pytest.param({"kind": "summary"}, {}, id="no-features"),
        pytest.param({"kind": ["summary"], "features": {}}, {}, id="kind-no-text"),
        pytest.param({"kind": "feature", "key": "a", "variation": 1}, {}, id="feature"),
        pytest.param({}, {}, id="empty"),
    ],
)
def test_evaluations(event: object, evaluations: Mapping[tuple[str, int], int]) -> None:
    assert read([event]).evaluations == evaluations


@pytest.mark.parametrize(
    ("event", "measures"),
    [
        pytest.param(
            migration({"key": "invoked", "values": {"old": True, "new": True}}),
            {("publishing", "invoked.old"): Sum(1, 0.0), ("publishing", "invoked.new"): Sum(1, 0)},
            id="invoked",
        ),
        pytest.param(
            migration({"key": "invoked", "values": {"old": True, "new": False}}),
            {("publishing", "invoked.old"): Sum(1, 0.0)},
            id="invoked-one",
        ),
        pytest.param(
            migration({"key": "error", "values": {"new": True}}),
            {("publishing", "error.new"): Sum(1, 0.0)},
            id="error",
        ),
        pytest.param(
            migration({"key": "consistent", "value": True, "samplingRatio": 1}),
            {("publishing", "consistent"): Sum(1, 0.0)},
            id="consistent",
        ),
        pytest.param(
            migration({"key": "consistent", "value": False}),
            {("publishing", "inconsistent"): Sum(1, 0.0)},
            id="inconsistent",
        ),
        pytest.param(
            migration({"key": "latency_ms", "values": {"old": 12.5, "new": 8}}),
            {
                ("publishing", "latency_ms.old"): Sum(1, 12.5),
                ("publishing", "latency_ms.new"): Sum(1, 8.0),
            },
            id="latency",
        ),
        pytest.param(
            migration({"key": "latency_ms", "values": {"old": "12", "new": 1e300}}),
            {
                ("publishing", "latency_ms.old"): Sum(1, 0.0),
                ("publishing", "latency_ms.new"): Sum(1, 0.0),
            },
            id="latency-of-rubbish",
        ),
        pytest.param(migration({"key": "other", "values": {"old": True}}), {}, id="other-key"),
        pytest.param(migration({"key": "invoked", "values": []}), {}, id="values-no-object"),
        pytest.param(migration(None, 1, "x"), {}, id="measurements-of-rubbish"),
        pytest.param(
            migration({"key": "invoked", "values": {"old": True}}, key=5), {}, id="flag-no-text"
        ),
        pytest.param({"kind": "migration_op"}, {}, id="migration-empty"),
        pytest.param({"kind": "custom", "key": "seen"}, {("", "seen"): Sum(1, 0.0)}, id="custom"),
        pytest.param(
            {"kind": "custom", "key": "paid", "metricValue": 9.5},
            {("", "paid"): Sum(1, 9.5)},
            id="custom-value",
        ),
        pytest.param(
            {"kind": "custom", "key": "paid", "metricValue": True},
            {("", "paid"): Sum(1, 0.0)},
            id="custom-boolean",
        ),
        pytest.param({"kind": "custom", "key": 5}, {}, id="custom-no-text"),
        pytest.param(
            {"kind": "custom", "key": "x" * 300}, {("", "x" * 256): Sum(1, 0.0)}, id="long-name"
        ),
    ],
)
def test_measures(event: object, measures: Mapping[tuple[str, str], Sum]) -> None:
    assert read([event]).measures == measures


def test_sums() -> None:
    slow = migration({"key": "latency_ms", "values": {"old": 10}})
    fast = migration({"key": "latency_ms", "values": {"old": 2}})
    assert read([slow, fast]).measures == {("publishing", "latency_ms.old"): Sum(2, 12.0)}


def test_contexts() -> None:
    alice = {"kind": "user", "key": "alice"}
    events = [{"kind": "index", "context": alice}, {"kind": "identify", "context": "bob"}, 7, None]
    assert read(events).contexts == [alice]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
kinds = st.sampled_from(["summary", "custom", "migration_op", "index", "feature"])
names = st.sampled_from(
    ["key", "features", "measurements", "evaluation", "counters", "count", "values", "context"]
)
shaped = st.recursive(
    json_values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
events = st.builds(
    lambda kind, rest: {**rest, "kind": kind}, kinds, st.dictionaries(names, shaped, max_size=5)
)


@given(st.lists(events | json_values, max_size=5))
def test_anything_may_be_posted(found: list[Any]) -> None:
    report = read(found)
    assert all(count >= 0 for count in report.evaluations.values())
    assert all(s.times > 0 and abs(s.total) < 1e18 for s in report.measures.values())


@given(st.lists(events, max_size=6), st.integers(0, 6))
def test_a_post_counts_as_its_parts(found: list[Any], at: int) -> None:
    """Also when one part of it is rubbish."""
    together, one, other = read(found), read(found[:at]), read(found[at:])
    assert together.evaluations == one.evaluations + other.evaluations
    assert times(together) == added(times(one), times(other))


def times(report: Report) -> dict[tuple[str, str], int]:
    return {key: s.times for key, s in report.measures.items()}


def added(
    one: dict[tuple[str, str], int], other: dict[tuple[str, str], int]
) -> dict[tuple[str, str], int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in one.keys() | other.keys()}
