"""Parity in Prometheus' terms.

Pure. `routing.metrics` adds it to the rest.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client.core import CounterMetricFamily, Metric

_LABELS = ("capability", "access")
_COUNTERS = (
    ("compared", "parity_compared", "Pairs of answers that were compared."),
    ("equal", "parity_equal", "Pairs without a difference."),
    ("different", "parity_different", "Pairs with a difference that noise does not explain."),
    ("noise", "parity_noise", "Pairs that differ only where the monolith differs from itself."),
    ("open", "parity_open", "Pairs with a difference of which that is not known yet."),
    ("repeated", "parity_repeated", "Pairs for which the monolith was asked twice."),
)


def parity_families(merged: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    """`merged`: see `routing.parity.report`."""
    for counter, name, text in _COUNTERS:
        family = CounterMetricFamily(f"migrator_proxy_{name}", text, labels=_LABELS)
        for each in merged:
            family.add_metric([each[label] for label in _LABELS], each[counter])
        yield family
    skipped = CounterMetricFamily(
        "migrator_proxy_parity_not_compared",
        "Pairs that were not compared.",
        labels=[*_LABELS, "why"],
    )
    for each in merged:
        for why, count in each["not_compared"].items():
            skipped.add_metric([*(each[label] for label in _LABELS), why], count)
    yield skipped
