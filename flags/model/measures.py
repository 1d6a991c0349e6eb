"""What SDKs report, by minute."""

from typing import Final, NamedTuple

_CUSTOM: Final = "custom"


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
    """Empty for custom events of anybody."""
    minute: int
    name: str
    """Such as `invoked.old`, `error.new`, `latency_ms.new`, `custom.3.KEY` for custom events of
    contexts in variation 3, or just a custom event's key where they are of anybody."""


class Sum(NamedTuple):
    times: int
    total: float


def custom_name(variation: int, key: str) -> str:
    """Name of the measure of a flag that counts custom events `key` of one variation."""
    return f"{_CUSTOM}.{variation}.{key}"


def parse_custom_name(name: str) -> tuple[int, str] | None:
    """Variation and key: the inverse of `custom_name`; None for other measures."""
    prefix, _, rest = name.partition(".")
    variation, dot, key = rest.partition(".")
    if prefix != _CUSTOM or not dot or not variation.isdecimal():
        return None
    return int(variation), key
