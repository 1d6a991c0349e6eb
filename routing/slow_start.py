"""How much of its share an endpoint gets while it warms up.

Pure. Caches, connection pools and compilers are cold in a process that has just come up; its full
share at once would make its first users wait, or bring it down again.
"""

from typing import Final

LEAST: Final = 0.1
"""Envoy's `min_weight_percent`: with nothing at all an endpoint would not warm up."""


def warmth(age: float, window: float) -> float:
    """From LEAST to 1, in proportion to `age`, the seconds since the endpoint became usable, or
    less than 0 until it does. A `window` of 0: all are warm."""
    return max(LEAST, age / window) if age < window and window else 1.0
