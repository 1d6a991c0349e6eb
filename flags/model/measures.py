"""What SDKs report, by minute."""

from typing import NamedTuple


class Counter(NamedTuple):
    project: str
    environment: str
    flag: str
    minute: int
    """Epoch minutes."""
    variation: int
    """-1: none of them, such as an SDK's default."""


class Measure(NamedTuple):
    project: str
    environment: str
    flag: str
    """Empty for custom events, which are of no flag."""
    minute: int
    name: str
    """Such as `invoked.old`, `error.new`, `latency_ms.new`, or a custom event's key."""


class Sum(NamedTuple):
    times: int
    total: float
