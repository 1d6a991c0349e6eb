"""What a post of events says: how often each variation was given, and what was measured. Pure.

Source: launchdarkly-server-sdk 9.18 (`ldclient/impl/events`), event schema 4.
"""

from collections import Counter as Multiset
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeGuard

from flags.model import Sum

NO_VARIATION: Final = -1
_MAX_NAME: Final = 256
_MAX_COUNT: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Custom:
    """One custom event: what `track` of an SDK sends."""

    key: str
    value: float
    context: Any
    """JSON as it came; of SDKs that send no more than keys by kind, a context of those."""


@dataclass(slots=True)
class Report:
    """Of one post."""

    evaluations: Multiset[tuple[str, int]] = field(default_factory=Multiset)
    """By flag and variation."""
    measures: dict[tuple[str, str], Sum] = field(default_factory=dict)
    """By flag (empty for custom events) and name."""
    contexts: list[Any] = field(default_factory=list)
    """JSON of contexts, as they came."""
    custom: list[Custom] = field(default_factory=list)

    def measure(self, flag: str, name: str, value: float = 0.0) -> None:
        key = (flag[:_MAX_NAME], name[:_MAX_NAME])
        old = self.measures.get(key, Sum(0, 0.0))
        self.measures[key] = Sum(old.times + 1, old.total + value)


def read(events: Iterable[Any]) -> Report:
    """What cannot be understood is skipped: an SDK would only send it again."""
    report = Report()
    for event in events:
        if not isinstance(event, Mapping):
            continue
        kind = event.get("kind")
        if kind == "summary":
            _summary(event, report)
        elif kind == "custom" and isinstance(event.get("key"), str):
            key, value = event["key"][:_MAX_NAME], _number(event.get("metricValue"))
            report.measure("", key, value)
            report.custom.append(Custom(key, value, _context(event)))
        elif kind == "migration_op":
            _migration(event, report)
        if isinstance(event.get("context"), Mapping):
            report.contexts.append(event["context"])
    return report


def _context(event: Mapping[str, Any]) -> Any:
    """Of a custom event."""
    keys = event.get("contextKeys")
    if "context" in event or not isinstance(keys, Mapping):
        return event.get("context")
    kinds = {kind: {"key": key} for kind, key in keys.items()}
    if len(kinds) != 1:
        return {"kind": "multi", **kinds}
    ((kind, context),) = kinds.items()
    return {"kind": kind, **context}


def _summary(event: Mapping[str, Any], report: Report) -> None:
    features = event.get("features")
    for key, feature in features.items() if isinstance(features, Mapping) else ():
        counters = feature.get("counters") if isinstance(feature, Mapping) else None
        for counter in counters if isinstance(counters, list) else ():
            if not isinstance(counter, Mapping) or counter.get("unknown"):
                continue
            count, variation = counter.get("count"), counter.get("variation", NO_VARIATION)
            if _is_count(count) and (variation == NO_VARIATION or _is_count(variation)):
                report.evaluations[str(key)[:_MAX_NAME], variation] += count


def _migration(event: Mapping[str, Any], report: Report) -> None:
    """Counts of what was invoked, failed and agreed; sums of latencies."""
    evaluation = event.get("evaluation")
    flag = evaluation.get("key") if isinstance(evaluation, Mapping) else None
    measurements = event.get("measurements")
    if not isinstance(flag, str) or not isinstance(measurements, list):
        return
    for measurement in measurements:
        if not isinstance(measurement, Mapping):
            continue
        name = measurement.get("key")
        if name == "consistent":
            report.measure(flag, "consistent" if measurement.get("value") else "inconsistent")
            continue
        values = measurement.get("values")
        for origin in ("old", "new"):
            value = values.get(origin) if isinstance(values, Mapping) else None
            if name in ("invoked", "error") and value is True:
                report.measure(flag, f"{name}.{origin}")
            elif name == "latency_ms" and value is not None:
                report.measure(flag, f"{name}.{origin}", _number(value))


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT


def _number(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < 1e15 else 0.0
