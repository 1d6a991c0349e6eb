"""Statistics of samples. Pure."""

import math
from collections.abc import Sequence


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that at least `percent` of all do not exceed (nearest rank).

    Never between two samples, so every value printed was seen. Raises `ValueError`.
    """
    if not samples:
        raise ValueError("no samples")
    if not 0 < percent <= 100:
        raise ValueError(f"percent: expected more than 0 and at most 100, found {percent}")
    return sorted(samples)[math.ceil(len(samples) * percent / 100) - 1]


def median(samples: Sequence[float]) -> float:
    """The 50th percentile."""
    return percentile(samples, 50)
