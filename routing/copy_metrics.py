"""Mirrored reads and second writes in Prometheus' terms.

Pure. `routing.metrics` adds them to the rest.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

_COUNTERS = (
    ("read", "requests", "mirrored_reads", "Reads that were sent to the other side, too."),
    ("read", "errors", "mirrored_read_errors", "Mirrored reads that the other side failed."),
    ("read", "dropped", "mirrored_reads_dropped", "Reads not mirrored for lack of room."),
    ("write", "requests", "second_writes", "Attempts to send a second write."),
    ("write", "errors", "second_write_errors", "Attempts that failed."),
    ("write", "dropped", "writes_turned_away", "Writes refused: no room for the second one."),
    ("write", "refused", "second_writes_refused", "Second writes refused for good."),
    ("write", "incomplete", "second_writes_incomplete", "Second writes left to an operator."),
)
_LABELS = ("capability", "side", "state")


def copy_counters(cells: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    """`cells`: JSON of merged counters, see `routing.copy_stats`."""
    for access, counter, name, text in _COUNTERS:
        family = CounterMetricFamily(f"migrator_proxy_{name}", text, labels=["capability"])
        for cell in cells:
            if cell["access"] == access:
                family.add_metric([cell["capability"]], cell[counter])
        yield family


def journal_gauges(waiting: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    """`waiting`: JSON of the journal's summary."""
    entries = GaugeMetricFamily(
        "migrator_proxy_journal_entries", "Second writes in the journal.", labels=_LABELS
    )
    oldest = GaugeMetricFamily(
        "migrator_proxy_journal_oldest_seconds", "Age of the oldest of them.", labels=_LABELS
    )
    for each in waiting:
        labels = [each[name] for name in _LABELS]
        entries.add_metric(labels, each["entries"])
        oldest.add_metric(labels, each["oldest_seconds"])
    yield from (entries, oldest)
